"""What came back for the answers of each version of a split: labels as rewards, of the requests that the split has shared out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import polars as pl

from homeostat.core.columns import Task
from homeostat.core.records.routes import Route, Split
from homeostat.serve.router import choose
from homeostat.serve.thompson import Rewards
from homeostat.watch.join import as_truth, join


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewarded:
    """`kind`: what `serve.thompson.probability_best` has to know of the rewards. `arms`: of every version of the split."""

    kind: Literal["rate", "mean"]
    arms: dict[int, Rewards]


def rewards_of(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    route: Route,
    split: Split,
    task: Task,
    classes: Sequence[Any],
    since: datetime,
) -> Rewarded:
    """Return the rewards of requests that were received from `since` on, both frames being those of the RecordLog.

    The unit is the request: the reward of one is the mean over its labelled rows, which are not independent of each other. Requests that
    a segment or a canary takes are left out, as who answers those is not drawn.
    """
    joined = join(predictions, labels, task=task, classes=classes).frame
    known = joined.filter(pl.col("label").is_not_null() & (pl.col("received") >= since))
    by_row = known.with_columns(reward=_reward(known, split, task=task, classes=classes)).filter(
        pl.col("reward").is_not_null()
    )
    by_request = by_row.group_by("request_id", "version", maintain_order=True).agg(
        pl.col("reward").mean(), pl.col("key").unique(), pl.col("features")
    )
    if route.segments or route.canary is not None:
        shared = [_is_shared_out(route, row) for row in by_request.iter_rows(named=True)]
        by_request = by_request.filter(pl.Series(shared, dtype=pl.Boolean()))
    rewards = by_request["reward"]
    is_rate = task is not Task.REGRESSION if split.reward == "correct" else bool(rewards.is_between(0.0, 1.0).all())
    arms = {
        version: Rewards.of(by_request.filter(pl.col("version") == version)["reward"].to_numpy())
        for version in split.shares
    }
    return Rewarded(kind="rate" if is_rate else "mean", arms=arms)


def _reward(known: pl.DataFrame, split: Split, *, task: Task, classes: Sequence[Any]) -> pl.Series:
    """Return the reward of each row, null where there is none."""
    label = known["label"]
    if split.reward == "label":
        return label.cast(pl.Float64, strict=False)
    predicted = as_truth(known["prediction"], task=task, classes=classes)
    return -(predicted - label).abs() if task is Task.REGRESSION else (predicted == label).cast(pl.Float64)


def _is_shared_out(route: Route, request: dict[str, Any]) -> bool:
    """Return whether the split chose who answers a request, by the route as it is now."""
    keys = request["key"]
    rows = [msgspec.json.decode(text) for text in request["features"] if text is not None]
    common = (
        {name: value for name, value in rows[0].items() if all(row.get(name) == value for row in rows)} if rows else {}
    )
    key = keys[0] if len(keys) == 1 else None
    return choose(route, request_id=request["request_id"], key=key, features=common).by == "split"
