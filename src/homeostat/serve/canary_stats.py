"""What a step of a rollout has seen so far, read from the record of predictions and labels. Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Task
from homeostat.serve.canary import StepStats, log_evidence_above
from homeostat.serve.distances import clustered_variance, distances_of, scores_of
from homeostat.track.losses import loss_per_row
from homeostat.track.predictions import Predictions
from homeostat.track.usual import primary

_ROW = ["request_id", "row"]
_LATENCY_ALPHA = 0.01


def step_stats(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    champion: int,
    candidate: int,
    since: datetime,
    now: datetime,
    task: Task,
    classes: Sequence[Any] = (),
) -> StepStats:
    """Return what both versions did since the step began, whichever of them answered.

    Frames are those of the RecordLog. Requests count once however many rows they have; one failed row fails its request. Pairs are rows
    that both versions evaluated without an error. Losses are the task's primary metric per row (error rate where there are no scores);
    the newest label of a row wins, labels that the task cannot use are left out.
    """
    recent = predictions.filter(pl.col("received") >= since)
    own, champions = _of(recent, candidate), _of(recent, champion)
    pairs = own.filter(pl.col("status") == "ok").join(
        champions.filter(pl.col("status") == "ok"), on=_ROW, suffix="_champion", maintain_order="left"
    )
    timed = pairs.unique("request_id", keep="first", maintain_order=True)
    losses = _losses(pairs, labels, task, classes)
    distances = distances_of(pairs, task)
    worse = losses.own - losses.champions
    return StepStats(
        elapsed=now - since,
        requests=own["request_id"].n_unique(),
        errors=_failed(own),
        champion_requests=champions["request_id"].n_unique(),
        champion_errors=_failed(champions),
        timed=timed.height,
        least_latency_p50_ms=least_quantile(timed["latency_ms"], 0.5),
        least_latency_p95_ms=least_quantile(timed["latency_ms"], 0.95),
        champion_latency_p50_ms=_quantile(timed["latency_ms_champion"], 0.5),
        champion_latency_p95_ms=_quantile(timed["latency_ms_champion"], 0.95),
        pairs=pairs.height,
        paired_requests=distances.requests,
        disagreement=distances.disagreement,
        disagreement_variance=distances.disagreement_variance,
        shift=distances.shift,
        shift_variance=distances.shift_variance,
        labelled=len(worse),
        labelled_requests=len(np.unique(losses.requests)),
        loss_mean=float(worse.mean()) if len(worse) else None,
        loss_variance=clustered_variance(worse, losses.requests),
        champion_loss=float(losses.champions.mean()) if len(worse) else None,
    )


def least_quantile(values: pl.Series, share: float, *, alpha: float = _LATENCY_ALPHA) -> float | None:
    """Return what the quantile of the values' distribution credibly is at least; None while they are too few to say.

    The greatest value of which "at most 1 - share of all lie above" is disproved by `log_evidence_above`. That holds at all numbers of
    values at once, so looking after each one is ever wrong with probability at most `alpha`. A few stragglers do not move it.

    >>> least_quantile(pl.Series([float(n) for n in range(100)]), 0.5) < 50.0
    True
    >>> least_quantile(pl.Series([1.0]), 0.95)
    """
    n, rarely = len(values), 1.0 - share
    above = bisect_left(range(n + 1), -math.log(alpha), key=lambda k: log_evidence_above(k, n, rarely))
    return None if above > n else float(values.sort(descending=True)[above - 1])


def _of(predictions: pl.DataFrame, version: int) -> pl.DataFrame:
    """Return a version's rows, each once: where it failed to answer and was evaluated again, the answer that it failed."""
    rows = predictions.filter(pl.col("version") == version)
    return rows.unique([*_ROW], keep="first", maintain_order=True)


def _failed(rows: pl.DataFrame) -> int:
    return rows.filter(pl.col("status") == "error")["request_id"].n_unique()


def _quantile(values: pl.Series, share: float) -> float | None:
    found = values.quantile(share, "linear")
    return None if found is None else float(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Losses:
    """Of each labelled pair the loss of both versions and the request that it came with, shape (n_labelled,)."""

    own: npt.NDArray[np.float64]
    champions: npt.NDArray[np.float64]
    requests: npt.NDArray[Any]


def _losses(pairs: pl.DataFrame, labels: pl.DataFrame, task: Task, classes: Sequence[Any]) -> _Losses:
    """Return the losses of the pairs whose label is known and usable."""
    truth = _truth(pairs, labels)
    values = truth["truth"].to_list()
    usable = [_is_usable(value, task, classes) for value in values]
    known = truth.filter(pl.Series(usable, dtype=pl.Boolean))
    if known.is_empty():
        return _Losses(np.empty(0), np.empty(0), np.empty(0, dtype=object))
    y = np.asarray([value for value, is_known in zip(values, usable, strict=True) if is_known])
    both = None if task is Task.REGRESSION else scores_of(known)
    if both is not None and both.own.shape[1] != len(classes):
        both = None
    metric = primary(task) if both is not None or task is Task.REGRESSION else "accuracy"
    own, champions = (
        loss_per_row(
            y,
            Predictions(labels=np.asarray(known[name].to_list()), scores=scores, classes=tuple(classes)),
            metric,
        )
        for name, scores in (
            ("prediction", None if both is None else both.own),
            ("prediction_champion", None if both is None else both.champions),
        )
    )
    return _Losses(own, champions, known["request_id"].to_numpy())


def _is_usable(value: Any, task: Task, classes: Sequence[Any]) -> bool:
    if value is None:
        return False
    if task is Task.REGRESSION:
        return isinstance(value, int | float) and bool(np.isfinite(value))
    return value in classes


def _truth(pairs: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs with a column `truth`: the newest label that names the row, or else its key."""
    rows = pairs.with_row_index("at")
    arrived = labels.filter(pl.col("value").is_not_null()).with_row_index("order")
    named = arrived.filter(pl.col("request_id").is_not_null()).with_columns(pl.col("row").fill_null(0))
    by_row = named.join(rows.select(*_ROW, "at"), on=_ROW).select("at", "value", "order")
    newest = pl.concat([by_row, _by_key(arrived, rows)]).sort("order").unique("at", keep="last")
    return rows.join(newest.select("at", truth="value"), on="at", how="left", maintain_order="left")


def _by_key(arrived: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return labels that name a key only, each with the newest row of that key no later than itself.

    In event time where label and rows have one, else in order of receipt.
    """
    keyed = arrived.filter(pl.col("request_id").is_null() & pl.col("key").is_not_null())
    targets = rows.filter(pl.col("key").is_not_null())
    timed = targets.filter(pl.col("event_time").is_not_null())
    in_event_time = pl.col("event_time").is_not_null() & pl.col("key").is_in(timed["key"].unique().to_list())
    found = []
    for some, on, of in (
        (keyed.filter(in_event_time), "event_time", timed),
        (keyed.filter(~in_event_time), "received", targets),
    ):
        left = some.select("key", "value", "order", when=pl.col(on)).sort("when")
        right = of.select("key", "at", when=pl.col(on)).sort("when", "at")
        met = left.join_asof(right, on="when", by="key", check_sortedness=False)
        found.append(met.filter(pl.col("at").is_not_null()).select("at", "value", "order"))
    return pl.concat(found)
