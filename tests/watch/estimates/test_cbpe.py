import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from homeostat.watch.calibrating import calibrator
from homeostat.watch.estimates.cbpe import ESTIMATOR
from homeostat.watch.estimator import Question, Rows
from homeostat.watch.expected import expected, expected_confusion, expected_roc_auc, per_class, spread

HERE = Path(__file__).parent
TABLE = json.loads((HERE / "nannyml.json").read_text())
SPEC = importlib.util.spec_from_file_location(
    "estimate_nannyml", HERE.parents[2] / "bench" / "peers" / "estimate_nannyml.py"
)
PEER = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PEER)


@pytest.mark.parametrize("name", list(PEER.CASES))
def test_the_estimates_are_nannymls_to_four_digits(name):
    scores, truth = PEER.case(name, PEER.CASES[name])
    calibrated = calibrator(scores[: PEER.REFERENCE], truth[: PEER.REFERENCE])(scores[PEER.REFERENCE :])
    own, said = scores[PEER.REFERENCE :], scores[PEER.REFERENCE :].argmax(axis=1)
    for chunk, start in enumerate(range(0, PEER.ANALYSIS, PEER.CHUNK)):
        rows = slice(start, start + PEER.CHUNK)
        found = per_class(expected_confusion(calibrated[rows], said[rows]))
        for metric in PEER.METRICS:
            if own.shape[1] == 2 and metric in ("f1", "precision", "recall"):  # of the positive class there
                value = getattr(found, metric)[1]
            else:
                value = expected(metric, calibrated[rows], said[rows], own[rows])
            assert value == pytest.approx(TABLE[name][metric][chunk], abs=5e-5), metric


def question(metric: str, seed: int, *, n: int = 8_000, shift: float = 0.7, flip: float = 0.0):
    """A model that is too sure of itself, and rows whose mix has moved."""
    rng = np.random.default_rng(seed)

    def rows(n: int, moved: float) -> Rows:
        x = rng.normal(moved, 1.0, (n, 1))
        true = 1 / (1 + np.exp(-1.5 * x[:, 0]))
        score = 1 / (1 + np.exp(-3.0 * x[:, 0]))
        truth = (rng.random(n) < true) ^ (rng.random(n) < flip)
        return Rows(
            inputs=x, said=(score > 0.5).astype(int), scores=np.stack([1 - score, score], 1), truth=truth.astype(int)
        )

    return Question(reference=rows(n, 0.0), current=rows(n, shift), is_category=np.array([False]), metric=metric)


@pytest.mark.parametrize("metric", sorted(ESTIMATOR.metrics))
def test_an_estimate_of_rows_whose_mix_moved_is_within_chance_of_the_truth(metric):
    asked = question(metric, 11)
    guess = ESTIMATOR.estimate(asked)
    current = asked.current
    realised = expected(metric, np.eye(2)[current.truth], current.said, current.scores)
    assert guess.value == pytest.approx(realised, abs=4 * guess.spread + 0.01)
    known = asked.reference
    before = expected(metric, np.eye(2)[known.truth], known.said, known.scores)
    if abs(before - realised) > 4 * guess.spread:
        assert abs(guess.value - realised) < abs(before - realised)


def test_probabilities_of_zero_and_one_give_the_metric_itself():
    from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score, roc_auc_score

    rng = np.random.default_rng(3)
    scores = rng.dirichlet([1, 2, 3], 500)
    scores[:, :] = np.round(scores, 1)  # ties
    scores = (scores + 0.01) / (scores + 0.01).sum(axis=1, keepdims=True)
    truth, said = rng.integers(0, 3, 500), scores.argmax(axis=1)
    known = np.eye(3)[truth]
    assert expected("accuracy", known, said, scores) == pytest.approx(accuracy_score(truth, said))
    assert expected("f1", known, said, scores) == pytest.approx(f1_score(truth, said, average="macro"))
    assert expected("precision", known, said, scores) == pytest.approx(precision_score(truth, said, average="macro"))
    assert expected("recall", known, said, scores) == pytest.approx(recall_score(truth, said, average="macro"))
    assert expected("log_loss", known, said, scores) == pytest.approx(log_loss(truth, scores))
    assert expected("roc_auc", known, said, scores) == pytest.approx(roc_auc_score(truth, scores, multi_class="ovr"))
    assert expected_roc_auc((truth == 0) * 1.0, scores[:, 0]) == pytest.approx(roc_auc_score(truth == 0, scores[:, 0]))


def test_one_class_only_has_no_area():
    assert np.isnan(expected_roc_auc(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_realised_metrics_lie_within_two_spreads_as_often_as_they_should(metric):
    inside = 0
    for seed in range(40):
        asked = question(metric, 100 + seed, n=1_500, shift=0.0)
        true = 1 / (1 + np.exp(-1.5 * asked.current.inputs[:, 0]))
        p = np.stack([1 - true, true], axis=1)
        current = asked.current
        value = expected(metric, p, current.said, current.scores)
        sd = spread(metric, p, current.said, current.scores, seed=seed)
        realised = expected(metric, np.eye(2)[current.truth], current.said, current.scores)
        inside += abs(realised - value) < 2 * sd
    assert inside >= 34  # 95 % of 40, less three standard deviations


def test_a_turned_concept_is_not_seen():
    """The limit that the track record and the light are there for."""
    asked = question("accuracy", 5, shift=0.0)
    turned = question("accuracy", 6, shift=0.0, flip=0.3).current
    guess = ESTIMATOR.estimate(
        Question(reference=asked.reference, current=turned, is_category=asked.is_category, metric="accuracy")
    )
    assert guess.value - float((turned.said == turned.truth).mean()) > 0.1
