"""What a window's verdict says beyond its columns: estimates, drift of all columns together, slices, fairness, causes of a change. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Task
from homeostat.track.predictions import Predictions
from homeostat.watch.attribution import Attribution, attribute, grouped_columns, strengths_of
from homeostat.watch.baseline import Baseline
from homeostat.watch.domain import LEAST_ROWS, at_most
from homeostat.watch.encoding import encode
from homeostat.watch.estimating import estimated
from homeostat.watch.fairness import Fairness, fairness
from homeostat.watch.groups import Grouped, grouped
from homeostat.watch.reference import Reference
from homeostat.watch.settings import WatchSettings
from homeostat.watch.slices import declared_slices, found_slices, row_losses
from homeostat.watch.verdict import Cause, Verdict

Array = npt.NDArray[Any]
WHY_ROWS, WHY_GROUPS = 3_000, 3  # of each side; seven classifiers learn from them


def diagnosed(
    verdict: Verdict,
    features: pl.DataFrame,
    predictions: Predictions,
    *,
    truth: pl.Series,
    reference: Reference,
    settings: WatchSettings,
    baseline: Baseline | None,
    earlier: Sequence[Verdict] = (),
    before: Verdict | None = None,
) -> Verdict:
    """Return the verdict with all that can be said beyond its columns. `truth`: null where not known; the other arguments as in `estimated`.

    Estimates, and what slices were at training, need the `baseline`; slices are measured once the window is mature.
    """
    if baseline is not None and (settings.estimates != [] or settings.drift.joint != []):
        verdict = estimated(
            verdict,
            features,
            predictions,
            truth=truth,
            baseline=baseline,
            reference=reference,
            settings=settings,
            earlier=earlier,
            before=before,
        )
    verdict = _with_notes(verdict, features, reference, settings)
    known = _is_known(truth, predictions, reference.task)
    if settings.groups.protected and reference.task is Task.BINARY and len(predictions):
        columns = _groups(features, settings.groups.protected, reference)
        verdict = msgspec.structs.replace(
            verdict, fairness=[_fairness(one, truth, predictions, known, settings) for one in columns.values()]
        )
    if not verdict.is_mature:
        return verdict
    y = np.asarray(truth.filter(pl.Series(known)).to_list())
    held_out = None if baseline is None else _before(baseline, reference)
    labelled = features.filter(pl.Series(known))
    if verdict.decayed and held_out is not None:
        verdict = _explained(verdict, labelled, (y, predictions.take(known)), held_out, reference)
    return _sliced(verdict, labelled, (y, predictions.take(known)), held_out, reference=reference, settings=settings)


def _explained(
    verdict: Verdict,
    features: pl.DataFrame,
    told: tuple[Array, Predictions],
    before: tuple[pl.DataFrame, Array, Predictions],
    reference: Reference,
) -> Verdict:
    """Return the verdict with what made the loss change from the held-out rows to these."""
    kinds = {name: one.kind for name, one in reference.features.columns.items()}
    encoded = encode(before[0], features, kinds)
    was, now = (row_losses(y, answers, reference.metric) for y, answers in (before[1:], told))
    if not encoded.names or was is None or now is None or min(len(was), len(now)) < LEAST_ROWS:
        return verdict
    of_before, of_now = at_most(encoded.reference, WHY_ROWS), at_most(encoded.current, WHY_ROWS)
    strengths = strengths_of(encoded.reference, encoded.current, encoded.is_category)
    found = attribute(
        encoded.reference[of_before],
        encoded.current[of_now],
        losses=(was[of_before], now[of_now]),
        groups=grouped_columns(encoded.names, strengths.tolist(), most=WHY_GROUPS),
        is_category=encoded.is_category,
        names=encoded.names,
    )
    return msgspec.structs.replace(verdict, attribution=found, summary=f"{verdict.summary}; {_why(found)}")


def _why(found: Attribution) -> str:
    if not found.is_sound:
        return "why it changed cannot be told: these rows are too unlike the held-out ones"
    ranked = [f"{one.cause} {one.share:.0%}" for one in found.causes[:3] if one.share is not None]
    return f"of the change: {', '.join(ranked)}" if ranked else "why it changed cannot be told from chance"


def _sliced(
    verdict: Verdict,
    features: pl.DataFrame,
    told: tuple[Array, Predictions],
    before: tuple[pl.DataFrame, Array, Predictions] | None,
    *,
    reference: Reference,
    settings: WatchSettings,
) -> Verdict:
    """Return the verdict with slices of labelled rows; `told`: their true values and answers, `before`: held-out rows with theirs."""
    asked = settings.groups
    y, answers = told
    slices = []
    if columns := _groups(features, [*asked.slices, *asked.protected], reference):
        slices = declared_slices(
            columns,
            y,
            answers,
            metric=reference.metric,
            before=None if before is None else (_groups(before[0], list(columns), reference), *before[1:]),
            margin=settings.decay,
            least_rows=asked.min_rows,
        )
    found = []
    if asked.found:
        every = _groups(features, list(reference.features.columns), reference)
        found = found_slices(every, y, answers, metric=reference.metric, least_rows=asked.min_rows)
    verdict = msgspec.structs.replace(verdict, slices=slices, found_slices=found)
    worse = [one for one in slices if one.is_worse]
    if not worse or verdict.decayed:
        return verdict
    words = "; ".join(f"{one.name}: {reference.metric} went from {one.was:.4g} to {one.value:.4g}" for one in worse[:3])
    is_news = verdict.state in ("ok", "unknown")
    return msgspec.structs.replace(
        verdict,
        state="warn" if is_news else verdict.state,
        summary=words if is_news else verdict.summary,
        causes=[*verdict.causes, Cause(kind="performance", state="warn", because=words, columns=list(worse[0].when))],
    )


def _fairness(
    groups: Grouped, truth: pl.Series, predictions: Predictions, known: npt.NDArray[np.bool_], settings: WatchSettings
) -> Fairness:
    positive = predictions.classes[1]
    return fairness(
        groups,
        selected=np.array([label == positive for label in predictions.labels.tolist()], dtype=np.bool_),
        truth=np.array([label == positive for label in truth.to_list()], dtype=np.bool_) if known.any() else None,
        known=known,
        score=None if predictions.scores is None else predictions.scores[:, 1],
        least_rows=settings.groups.min_rows,
    )


def _groups(features: pl.DataFrame, columns: Sequence[str], reference: Reference) -> dict[str, Grouped]:
    found = {}
    for name in dict.fromkeys(columns):
        beside = reference.groups.columns.get(name)
        profile = reference.features.columns.get(name, beside)
        one = None if profile is None or name not in features.columns else grouped(features[name], profile)
        if one is not None and beside is not None:  # what nobody told is no group: it comes with labels, or never
            one = replace(one, codes=np.where(features[name].is_null().to_numpy(), -1, one.codes))
        if one is not None:
            found[name] = one
    return found


def _with_notes(verdict: Verdict, features: pl.DataFrame, reference: Reference, settings: WatchSettings) -> Verdict:
    """Return the verdict with notes on columns of groups that are not known, or not of all rows."""
    notes = []
    for name in dict.fromkeys([*settings.groups.slices, *settings.groups.protected]):
        if name in reference.features.columns:
            continue
        if name not in reference.groups.columns or name not in features.columns:
            notes.append(
                f"version {reference.version} was registered without '{name}': its groups are watched from the next on"
            )
        elif (nulls := features[name].null_count()) and features.height:
            notes.append(f"'{name}' is known of {features.height - nulls} of {features.height} rows; labels bring it")
    return msgspec.structs.replace(verdict, notes=[*verdict.notes, *notes]) if notes else verdict


def _before(baseline: Baseline, reference: Reference) -> tuple[pl.DataFrame, Array, Predictions]:
    """Return the held-out rows, their true values and answers."""
    if reference.task is Task.REGRESSION:
        return baseline.features, baseline.truth, Predictions(labels=baseline.said)
    classes = np.array(reference.classes, dtype=object)
    said, right = (classes[places.astype(int)] for places in (baseline.said, baseline.truth))
    return baseline.features, right, Predictions(labels=said, scores=baseline.scores, classes=tuple(reference.classes))


def _is_known(truth: pl.Series, predictions: Predictions, task: Task) -> npt.NDArray[np.bool_]:
    known = truth.is_not_null().to_numpy()
    if predictions.scores is not None:
        known = known & np.isfinite(predictions.scores).all(axis=1)
    if task is Task.REGRESSION:
        values = truth.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        known = known & np.isfinite(predictions.labels.astype(np.float64)) & np.isfinite(values)
    return np.asarray(known)
