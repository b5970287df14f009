"""A model taken apart: what makes a matrix of its columns, which column each feature came from, and the estimator behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Kind, Signature

if TYPE_CHECKING:
    import pandas as pd

Matrix = npt.NDArray[np.float64]
Owners = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stages:
    """`owners` of shape (n_features,): the place in the signature of the column that a feature was made of, and of no other.

    A margin of the whole model is `slope` times the estimator's plus `offset` (calibration). `classes`: of the estimator's outputs.
    """

    transform: "Callable[[pd.DataFrame], Matrix]"
    owners: Owners
    estimator: Any
    classes: tuple[Any, ...]
    slope: float = 1.0
    offset: float = 0.0

    def folded(self, values: npt.NDArray[np.float64], columns: int) -> npt.NDArray[np.float64]:
        """Return values of features, shape (n_rows, n_features, n_outputs), summed by column."""
        found = np.zeros((values.shape[0], columns, values.shape[2]))
        for feature, column in enumerate(self.owners.tolist()):
            found[:, column] += values[:, feature]
        return found


def stages_of(model: Any, signature: Signature) -> Stages | None:
    """Return the stages, None where a feature mixes columns or the model is not one of those known here."""
    if type(model).__module__ == "homeostat.train.estimator":
        return _of_default(model, signature)
    steps = _steps(model)
    if steps is None:
        return None
    transformers, estimator = steps
    owners: Owners | None = np.arange(len(signature.columns))
    for transformer in transformers:
        owners = None if owners is None else _through(transformer, owners)
    is_plain = all(column.kind in (Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN) for column in signature.columns)
    if owners is None or (not transformers and not is_plain):
        return None

    def transform(frame: "pd.DataFrame") -> Matrix:
        found: Any = frame
        for transformer in transformers:
            found = transformer.transform(found)
        return _dense(found)

    classes = tuple(np.asarray(getattr(estimator, "classes_", ())).tolist())
    return Stages(transform=transform, owners=owners, estimator=estimator, classes=classes)


def _of_default(model: Any, signature: Signature) -> Stages:
    encoder = model.encoder_
    widths = [4 if column.kind is Kind.DATETIME else 1 for column in signature.columns]
    owners = np.repeat(np.arange(len(widths)), widths)[encoder.kept_]
    classes: tuple[Any, ...] = ()
    slope, offset = 1.0, 0.0
    if signature.classes:
        classes = tuple(model.classes_[model.trees_.classes_].tolist())
        slope, offset = model.calibration_.slope, model.calibration_.offset
    return Stages(
        transform=encoder.transform,
        owners=owners,
        estimator=model.trees_,
        classes=classes,
        slope=slope,
        offset=offset if len(classes) == 2 else 0.0,
    )


def _steps(model: Any) -> tuple[list[Any], Any] | None:
    """Return the transformers before an estimator, and it."""
    if not hasattr(model, "get_params"):
        return None
    if not _is(model, "Pipeline"):
        return [], model
    *before, (_, estimator) = model.steps
    return [step for _, step in before if not _is_nothing(step)], estimator


def _is(thing: Any, name: str) -> bool:
    return any(kind.__name__ == name and kind.__module__.startswith("sklearn.") for kind in type(thing).__mro__)


def _is_nothing(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def _through(step: Any, owners: Owners) -> Owners | None:  # noqa: PLR0911 - one case for each kind
    """Return whose the features behind a transformer are, None where one is made of several columns."""
    if _is_nothing(step):
        return owners
    if _is(step, "Pipeline"):
        found: Owners | None = owners
        for _, inner in step.steps:
            found = None if found is None else _through(inner, found)
        return found
    if _is(step, "ColumnTransformer"):
        return _through_columns(step, owners)
    names = getattr(step, "get_feature_names_out", None)
    count = None if names is None else len(names())
    if len(owners) == 1 and count is not None:
        return np.repeat(owners, count)
    if _is(step, "OneHotEncoder"):
        counts: Sequence[int] | None = getattr(step, "_n_features_outs", None)
        return None if counts is None else np.repeat(owners, counts)
    if _is(step, "SelectorMixin"):
        chosen: Owners = step.get_support(indices=True)
        return owners[chosen]
    # Normalizer keeps the number of features, and makes each of a whole row
    is_one_to_one = _is(step, "OneToOneFeatureMixin") and not _is(step, "Normalizer")
    is_plain_imputer = _is(step, "SimpleImputer") and not step.add_indicator and count == len(owners)
    return owners if is_one_to_one or is_plain_imputer else None


def _through_columns(step: Any, owners: Owners) -> Owners | None:
    taken = step._transformer_to_input_indices  # noqa: SLF001 - nothing public tells places where columns were named
    width = max((place.stop for place in step.output_indices_.values()), default=0)
    found = np.full(width, -1, dtype=np.intp)
    for name, inner, _ in step.transformers_:
        place = step.output_indices_[name]
        if place.stop == place.start:
            continue
        mine = _through(inner, owners[np.asarray(taken[name], dtype=np.intp)])
        if mine is None or len(mine) != place.stop - place.start:
            return None
        found[place] = mine
    return None if (found < 0).any() else found


def _dense(values: Any) -> Matrix:
    plain = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(plain, dtype=np.float64)
