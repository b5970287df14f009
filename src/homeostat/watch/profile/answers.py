"""A model's answers as a profile: what it said, how sure it was, and, where labels are there, how right it was."""

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.watch.profile.category import CategorySketch, as_words, category_sketch, merged_categories
from homeostat.watch.profile.moments import Moments, merged_moments, moments_of
from homeostat.watch.profile.numeric import NumberSketch, merged_numbers, number_sketch
from homeostat.watch.profile.reliability import Reliability, merged_reliability, reliability_of
from homeostat.watch.sample import Floats


class AnswerColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a table hold a model's answers, and the labels beside them.

    `scores`: of a binary task the column with the probability of the class `positive`; else those whose highest value is the probability of
    the answer (one that holds it, or one for each class). `prediction`: the class, or the number. None, or empty: there is none.
    """

    task: Task
    prediction: str | None = None
    scores: tuple[str, ...] = ()
    label: str | None = None
    positive: str | None = None

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns without which there is no answer."""
        return (*self.scores, *([] if self.prediction is None else [self.prediction]))


class AnswerSketch(msgspec.Struct, frozen=True, kw_only=True):
    """`rows` of the window; `spoilt` have no usable answer: null, a number that is not finite, a probability outside [0, 1]. The rest counts.

    `said`: classes as counts, numbers as quantiles and moments. `reliability`: of the positive class's probability (binary), else of the answer's.
    `labelled`: how many of the answers have a label; of these `right` said the class that came true, and `residuals` are of answer less label.
    """

    columns: AnswerColumns
    rows: int = 0
    spoilt: int = 0
    labelled: int = 0
    right: int = 0
    said: CategorySketch | NumberSketch | None = None
    reliability: Reliability | None = None
    residuals: Moments = Moments()

    @property
    def accuracy(self) -> float | None:
        """The share of labelled rows whose class was said; None where no class is said, or nothing is labelled."""
        says_classes = self.columns.task is not Task.REGRESSION and self.columns.prediction is not None
        return self.right / self.labelled if self.labelled and says_classes else None

    def with_bins(self) -> "AnswerSketch":
        """Return it with one bin for numbers where none was seen yet, so that parts made like it go together."""
        if isinstance(self.said, NumberSketch) and self.said.edges is None:
            return msgspec.structs.replace(self, said=msgspec.structs.replace(self.said, edges=[], counts=[0]))
        return self


def answer_sketch(frame: pl.DataFrame, columns: AnswerColumns, *, like: AnswerSketch | None = None) -> AnswerSketch:
    """Return the profile of the answers in a frame, which has all columns that `columns` needs. A label's column may be absent: then nothing is labelled.

    `like`: a profile whose bins the answers of a regression get, else these are the answers' own quantiles.
    """
    label = frame[columns.label] if columns.label is not None and columns.label in frame.columns else None
    if columns.task is Task.REGRESSION:
        bins = like.said if like is not None and isinstance(like.said, NumberSketch) else None
        return _numbers(frame, columns, label, bins)
    scores = _highest(frame, columns.scores)
    usable = np.ones(frame.height, dtype=np.bool_) if scores is None else (scores >= 0.0) & (scores <= 1.0)
    said = None if columns.prediction is None else as_classes(frame[columns.prediction])
    if said is not None:
        usable &= said.is_not_null().to_numpy()
    truth = None if label is None else as_classes(label)
    right = None if said is None or truth is None else (said == truth).fill_null(value=False).to_numpy()
    came = _came(columns, truth, right)
    known = np.zeros(frame.height, dtype=np.bool_) if truth is None else usable & truth.is_not_null().to_numpy()
    return AnswerSketch(
        columns=columns,
        rows=frame.height,
        spoilt=int(frame.height - usable.sum()),
        labelled=int(known.sum()),
        right=0 if right is None else int(right[known].sum()),
        said=None if said is None else category_sketch(said.filter(pl.Series(usable)), Kind.CATEGORY),
        reliability=None if scores is None else reliability_of(scores[usable], None if came is None else came[usable]),
    )


def merged_answers(a: AnswerSketch | None, b: AnswerSketch | None) -> AnswerSketch | None:
    """Return the profile of both; None where neither has one. Raise InvalidInput where they are of other columns."""
    if a is None or b is None or a.columns != b.columns:
        if a is not b:
            raise InvalidInput(
                "two profiles are of other answers: " + " and ".join(_told(one) for one in (a, b)),
                hint="name the same --prediction, --score and --label for both",
            )
        return None
    return AnswerSketch(
        columns=a.columns,
        rows=a.rows + b.rows,
        spoilt=a.spoilt + b.spoilt,
        labelled=a.labelled + b.labelled,
        right=a.right + b.right,
        said=_said(a.said, b.said),
        reliability=merged_reliability(a.reliability, b.reliability),
        residuals=merged_moments(a.residuals, b.residuals),
    )


def as_classes(column: pl.Series) -> pl.Series:
    """Return the names of classes. 1, 1.0, "1", "1.0" and true are one class, 0 and false another; NaN is null."""
    if column.dtype == pl.Boolean:
        return column.cast(pl.Int8).cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    words = as_words(column).str.replace(r"^(-?\d+)\.0+$", "$1")
    known = words.str.to_lowercase()
    return pl.select(
        pl.when(known == "true").then(pl.lit("1")).when(known == "false").then(pl.lit("0")).otherwise(words)
    ).to_series()


def _numbers(
    frame: pl.DataFrame, columns: AnswerColumns, label: pl.Series | None, bins: NumberSketch | None
) -> AnswerSketch:
    assert columns.prediction is not None
    said = _floats(frame[columns.prediction])
    usable = np.isfinite(said)
    with np.errstate(invalid="ignore"):  # of two infinities
        away = np.full(frame.height, np.nan) if label is None else said - _floats(label)
    known = away[usable & np.isfinite(away)]
    return AnswerSketch(
        columns=columns,
        rows=frame.height,
        spoilt=int(frame.height - usable.sum()),
        labelled=len(known),
        said=number_sketch(pl.Series(said[usable]), Kind.FLOAT, like=bins),
        residuals=moments_of(known),
    )


def _highest(frame: pl.DataFrame, names: Sequence[str]) -> Floats | None:
    """Return the highest of some columns in each row, NaN where one of them has none."""
    columns = [_floats(frame[name]) for name in names]
    return None if not columns else np.maximum.reduce(columns)


def _floats(column: pl.Series) -> Floats:
    """Return the values as floats; NaN for what is null or no number."""
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        return np.full(len(column), np.nan)
    words = column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column
    found: Floats = words.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    return found


def _came(
    columns: AnswerColumns, truth: pl.Series | None, right: "np.typing.NDArray[np.bool_] | None"
) -> Floats | None:
    """Return for each row 1 where what the score is of came true, 0 where not, NaN where that is not known."""
    if truth is None or not columns.scores:
        return None
    if columns.task is Task.BINARY:
        came: Floats = (truth == columns.positive).cast(pl.Float64).fill_null(np.nan).to_numpy()
        return came
    if right is None:
        return None
    return np.where(truth.is_null().to_numpy(), np.nan, right.astype(np.float64))


def _said(
    a: CategorySketch | NumberSketch | None, b: CategorySketch | NumberSketch | None
) -> CategorySketch | NumberSketch | None:
    if isinstance(a, CategorySketch) and isinstance(b, CategorySketch):
        return merged_categories(a, b)
    if isinstance(a, NumberSketch) and isinstance(b, NumberSketch):
        return merged_numbers(a, b)
    return None


def _told(one: AnswerSketch | None) -> str:
    if one is None:
        return "none"
    names = [*one.columns.needed, *([] if one.columns.label is None else [one.columns.label])]
    return f"{one.columns.task} in {', '.join(names)}"
