from dataclasses import replace

import numpy as np

from homeostat.core.columns import Signature, Task
from homeostat.gate.checks.calibration import CHECK
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings
from homeostat.track.predictions import Predictions


def judge(evidence, limit=0.1):
    (result,) = CHECK.run(evidence, GateSettings(max_calibration_error=limit))
    return result


def test_true_probabilities_seldom_fail_even_on_few_rows_and_without_any_allowance(world):
    assert sum(not judge(world(n=60, seed=seed).binary()).passed for seed in range(100)) <= 2
    assert sum(not judge(world(n=60, seed=seed).binary(), limit=0.0).passed for seed in range(100)) <= 12


def test_shifted_and_overconfident_probabilities_fail(world, scores):
    w = world()
    assert not judge(w.binary(scores(np.clip(w.p + 0.25, 0, 1)))).passed
    assert not judge(w.binary(scores(np.where(w.p > 0.5, 0.999, 0.001)))).passed
    assert judge(w.binary(scores(np.clip(w.p + 0.25, 0, 1))), limit=0.5).passed


def test_bins_are_in_the_details(world):
    bins = judge(world().binary()).details["bins"]
    assert sum(b["rows"] for b in bins) == 2000
    assert bins[0]["predicted"] < bins[-1]["predicted"]


def test_multiclass_is_judged_by_the_answered_class(world):
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 2000)
    y = (rng.uniform(size=(2000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    signature = Signature(task=Task.MULTICLASS, columns=(), target="kind", classes=(0, 1, 2))

    def evidence(q):
        answers = Predictions(labels=q.argmax(axis=1), scores=q, classes=(0, 1, 2))
        return Evidence(task=Task.MULTICLASS, signature=signature, test=world().frame, y=y, candidate=answers)

    assert judge(evidence(p)).passed
    sharp = p**8 / (p**8).sum(axis=1, keepdims=True)
    assert not judge(evidence(sharp)).passed


def test_nan_fails_and_absent_probabilities_do_not_apply(world, scores):
    w = world()
    p = w.p.copy()
    p[5] = np.nan
    assert judge(w.binary(scores(p))).passed is False
    assert judge(w.binary(Predictions(labels=w.y, classes=("no", "yes")))).passed is None
    assert judge(w.regression()).passed is None
    assert judge(w.binary(), limit=None).passed is None


def test_a_champion_that_is_further_off_sets_the_limit(world, scores):
    w = world()
    candidate = w.binary(scores(np.clip(w.p + 0.25, 0, 1)))
    worse, better = scores(np.clip(w.p + 0.4, 0, 1)), scores(w.p)
    assert not judge(candidate).passed
    assert judge(replace(candidate, champion=worse)).passed
    assert not judge(replace(candidate, champion=better)).passed
