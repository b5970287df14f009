"""Profiles of answers: those of parts make that of the whole, in any order, for every task."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.watch.profile import WindowProfile, merged, profile_of
from homeostat.watch.profile.answers import AnswerColumns, answer_sketch, as_classes, merged_answers

BINARY = AnswerColumns(task=Task.BINARY, prediction="p", scores=("s",), label="y", positive="1")
CLASSES = AnswerColumns(task=Task.MULTICLASS, prediction="w", scores=("s", "s2"), label="v")
NUMBERS = AnswerColumns(task=Task.REGRESSION, prediction="x", label="z")
ROLES = {"binary": BINARY, "classes": CLASSES, "numbers": NUMBERS}
LIKE = pl.DataFrame({"x": np.linspace(-5.0, 5.0, 100), "z": np.linspace(-5.0, 5.0, 100)})
_ODD = [None, float("nan"), float("inf")]


@st.composite
def answers(draw):
    """Return up to 40 rows of answers and labels, some of them null, not finite or no probability."""
    rows, rng = draw(st.integers(0, 40)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    some = lambda values, dtype: pl.Series([values[at] for at in rng.integers(0, len(values), rows)], dtype=dtype)  # noqa: E731
    scores = [*np.linspace(0.0, 1.0, 9), *rng.uniform(size=5), *_ODD, -0.1, 1.5]
    numbers = [*rng.normal(0.0, 9.0, 12), 0.0, *_ODD]
    return pl.DataFrame(
        {
            "p": some([0, 1, None], pl.Int64),
            "y": some([True, False, None], pl.Boolean),
            "s": some(scores, pl.Float64),
            "s2": some(scores, pl.Float64),
            "w": some(["a", "b", "c", None], pl.String),
            "v": some(["a", "b", "c", None], pl.String),
            "x": some(numbers, pl.Float64),
            "z": some(numbers, pl.Float64),
        }
    )


def plain(sketch) -> dict:
    """Return what must not depend on order: all but the sketches' bytes; sums to nine digits."""

    def rounded(value):
        match value:
            case dict():
                return {name: rounded(each) for name, each in value.items() if name not in ("kll", "hll")}
            case list():
                return [rounded(each) for each in value]
            case float():
                return float(f"{value:.9g}")
            case _:
                return value

    found = json.loads(WindowProfile(answers=sketch).to_bytes())["answers"]
    for moments in (found["residuals"], (found["said"] or {}).get("moments", {})):
        moments.pop("mean", None)  # sums about a mean: test_moments.py holds them to a tolerance
        for power in ("m2", "m3", "m4"):
            moments.pop(power, None)
    return rounded(found)


@pytest.mark.parametrize("roles", ROLES)
@settings(max_examples=40, deadline=None)
@given(a=answers(), b=answers(), c=answers())
def test_merging_is_associative_commutative_and_that_of_all_rows(roles, a, b, c):
    like = answer_sketch(LIKE, NUMBERS) if roles == "numbers" else None
    one, two, three = (answer_sketch(each, ROLES[roles], like=like) for each in (a, b, c))
    left, right = merged_answers(merged_answers(one, two), three), merged_answers(one, merged_answers(two, three))
    whole = answer_sketch(pl.concat([a, b, c]), ROLES[roles], like=like)
    assert plain(left) == plain(right) == plain(merged_answers(three, merged_answers(two, one))) == plain(whole)
    assert left.residuals.mean == pytest.approx(whole.residuals.mean, rel=1e-6, abs=1e-6)
    assert left.residuals.m2 == pytest.approx(whole.residuals.m2, rel=1e-6, abs=1e-6)
    assert WindowProfile.from_bytes(WindowProfile(answers=left).to_bytes()).answers == left


def test_what_is_no_answer_is_counted():
    frame = pl.DataFrame({"s": [0.2, None, float("nan"), 1.5, -0.1, 0.9, 0.9], "y": [0, 1, 1, 1, 0, 1, None]})
    found = answer_sketch(frame, AnswerColumns(task=Task.BINARY, scores=("s",), label="y", positive="1"))
    assert (found.rows, found.spoilt, found.labelled) == (7, 4, 2)
    assert found.reliability.error == pytest.approx(0.15)
    assert found.accuracy is None  # no class is said


def test_classes_are_one_whatever_type_holds_them():
    columns = [
        pl.Series([1, 0, None]),
        pl.Series([1.0, 0.0, float("nan")]),
        pl.Series([True, False, None]),
        pl.Series(["1", "0", None]),
        pl.Series(["1.0", "0.0", None]),
        pl.Series(["True", "false", None]),
        pl.Series(["1", "0", None], dtype=pl.Categorical),
    ]
    assert {tuple(as_classes(one)) for one in columns} == {("1", "0", None)}
    assert as_classes(pl.Series([1.5, 2.0])).to_list() == ["1.5", "2"]


def test_the_answers_probability_is_the_highest_and_right_is_what_was_said():
    frame = pl.DataFrame({"s": [0.7, 0.2], "s2": [0.3, 0.8], "w": ["a", "b"], "v": ["a", "a"]})
    found = answer_sketch(frame, CLASSES)
    assert (found.right, found.labelled, found.accuracy) == (1, 2, 0.5)
    assert found.reliability.error == pytest.approx((0.3 + 0.8) / 2)
    assert found.said.counts == {"a": 1, "b": 1}


def test_residuals_are_of_answer_less_label():
    frame = pl.DataFrame({"x": [1.0, 2.0, None, 4.0], "z": [0.0, 0.0, 0.0, None]})
    found = answer_sketch(frame, NUMBERS)
    assert (found.spoilt, found.labelled, found.residuals.mean) == (1, 2, 1.5)
    assert found.said.moments.count == 3


def test_a_window_keeps_its_answers_and_parts_go_together():
    frame = pl.DataFrame({"s": [0.2, 0.9], "y": [0, 1], "p": [0, 1]})
    whole = profile_of(frame, {}, answers=BINARY)
    like = profile_of(frame[:1], {}, like=whole)
    assert like.answers.columns == BINARY
    both = merged(like, profile_of(frame[1:], {}, like=whole))
    assert plain(both.answers) == plain(whole.answers)
    assert profile_of(frame.drop("s"), {}, answers=BINARY).answers is None
    assert profile_of(frame.drop("y"), {}, answers=BINARY).answers.labelled == 0


def test_profiles_of_other_answers_are_refused():
    frame = pl.DataFrame({"s": [0.2], "y": [0], "p": [0]})
    one = answer_sketch(frame, BINARY)
    with pytest.raises(InvalidInput, match="binary in s, p, y and none"):
        merged_answers(one, None)


def test_the_size_does_not_grow_with_the_rows():
    rng = np.random.default_rng(0)
    print("seed 0")

    def size(rows):
        score = rng.uniform(size=rows)
        frame = pl.DataFrame({"s": score, "p": (score > 0.5).astype(int), "y": rng.integers(0, 2, rows)})
        return len(WindowProfile(answers=answer_sketch(frame, BINARY)).to_bytes())

    assert size(100_000) < size(1_000) + 500
