"""The way in which a version is explained: trees and linear models exactly, everything else by permutation."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.core.columns import Task
from homeostat.core.values import Json
from homeostat.serve.evaluator import refuse_unsound
from homeostat.serve.explain import linear, trees
from homeostat.serve.explain.contributions import Contributions, Matrix, NotExplainable
from homeostat.serve.explain.permutation import permuted
from homeostat.serve.explain.stages import stages_of
from homeostat.serve.table import Table
from homeostat.train.answers import ask
from homeostat.train.package import Package

if TYPE_CHECKING:
    import pandas as pd


class Explainer:
    """Explains one version. `background`: rows to compare with, as the model gets them. Making it imports shap where the model is of trees, which takes seconds."""

    def __init__(self, package: Package, background: "pd.DataFrame | None") -> None:
        self._package = package
        self._background = background
        self._stages = stages_of(package.model, package.signature)
        self._trees: Any = None
        if self._stages is not None and trees.are_trees(self._stages.estimator):
            self._trees = trees.explainer_of(self._stages)

    def explain(self, table: Table) -> Json:
        """Return the contributions to the answers to some rows; raise NotExplainable where they cannot be told."""
        rows, signature = table.pandas(), self._package.signature
        labels = ask(self._package.model, rows, signature).labels.tolist()
        with np.errstate(over="ignore", invalid="ignore"):  # what is out of range is told below
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # estimators wonder where the names of their columns are
                found = self._exactly(rows)
            if found is None or (found.classes and not set(labels) <= set(found.classes)):
                found = self._by_permutation(rows)
        if not all(np.isfinite(each).all() for each in (found.values, found.base, found.outputs)):
            raise NotExplainable(
                "the answers are beyond the range of numbers that can be added up",
                hint="send rows whose values are nearer to those of the training data",
            )
        return found.told(signature, labels)

    def _exactly(self, rows: "pd.DataFrame") -> Contributions | None:
        stages, columns = self._stages, len(self._package.signature.columns)
        if stages is None:
            return None
        features = stages.transform(rows)
        if self._trees is not None:
            return trees.explained(self._trees, stages, features, columns)
        if self._background is None:
            return None
        found = linear.explained(stages, features, stages.transform(self._background), columns)
        return None if found is None else _with_background(found, len(self._background))

    def _by_permutation(self, rows: "pd.DataFrame") -> Contributions:
        package, signature = self._package, self._package.signature
        if self._background is None or not len(self._background):
            raise NotExplainable(
                "the version keeps no rows to compare with",
                hint="train and promote it again, or explain another version",
            )
        if not signature.columns:
            raise NotExplainable("the model takes no columns", hint="there is nothing that could explain its answers")

        def answers(frame: "pd.DataFrame") -> Matrix:
            return _numbers(package, frame)

        values, base, outputs, used, asked = permuted(answers, rows, self._background)
        return Contributions(
            method="permutation",
            unit="value" if signature.task is Task.REGRESSION else "probability",
            values=values,
            base=base,
            outputs=outputs,
            classes=signature.classes,
            background_rows=used,
            evaluations=asked,
        )


def _with_background(found: Contributions, rows: int) -> Contributions:
    return replace(found, background_rows=rows)


def _numbers(package: Package, frame: "pd.DataFrame") -> Matrix:
    """Return what the model answers as numbers: probabilities of its classes (1 and 0 where it only says which), or the value."""
    said = ask(package.model, frame, package.signature)
    refuse_unsound(said, len(frame))
    if package.signature.task is Task.REGRESSION:
        return np.asarray(said.labels, dtype=np.float64)[:, None]
    if said.scores is not None:
        return said.scores
    return np.column_stack([_is(said.labels, label) for label in package.signature.classes])


def _is(labels: Any, label: Any) -> Matrix:
    return np.asarray([each == label for each in labels.tolist()], dtype=np.float64)
