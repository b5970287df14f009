import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.data.profile import profile
from homeostat.watch.columns import read_column
from homeostat.watch.quality import check_quality, exceeds
from homeostat.watch.settings import WatchSettings


def quality(reference: list, current: list | None, kind: Kind = Kind.FLOAT, **options):
    profiles = profile(pl.DataFrame({"v": reference}), {"v": kind}).columns
    reads = {"v": None if current is None else read_column(pl.Series(current), kind)}
    rows = options.pop("rows", 100 if current is None else len(current))
    return check_quality(reads, profiles, rows=rows, settings=WatchSettings(), **options)


def test_rows_like_the_references_are_fine():
    found = quality([float(i) for i in range(100)], [50.0] * 100)
    assert (found.broken, found.problems, found.because) == (False, [], "as the reference")


@pytest.mark.parametrize(
    ("current", "rule"),
    [
        ([None] * 20 + [1.0] * 80, "null"),
        ([float("nan")] * 20 + [1.0] * 80, "null"),
        ([float("inf")] * 20 + [1.0] * 80, "kind"),
        (["junk"] * 20 + ["1"] * 80, "kind"),
        ([1e12] * 20 + [1.0] * 80, "range"),
        (None, "missing"),
    ],
)
def test_what_breaks_a_number_is_named(current, rule):
    found = quality([float(i) for i in range(100)], current)
    assert found.broken
    assert [(p.column, p.rule, p.broken) for p in found.problems] == [("v", rule, True)]
    assert "'v'" in found.because


def test_unseen_categories_break():
    found = quality(["a", "b"] * 50, ["z"] * 100, Kind.CATEGORY)
    assert found.broken
    assert found.problems[0].rule == "category"
    assert found.invalid_share == 1.0


def test_new_categories_are_expected_where_the_reference_had_many_seen_once():
    ids = [f"id{i}" for i in range(100)]
    found = quality(ids, [f"new{i}" for i in range(100)], Kind.CATEGORY)
    assert not found.broken
    assert found.invalid_rows == 0


def test_a_usual_share_of_nulls_is_no_problem_and_a_larger_one_is():
    usual = [None] * 30 + [1.0] * 70
    assert not quality(usual, usual).broken
    assert not quality(usual, [None] * 50 + [1.0] * 50).broken  # what is usual comes in clusters
    found = quality(usual, [None] * 80 + [1.0] * 20)
    assert found.broken
    assert "30.0% in the reference" in found.because


def test_a_trend_beyond_the_reference_is_not_broken_quality():
    assert not quality([1.0, 2.0] * 50, [3.0, 4.0] * 50).broken


def test_a_constant_reference_has_no_range():
    assert not quality([5.0] * 100, [6.0] * 100).broken


def test_a_single_bad_row_is_not_enough_to_call_a_window_broken():
    found = quality([1.0, 2.0] * 50, [None])
    assert not found.broken
    assert found.invalid_rows == 1


def test_errors_break_whatever_the_rows():
    found = quality([1.0, 2.0] * 50, [1.0] * 80, errors=20)
    assert found.broken
    assert "20 of 100 requested rows got an error" in found.because
    only = quality([1.0, 2.0], [], rows=0, errors=30)
    assert only.broken


def test_no_rows_are_neither_good_nor_a_crash():
    found = quality([1.0, 2.0], [], rows=0)
    assert (found.broken, found.invalid_share) == (False, 0.0)


def test_exceeding_needs_share_and_certainty():
    assert not exceeds(0, 0, 0.05)
    assert not exceeds(3, 30, 0.05)
    assert exceeds(10, 100, 0.0)
    assert exceeds(60, 1_000, 0.04)
    assert not exceeds(60, 1_000, 0.06)


def test_huge_ranges_do_not_overflow():
    assert not quality([-1.7e308, 1.7e308] * 10, [1.0, -1e300] * 50).broken
