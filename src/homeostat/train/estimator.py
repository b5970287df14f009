"""The default model: gradient-boosted trees on columns encoded by kind. Imports scikit-learn: import it where it is used.

Categories are the trees' own (Fisher's grouping of categories at each split, see HistGradientBoosting's guide), with unknown ones
treated as null; the 254 most frequent have a code each, the rest share one. Times become hour, weekday, month and days since 1970;
text becomes its length. Nulls stay nulls: at each split the trees learn which way they go.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.track.metric import class_indices
from homeostat.train.calibration import Calibration

Matrix = npt.NDArray[np.float64]
MOST_CODES = 254  # the trees take 255 bins; the last is for all other categories
_PARTS_OF_TIME = 4
# Below this a second thread saves a third of the time at best, while on a busy machine OpenMP's waiting threads steal each other's turns:
# 500 rows then took 14 s with two threads and 0.1 s with one (two cores, four busy processes).
ROWS_PER_THREAD = 100_000


class ColumnEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features of mixed kinds as one matrix of floats, shape (n_rows, n_encoded), nulls as NaN.

    `columns` are pairs of name and kind. Encoded columns that are constant in the training rows are left out. After fit
    `is_categorical_` says which encoded columns hold codes, shape (n_encoded,).
    """

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        self.columns = columns

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        del y
        self.codes_ = {name: _codes(X[name]) for name, kind in self.columns if kind == Kind.CATEGORY}
        whole = self._encoded(X)
        self.kept_ = np.flatnonzero([not _is_constant(column) for column in whole.T])
        if not len(self.kept_):
            raise InvalidInput(
                "every feature is constant in the training rows", hint="add features, or train on a longer window"
            )
        widths = [_PARTS_OF_TIME if kind == Kind.DATETIME else 1 for _, kind in self.columns]
        codes = np.repeat([kind == Kind.CATEGORY for _, kind in self.columns], widths)
        self.is_categorical_ = codes[self.kept_]
        return self

    def transform(self, X: pd.DataFrame) -> Matrix:
        kept: Matrix = self._encoded(X)[:, self.kept_]
        return kept

    def _encoded(self, X: pd.DataFrame) -> Matrix:
        return np.concatenate([self._column(X[name], name, kind) for name, kind in self.columns], axis=1)

    def _column(self, values: "pd.Series[Any]", name: str, kind: str) -> Matrix:
        match kind:
            case Kind.CATEGORY:
                known, has_others = self.codes_[name]
                codes: Matrix = known.get_indexer(values).astype(np.float64)
                others = MOST_CODES if has_others else np.nan
                codes[codes < 0] = others
                codes[values.isna().to_numpy()] = np.nan
                return codes[:, None]
            case Kind.TEXT:
                lengths: Matrix = values.str.len().to_numpy(dtype=np.float64)[:, None]
                return lengths
            case Kind.DATETIME:
                return _parts(values)
            case _:
                numbers = np.asarray(values, dtype=np.float64)[:, None]
                return np.where(np.isinf(numbers), np.nan, numbers)


def _codes(values: "pd.Series[Any]") -> "tuple[pd.Index[Any], bool]":
    """Return the categories that get a code, and whether there are others that share one."""
    counts = values.value_counts()
    ranked = sorted(counts.index, key=lambda value: (-counts[value], value))
    return pd.Index(sorted(ranked[:MOST_CODES]), dtype=object), len(ranked) > MOST_CODES


def _parts(values: "pd.Series[Any]") -> Matrix:
    times = pd.DatetimeIndex(values)
    days = (times - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return np.column_stack(
        [np.asarray(part, dtype=np.float64) for part in (times.hour, times.day_of_week, times.month, days)]
    )


def _is_constant(column: Matrix) -> bool:
    first = column[0]
    return bool(np.isnan(column).all() if np.isnan(first) else (column == first).all())


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def _limited(rows: int) -> AbstractContextManager[object]:
    """While open, this thread (no other) starts one OpenMP thread for each so many rows, never more than are allowed already."""
    allowed = min((pool["num_threads"] for pool in _threads().info() if pool["user_api"] == "openmp"), default=1)
    limit: AbstractContextManager[object] = _threads().limit(
        limits=max(1, min(allowed, rows // ROWS_PER_THREAD)), user_api="openmp"
    )
    return limit


class _TakesNulls:
    """Declares in scikit-learn's way what the trees do: missing values are fine, in every column."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.allow_nan = True
        return tags


class DefaultClassifier(_TakesNulls, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Boosted trees with probabilities that are calibrated where that was seen to help.

    `calibrate`: 'auto' measures on the later part of the training rows, 'always' and 'never' do not. `classes` are all classes of the
    task: one that the training rows lack gets probability 0. `is_ordered`: rows come oldest first.
    """

    labels_follow_scores = True

    def __init__(
        self,
        columns: Sequence[tuple[str, str]],
        classes: Sequence[Any],
        *,
        boosting: Mapping[str, Any] | None = None,
        calibrate: str = "auto",
        is_ordered: bool = True,
        seed: int = 0,
    ) -> None:
        self.columns = columns
        self.classes = classes
        self.boosting = boosting
        self.calibrate = calibrate
        self.is_ordered = is_ordered
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: npt.NDArray[Any]) -> Self:
        truth = class_indices(np.asarray(y), self.classes)
        self.classes_ = np.asarray(self.classes)
        self.encoder_ = ColumnEncoder(self.columns).fit(X)
        features = self.encoder_.transform(X)
        self.calibration_ = Calibration.measured(
            lambda rows: self._trees(features[rows], truth[rows]),
            lambda trees, rows: self._scores(trees, features[rows]),
            truth,
            mode=self.calibrate,
            order=np.arange(len(truth))
            if self.is_ordered
            else np.random.default_rng(self.seed).permutation(len(truth)),
        )
        self.trees_ = self._trees(features, truth)
        return self

    def _trees(self, features: Matrix, truth: npt.NDArray[np.intp]) -> HistGradientBoostingClassifier:
        trees = HistGradientBoostingClassifier(
            categorical_features=self.encoder_.is_categorical_, **(self.boosting or {})
        )
        with _limited(len(features)):
            return trees.fit(features, truth)

    def _scores(self, trees: HistGradientBoostingClassifier, features: Matrix) -> Matrix:
        scores = np.zeros((len(features), len(self.classes)))
        with _limited(len(features)):
            scores[:, trees.classes_] = trees.predict_proba(features)
        return scores

    def predict_proba(self, X: pd.DataFrame) -> Matrix:
        return self.calibration_.apply(self._scores(self.trees_, self.encoder_.transform(X)))

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        scores = self.predict_proba(X)
        best = scores[:, 1] >= 0.5 if len(self.classes) == 2 else scores.argmax(axis=1)
        return self.classes_[best.astype(np.intp)]


class DefaultRegressor(_TakesNulls, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Boosted trees for numbers."""

    def __init__(self, columns: Sequence[tuple[str, str]], *, boosting: Mapping[str, Any] | None = None) -> None:
        self.columns = columns
        self.boosting = boosting

    def fit(self, X: pd.DataFrame, y: Matrix) -> Self:
        self.encoder_ = ColumnEncoder(self.columns).fit(X)
        trees = HistGradientBoostingRegressor(
            categorical_features=self.encoder_.is_categorical_, **(self.boosting or {})
        )
        features = self.encoder_.transform(X)
        with _limited(len(features)):
            self.trees_ = trees.fit(features, y)
        return self

    def predict(self, X: pd.DataFrame) -> Matrix:
        features = self.encoder_.transform(X)
        with _limited(len(features)):
            said: Matrix = self.trees_.predict(features)
        return said
