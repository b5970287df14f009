"""scikit-learn's histogram gradient boosting as an ONNX TreeEnsemble in double precision.

The general converters fail on it or use single precision, in which rows near a threshold go the other way. The operator of version 5 of
ai.onnx.ml (https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html) has thresholds and leaves of doubles, sets of categories, and a
way for missing values; so every row takes the path that it takes in the original.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from homeostat.train.compiled.converter import NotConvertible
from homeostat.train.compiled.plan import Encoded

_LEQ, _MEMBER = 0, 6
_SUM = 1
_LINKS = {
    "HalfBinomialLoss": "sigmoid",
    "HalfMultinomialLoss": "softmax",
    "HalfSquaredError": "identity",
    "AbsoluteError": "identity",
    "PinballLoss": "identity",
    "HalfGammaLoss": "exp",
    "HalfPoissonLoss": "exp",
}


@dataclass(slots=True)
class _Nodes:
    """The attributes of the operator, grown tree by tree."""

    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    missing_left: list[int] = field(default_factory=list)
    true_ids: list[int] = field(default_factory=list)
    true_leafs: list[int] = field(default_factory=list)
    false_ids: list[int] = field(default_factory=list)
    false_leafs: list[int] = field(default_factory=list)
    members: list[float] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    leaf_targets: list[int] = field(default_factory=list)
    leaf_weights: list[float] = field(default_factory=list)

    def add_tree(self, predictor: Any, target: int) -> None:
        nodes = predictor.nodes
        self.roots.append(len(self.features))
        inner = [at for at in range(len(nodes)) if not nodes[at]["is_leaf"]]
        if not inner:  # a tree of one leaf: a split both sides of which are that leaf
            self._add_split(0, np.inf, _LEQ, missing_left=1)
            self.true_ids[-1] = self.false_ids[-1] = self._add_leaf(nodes[0]["value"], target)
            self.true_leafs[-1] = self.false_leafs[-1] = 1
            return
        place = {at: len(self.features) + i for i, at in enumerate(inner)}
        for at in inner:
            node = nodes[at]
            if node["is_categorical"]:
                bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
                left = [bit for bit in range(32 * len(bits)) if int(bits[bit // 32]) >> (bit % 32) & 1]
                # without any category only missing values go left, and the runtime refuses empty sets
                mode, split = (_MEMBER, 0.0) if left else (_LEQ, -np.inf)
                self._add_split(int(node["feature_idx"]), split, mode, missing_left=int(node["missing_go_to_left"]))
                self.members += [*map(float, left), float("nan")] if left else []
            else:
                threshold = float(node["num_threshold"])
                self._add_split(int(node["feature_idx"]), threshold, _LEQ, missing_left=int(node["missing_go_to_left"]))
        for at in inner:
            for side, ids, leafs in (
                ("left", self.true_ids, self.true_leafs),
                ("right", self.false_ids, self.false_leafs),
            ):
                child = int(nodes[at][side])
                is_leaf = bool(nodes[child]["is_leaf"])
                ids[place[at]] = self._add_leaf(nodes[child]["value"], target) if is_leaf else place[child]
                leafs[place[at]] = int(is_leaf)

    def _add_split(self, feature: int, split: float, mode: int, *, missing_left: int) -> None:
        self.features.append(feature)
        self.splits.append(split)
        self.modes.append(mode)
        self.missing_left.append(missing_left)
        for each in (self.true_ids, self.true_leafs, self.false_ids, self.false_leafs):
            each.append(0)

    def _add_leaf(self, value: float, target: int) -> int:
        self.leaf_targets.append(target)
        self.leaf_weights.append(float(value))
        return len(self.leaf_weights) - 1


def trees_onnx(model: Any, *, width: int) -> bytes:
    """Return the ONNX model of the fitted trees: input `x`, doubles of shape (rows, width); output `raw`, (rows, trees of an iteration)."""
    from onnx import TensorProto, helper

    nodes = _Nodes()
    for iteration in model._predictors:  # noqa: SLF001 - the fitted trees have no public name
        for target, predictor in enumerate(iteration):
            nodes.add_tree(predictor, target)
    targets = model.n_trees_per_iteration_
    members = {}
    if nodes.members:
        members["membership_values"] = helper.make_tensor(
            "members", TensorProto.DOUBLE, [len(nodes.members)], nodes.members
        )
    count = len(nodes.features)
    operator = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["raw"],
        domain="ai.onnx.ml",
        n_targets=targets,
        aggregate_function=_SUM,
        post_transform=0,
        tree_roots=nodes.roots,
        nodes_featureids=nodes.features,
        nodes_splits=helper.make_tensor("splits", TensorProto.DOUBLE, [count], nodes.splits),
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [count], nodes.modes),
        nodes_missing_value_tracks_true=nodes.missing_left,
        nodes_truenodeids=nodes.true_ids,
        nodes_trueleafs=nodes.true_leafs,
        nodes_falsenodeids=nodes.false_ids,
        nodes_falseleafs=nodes.false_leafs,
        leaf_targetids=nodes.leaf_targets,
        leaf_weights=helper.make_tensor("leaves", TensorProto.DOUBLE, [len(nodes.leaf_weights)], nodes.leaf_weights),
        **members,
    )
    graph = helper.make_graph(
        [operator],
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info("raw", TensorProto.DOUBLE, [None, targets])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def link_of(model: Any) -> str:
    """Return what makes answers of the trees' sums."""
    name = type(model._loss).__name__  # noqa: SLF001 - it has no public name
    if name not in _LINKS:
        raise NotConvertible(f"the loss {name} has no known link")
    return _LINKS[name]


def base_of(model: Any) -> list[float]:
    """Return what is added to the trees' sums."""
    return [float(value) for value in np.asarray(model._baseline_prediction).ravel()]  # noqa: SLF001 - it has no public name


def order_of(model: Any) -> list[tuple[int, list[float] | None]]:
    """Return the trees' input columns: which column of the features each is and, for categories, the values whose places are the codes."""
    preprocessor = getattr(model, "_preprocessor", None)
    if preprocessor is None:
        return [(at, None) for at in range(model.n_features_in_)]
    encoder = preprocessor.named_transformers_["encoder"]
    chosen = np.asarray(preprocessor.transformers_[0][2])
    first = np.flatnonzero(chosen).tolist()
    rest = [at for at in range(model.n_features_in_) if at not in first]
    found: list[tuple[int, list[float] | None]] = []
    for at, categories in zip(first, encoder.categories_, strict=True):
        if categories.dtype.kind not in "fiu":
            raise NotConvertible("categories that are no numbers are not converted")
        found.append((at, [float(value) for value in categories if not np.isnan(value)]))
    return [*found, *((at, None) for at in rest)]


def encoded_numbers(order: list[tuple[int, list[float] | None]]) -> list[Encoded] | None:
    """Return how columns of numbers become the trees' inputs, None where they are them."""
    if all(values is None and at == place for place, (at, values) in enumerate(order)):
        return None
    return [
        Encoded(source=at) if values is None else Encoded(source=at, how="lookup", values=values)
        for at, values in order
    ]
