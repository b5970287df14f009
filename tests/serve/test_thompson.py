"""Shares that follow rewards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from homeostat.core.records.routes import Split
from homeostat.serve.router import arm
from homeostat.serve.thompson import Rewards, probability_best, shares

SEED = 20240101
KEYS = [f"key:{n}" for n in range(300)]
trials = st.integers(0, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
some_arms = st.lists(trials, min_size=2, max_size=4)


def rate_arms(found):
    return {version: Rewards(n=n, total=wins, squares=wins) for version, (n, wins) in enumerate(found, start=1)}


@given(some_arms, st.floats(0.0, 25.0))
def test_shares_add_up_and_none_is_below_the_floor(found, floor):
    told = shares(probability_best(rate_arms(found), kind="rate"), floor=floor)
    assert sum(told.values()) == pytest.approx(100.0, abs=1e-9)
    assert min(told.values()) >= floor
    Split(shares=told, policy="thompson", floor=floor)


@given(some_arms, st.integers(1, 50))
def test_a_version_that_is_rewarded_more_gets_more(found, more):
    before = probability_best(rate_arms(found), kind="rate")
    n, wins = found[0]
    after = probability_best(rate_arms([(n + more, wins + more), *found[1:]]), kind="rate")
    assert after[1] >= before[1] - 1e-3
    assert all(after[version] <= before[version] + 1e-3 for version in list(before)[1:])


@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 80), st.integers(0, 80))
def test_of_two_rates_the_probability_is_the_closed_form(wins, losses, other_wins, other_losses):
    """P(first > second) of Beta(a, b) and Beta(c, d) with integer parameters is a finite sum (Evan Miller, 2015)."""
    a, b, c, d = 1 + wins, 1 + losses, 1 + other_wins, 1 + other_losses
    i = np.arange(a)
    first_better = np.exp(betaln(c + i, b + d) - np.log(b + i) - betaln(1 + i, b) - betaln(c, d)).sum()
    found = probability_best(rate_arms([(wins + losses, wins), (other_wins + other_losses, other_wins)]), kind="rate")
    assert found[1] == pytest.approx(first_better, abs=2e-3)


def test_three_rates_agree_with_drawing():
    rng = np.random.default_rng(SEED)
    found = [(60, 30), (80, 44), (20, 9)]
    drawn = np.array([rng.beta(1 + wins, 1 + n - wins, 400_000) for n, wins in found])
    best = np.bincount(drawn.argmax(axis=0), minlength=3) / drawn.shape[1]
    told = probability_best(rate_arms(found), kind="rate")
    assert [told[1], told[2], told[3]] == pytest.approx(best.tolist(), abs=4e-3)


def losses(mean, n, *, seed=SEED, scale=1.0, shift=0.0):
    return Rewards.of(shift + scale * np.random.default_rng(seed).normal(mean, 1.0, n))


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1.0, -3.0), (1e5, 7.0)])
def test_neither_unit_nor_zero_of_a_reward_matters(scale, shift):
    plain = {1: losses(-1.0, 60), 2: losses(-0.8, 40, seed=SEED + 1)}
    moved = {
        1: losses(-1.0, 60, scale=scale, shift=shift * scale),
        2: losses(-0.8, 40, seed=SEED + 1, scale=scale, shift=shift * scale),
    }
    assert probability_best(moved, kind="mean") == pytest.approx(probability_best(plain, kind="mean"), abs=1e-6)


def test_of_means_the_better_one_wins_as_rewards_come():
    told = [
        probability_best({1: losses(-1.0, n), 2: losses(-0.7, n, seed=SEED + 1)}, kind="mean")[2] for n in (0, 30, 1000)
    ]
    print(f"seed {SEED}: {told}")
    assert told[0] == pytest.approx(0.5, abs=1e-3)
    assert told[0] < told[1] < told[2]
    assert told[2] > 0.999


def test_means_of_equal_versions_are_calibrated():
    """Of two equal versions, each is called better with more than 95 % in about one case in twenty."""
    rng = np.random.default_rng(SEED)
    called = [
        probability_best({1: Rewards.of(rng.normal(size=30)), 2: Rewards.of(rng.normal(size=30))}, kind="mean")[1]
        > 0.95
        for _ in range(400)
    ]
    assert 0.02 < np.mean(called) < 0.09


@pytest.mark.parametrize("kind", ["rate", "mean"])
def test_without_rewards_all_are_equal(kind):
    told = probability_best({1: Rewards(), 2: Rewards(), 7: Rewards()}, kind=kind)
    assert list(told.values()) == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_rewards_that_are_all_the_same_say_nothing():
    told = probability_best({1: Rewards.of(np.full(50, 4.0)), 2: Rewards.of(np.full(50, 4.0))}, kind="mean")
    assert told[1] == pytest.approx(0.5, abs=1e-6)


@given(some_arms, st.integers(0, 2**32 - 1))
def test_keys_move_only_to_versions_whose_share_grew(found, seed):
    rng = np.random.default_rng(seed)
    start = rng.dirichlet(np.full(len(found), 2.0))
    old = Split(shares={version: 100 * share for version, share in enumerate(start, start=1)})
    new = Split(shares=shares(probability_best(rate_arms(found), kind="rate"), floor=5.0), policy="thompson")
    for key in KEYS:
        before, after = arm("m", old, key), arm("m", new, key)
        if before != after:
            # towards the version it goes to, beside the one that it leaves
            assert new.shares[after] / old.shares[after] > new.shares[before] / old.shares[before]


def test_of_two_versions_keys_move_to_the_better_one_only():
    old = Split(shares={1: 50.0, 2: 50.0})
    new = Split(shares=shares(probability_best(rate_arms([(200, 100), (200, 120)]), kind="rate"), floor=5.0))
    moved = {(arm("m", old, key), arm("m", new, key)) for key in KEYS}
    assert moved == {(1, 1), (1, 2), (2, 2)}


def test_what_is_no_rate_is_refused():
    with pytest.raises(ValueError, match="version 2 are not between 0 and 1"):
        probability_best({1: Rewards(), 2: Rewards(n=1, total=2.0, squares=4.0)}, kind="rate")
    with pytest.raises(ValueError, match="impossible"):
        shares({1: 0.5, 2: 0.5}, floor=60.0)
