import json

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from tests.watch.profile.parts import KINDS, frames, world

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.watch.profile import WindowProfile, merged, profile_of
from homeostat.watch.profile.numeric import NumberSketch

# One set of bins for all: what a reference gives.
LIKE = profile_of(pl.DataFrame({"x": np.linspace(-5, 5, 100), "n": range(100)}), {"x": Kind.FLOAT, "n": Kind.INTEGER})


def exact(found: WindowProfile) -> dict:
    """Return what must not depend on order at all: everything but the bytes of sketches, sums to nine digits."""

    def plain(value, key=""):
        match value:
            case dict():
                return {name: plain(each, name) for name, each in sorted(value.items()) if name not in ("kll", "hll")}
            case float():
                return float(f"{value:.9g}")
            case list():
                return [plain(each) for each in value]
            case _:
                return value

    out = plain(json.loads(found.to_bytes()))
    for column in out["columns"].values():
        for moments in (
            part["moments"] for part in (column, *column.values()) if isinstance(part, dict) and "moments" in part
        ):
            moments.clear()  # tests/watch/profile/test_moments.py holds them to a tolerance
    return out


def parted(*frames_):
    return [profile_of(frame, KINDS, like=LIKE) for frame in frames_]


@settings(max_examples=60, deadline=None)
@given(frames(), frames(), frames())
def test_merging_is_associative_and_commutative(a, b, c):
    one, two, three = parted(a, b, c)
    left, right = merged(merged(one, two), three), merged(one, merged(two, three))
    assert exact(left) == exact(right) == exact(merged(three, merged(two, one)))
    whole = exact(profile_of(pl.concat([a, b, c]), KINDS, like=LIKE))
    for found in (exact(left), whole):
        found["columns"]["t"].pop("gaps")  # between two parts there is one gap that neither sees
    assert exact(left) | {"columns": None} == whole | {"columns": None}
    for name in KINDS:
        ours, theirs = exact(left)["columns"][name], whole["columns"][name]
        ours.pop("gaps", None)
        assert ours == theirs


@settings(max_examples=60, deadline=None)
@given(frames(), frames())
def test_every_profile_is_read_back_as_it_was_written(a, b):
    one, two = parted(a, b)
    for found in (one, two, merged(one, two)):
        assert WindowProfile.from_bytes(found.to_bytes()) == found


def test_nothing_is_neutral():
    one, none = parted(world(np.random.default_rng(0), 500), world(np.random.default_rng(0), 0))
    assert exact(merged(one, none)) == exact(merged(none, one)) == exact(one)


def test_quantiles_do_not_depend_on_the_order_of_merging():
    rng = np.random.default_rng(0)
    print("seed 0")
    parts = parted(*(world(rng, 4_000) for _ in range(8)))
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = merged(forward, part)
    for part in parts[-2::-1]:
        backward = merged(backward, part)
    ranks = np.linspace(0.01, 0.99, 50)
    a, b = forward.columns["x"], backward.columns["x"]
    assert isinstance(a, NumberSketch)
    assert isinstance(b, NumberSketch)
    assert (
        np.abs(a.quantiles(ranks) - b.quantiles(ranks)).max() < 0.4
    )  # 1.33 % of ranks, where the density is lowest, of sd 2


def test_the_size_is_bounded_however_many_rows():
    rng = np.random.default_rng(1)
    sizes = []
    for count in (5, 20):
        found = None
        for _ in range(count):
            part = profile_of(world(rng, 10_000, categories=9_000), KINDS, like=LIKE)
            found = part if found is None else merged(found, part)
        sizes.append(len(found.to_bytes()))
    assert sizes[1] < 1.5 * sizes[0]
    assert sizes[1] < 100_000


def test_a_frame_without_some_columns_has_none_of_them():
    found = profile_of(pl.DataFrame({"x": [1.0]}), KINDS)
    assert list(found.columns) == ["x"]
    with pytest.raises(InvalidInput, match="only one"):
        merged(found, profile_of(pl.DataFrame({"n": [1]}), KINDS))


def test_a_column_of_another_kind_is_refused():
    a, b = (
        profile_of(pl.DataFrame({"x": ["a"]}), {"x": Kind.CATEGORY}),
        profile_of(pl.DataFrame({"x": ["a"]}), {"x": Kind.TEXT}),
    )
    with pytest.raises(InvalidInput, match="category in one profile and text in the other"):
        merged(a, b)


@pytest.mark.parametrize(
    "found",
    [b"", b"{}", b"[1]", b"\xff", b'{"version": 99}', b'{"version": 1, "columns": {"x": {"type": "number"}}}'],
    ids=["empty", "no-version", "a-list", "no-text", "newer", "half"],
)
def test_what_is_no_profile_is_refused(found):
    with pytest.raises(InvalidInput, match=r"profile"):
        WindowProfile.from_bytes(found)


def test_a_damaged_sketch_is_told():
    good = profile_of(pl.DataFrame({"x": [1.0, 2.0]}), {"x": Kind.FLOAT})
    x = good.columns["x"]
    assert isinstance(x, NumberSketch)
    bad = msgspec.structs.replace(good, columns={"x": msgspec.structs.replace(x, kll=x.kll[:5])})
    with pytest.raises(InvalidInput, match="damaged"):
        merged(bad, bad)
