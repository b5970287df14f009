"""Divides rows into those to learn from and those to test on, so that the test is like the future."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from homeostat.core.columns import Roles
from homeostat.core.errors import InvalidInput, NotEnoughData

_MIN_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """`how` says in words how the rows were divided."""

    train: pl.DataFrame
    test: pl.DataFrame
    how: str


def split(frame: pl.DataFrame, *, roles: Roles, test_share: float, seed: int) -> Split:
    """Return train and test rows: by time where there is a time column, else whole groups by key, else at random.

    By time, the newest `test_share` of rows is the test, and rows of one instant stay on one side; rows without a time are
    learned from. At random, equal rows stay together. Raise NotEnoughData where one side would be empty.
    """
    if roles.time is not None:
        done = _by_time(frame, roles.time, test_share)
    elif roles.key:
        how = f"by key ({', '.join(roles.key)}): each key on one side (seed {seed})"
        done = _by_group(frame, list(roles.key), test_share, seed, how)
    else:
        done = _by_group(frame, frame.columns, test_share, seed, f"at random (seed {seed})")
    if done.train.is_empty() or done.test.is_empty():
        raise NotEnoughData(
            f"{frame.height:,} rows cannot be divided {done.how}: one side would be empty",
            hint="give more rows, or another `train.test_share`",
        )
    return done


def _divided(frame: pl.DataFrame, is_test: pl.Series, how: str) -> Split:
    return Split(train=frame.filter(~is_test), test=frame.filter(is_test), how=how)


def _by_time(frame: pl.DataFrame, time: str, test_share: float) -> Split:
    ordered = frame.sort(time, nulls_last=False, maintain_order=True)
    moments = ordered[time]
    known = moments.drop_nulls()
    at = frame.height - round(frame.height * test_share)
    if known.is_empty() or at >= frame.height:
        return _divided(ordered, pl.Series([False] * frame.height, dtype=pl.Boolean), f"by time ('{time}')")
    boundary = moments[max(at, moments.null_count())]
    is_test = (moments >= boundary).fill_null(value=False)
    if (
        is_test.sum() + moments.null_count() == frame.height
    ):  # the instant at the boundary is the first: it stays in train
        is_test = (moments > boundary).fill_null(value=False)
    later = moments.filter(is_test)
    start = later[0] if len(later) else None
    return _divided(ordered, is_test, f"by time: '{time}' from {start} on is the test")


def _by_group(frame: pl.DataFrame, columns: list[str], test_share: float, seed: int, how: str) -> Split:
    """Divide so that rows equal in the columns stay together (a collision of hashes joins two groups, which is harmless)."""
    hashes = frame.select(columns).hash_rows(seed=0).to_numpy()
    _, first, group, sizes = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    by_appearance = np.argsort(first)  # so that the draw does not depend on how values hash
    drawn = by_appearance[np.random.default_rng(seed).permutation(len(sizes))]
    before = np.cumsum(sizes[drawn]) - sizes[drawn]
    chosen = drawn[before + sizes[drawn] / 2 <= frame.height * test_share]
    if not len(chosen) and len(sizes) > 1:
        chosen = drawn[:1]
    return _divided(frame, pl.Series(np.isin(group, chosen), dtype=pl.Boolean), how)


def refuse_leaks(divided: Split, roles: Roles) -> None:
    """Raise InvalidInput where the test rows would flatter the model.

    That is: a row (its key, where there is one and no time column, else the whole of it) on both sides; or a feature that is the
    target, as it stands or under other names. With a time column a key may come back.
    """
    _refuse_shared_rows(divided, roles)
    whole = pl.concat([divided.train, divided.test])
    target = whole[roles.target]
    for name in roles.features(whole.columns):
        if _says_target(whole[name], target):
            raise InvalidInput(
                f"feature '{name}' is the target '{roles.target}' under another name: each value of one goes with one of the other",
                hint=f"add '{name}' to `exclude` under `data`",
            )


def _refuse_shared_rows(divided: Split, roles: Roles) -> None:
    columns = [*roles.key] if roles.key and roles.time is None else divided.train.columns
    shared = divided.test.join(divided.train, on=columns, how="semi", nulls_equal=True).height
    if shared:
        what = f"keys ({', '.join(columns)})" if roles.key and roles.time is None else "rows"
        raise InvalidInput(
            f"{shared:,} of {divided.test.height:,} test {what} are among the training {what}",
            hint="remove the duplicate rows, or set `key` under `data` so that its rows stay together",
        )


def _says_target(feature: pl.Series, target: pl.Series) -> bool:
    """Say whether feature and target determine each other, in enough rows for that to be no accident."""
    if feature.dtype == target.dtype and feature.equals(target, null_equal=True):
        return True
    pairs = pl.DataFrame({"f": feature, "t": target}).drop_nulls()
    values = pairs["t"].n_unique()
    if values < 2 or pairs.height < _MIN_ROWS or pairs["f"].n_unique() != values or pairs.n_unique() != values:
        return False
    if pairs.height >= 2 * values:
        return True
    ordered = pairs.sort("t")["f"]  # where no value repeats, any column goes one to one: look for the same order
    return feature.dtype.is_numeric() and (ordered.is_sorted() or ordered.is_sorted(descending=True))
