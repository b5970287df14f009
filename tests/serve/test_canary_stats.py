import math
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Task
from homeostat.serve.canary_stats import least_quantile, step_stats
from homeostat.storage.records import FileRecords

START = datetime(2024, 1, 1, tzinfo=UTC)
CHAMPION, CANDIDATE = 1, 2


def at(seconds):
    return START + timedelta(seconds=seconds)


@pytest.fixture
def records(tmp_path):
    return FileRecords(tmp_path, writer_id="w")


def answer(records, request_id, version, route, *, p=None, prediction=1, seconds=1, rows=1, **other):
    scores = None if p is None else [1 - p, p]
    row = {"model": "m", "request_id": request_id, "received": at(seconds), "version": version, "route": route}
    row |= {"status": "ok", "latency_ms": 2.0, "prediction": prediction, "scores": scores, **other}
    records.write("predictions", [{**row, "row": n} for n in range(rows)])


def both(records, request_id, own, champions, *, route="canary", prediction=(1, 1), **other):
    other_route = "shadow" if route == "canary" else "champion"
    answer(records, request_id, CANDIDATE, route, p=own, prediction=prediction[0], **other)
    answer(records, request_id, CHAMPION, other_route, p=champions, prediction=prediction[1], **other)


def label(records, value, *, seconds=10, **where):
    row = {"model": "m", "value": value, "received": at(seconds), "label_id": uuid4().hex, **where}
    records.write("labels", [row])


def stats(records, task=Task.BINARY, classes=(0, 1), since=START):
    return step_stats(
        records.read("predictions", "m"),
        records.read("labels", "m"),
        champion=CHAMPION,
        candidate=CANDIDATE,
        since=since,
        now=at(60),
        task=task,
        classes=classes,
    )


def test_a_label_that_tells_groups_alone_is_no_truth(records):
    both(records, "r", 0.9, 0.6)
    label(records, 1, request_id="r", row=0)
    label(records, None, request_id="r", row=0, groups='{"sex":"f"}', seconds=20)
    assert stats(records).labelled == 1


@pytest.mark.parametrize("task", list(Task))
def test_nothing_seen_is_nothing_said(records, task):
    found = stats(records, task)
    assert (found.requests, found.pairs, found.labelled, found.disagreement) == (0, 0, 0, None)
    assert found.elapsed == timedelta(seconds=60)


def test_requests_count_once_however_many_rows_they_have(records):
    both(records, "a", 0.5, 0.5, rows=7)
    answer(records, "b", CHAMPION, "champion", p=0.2)
    answer(records, "c", CANDIDATE, "canary", status="error", prediction=None, rows=3)
    answer(records, "c", CHAMPION, "champion", p=0.2, rows=3)
    found = stats(records)
    assert (found.requests, found.errors) == (2, 1)
    assert (found.champion_requests, found.champion_errors) == (3, 0)
    assert (found.pairs, found.timed) == (7, 1)


def test_what_came_before_the_step_does_not_count(records):
    both(records, "a", 0.5, 0.5, seconds=1)
    both(records, "b", 0.5, 0.5, seconds=20)
    assert stats(records, since=at(10)).requests == 1


def test_other_versions_are_left_out(records):
    both(records, "a", 0.5, 0.5)
    answer(records, "a", 7, "shadow", p=0.9)
    assert stats(records).requests == stats(records).champion_requests == 1


def test_latencies_are_of_requests_that_both_evaluated(records):
    for number in range(21):
        answer(records, f"r{number}", CANDIDATE, "canary", p=0.5, latency_ms=float(number), rows=1 + number % 3)
        answer(records, f"r{number}", CHAMPION, "shadow", p=0.5, latency_ms=1.0, rows=1 + number % 3)
    answer(records, "alone", CHAMPION, "champion", p=0.5, latency_ms=1e6)
    found = stats(records)
    # of 0 to 20 ms: a median of 3 ms is certain, a 95th percentile of 15 ms
    assert (found.least_latency_p50_ms, found.least_latency_p95_ms) == (3.0, 15.0)
    assert (found.champion_latency_p50_ms, found.champion_latency_p95_ms, found.timed) == (1.0, 1.0, 21)


def test_a_quantile_looked_at_after_every_value_is_overstated_no_more_often_than_alpha():
    rng = np.random.default_rng(4)
    trials, n = 150, 300
    for share in (0.5, 0.95):
        truth = math.exp(1.5 * {0.5: 0.0, 0.95: 1.6449}[share])
        wrong = 0
        for values in rng.lognormal(0.0, 1.5, size=(trials, n)):
            looked = (least_quantile(pl.Series(values[:k]), share) for k in range(20, n + 1, 20))
            wrong += any(found is not None and found > truth for found in looked)
        assert wrong <= 6  # 150 * 0.01, and four standard deviations


def test_a_few_stragglers_among_many_make_no_version_slow():
    quick = pl.Series([2.0] * 56 + [80.0, 90.0, 100.0, 110.0])
    assert quick.quantile(0.95, "linear") > 50.0
    assert least_quantile(quick, 0.95) == 2.0
    assert least_quantile(pl.Series([2.0] * 40 + [80.0] * 20), 0.95) == 80.0


def test_disagreement_is_in_standard_deviations_of_the_champion(records):
    champions = [0.1, 0.3, 0.5, 0.9]
    for number, p in enumerate(champions):
        both(records, f"r{number}", p + 0.05, p)
    assert stats(records).disagreement == pytest.approx(0.05 / np.std(champions))


def test_disagreement_of_regressions(records):
    for number in range(4):
        both(records, f"r{number}", None, None, prediction=(number + 0.5, float(number)))
    assert stats(records, Task.REGRESSION, ()).disagreement == pytest.approx(0.5 / np.std(range(4)))


def test_disagreement_without_scores_is_the_share_of_other_labels(records):
    both(records, "a", None, None, prediction=(1, 1))
    both(records, "b", None, None, prediction=(0, 1))
    assert stats(records).disagreement == 0.5


@pytest.mark.parametrize(("own", "wanted"), [(0.5, 0.0), (0.6, math.inf)])
def test_a_champion_that_always_says_the_same(records, own, wanted):
    for request in "ab":
        both(records, request, own, 0.5)
    assert stats(records).disagreement == wanted


def test_losses_are_compared_on_the_same_labelled_rows(records):
    both(records, "a", 0.9, 0.6)
    both(records, "b", 0.2, 0.4, route="shadow")
    both(records, "c", 0.2, 0.4)
    label(records, 1, request_id="a", row=0)
    label(records, 1, request_id="b")
    found = stats(records)
    wanted = np.array([math.log(0.6) - math.log(0.9), math.log(0.4) - math.log(0.2)])
    assert found.labelled == 2
    assert found.loss_mean == pytest.approx(wanted.mean())
    assert found.loss_variance == pytest.approx(wanted.var(ddof=1))
    assert found.champion_loss == pytest.approx(-(math.log(0.6) + math.log(0.4)) / 2)


def test_the_newest_label_of_a_row_wins(records):
    both(records, "a", 0.9, 0.6, key="k")
    label(records, 0, request_id="a", row=0, seconds=10)
    label(records, 1, key="k", seconds=11)
    assert stats(records).loss_mean == pytest.approx(math.log(0.6) - math.log(0.9))
    label(records, 0, request_id="a", row=0, seconds=12)
    assert stats(records).loss_mean == pytest.approx(math.log(0.4) - math.log(0.1))


def test_a_label_by_key_belongs_to_the_newest_row_before_it(records):
    both(records, "a", 0.9, 0.6, key="k", seconds=1)
    both(records, "b", 0.8, 0.6, key="k", seconds=5)
    both(records, "c", 0.7, 0.6, key="k", seconds=30)
    label(records, 1, key="k", seconds=10)
    found = stats(records)
    assert (found.labelled, found.loss_mean) == (1, pytest.approx(math.log(0.6) - math.log(0.8)))


def test_a_label_by_key_is_placed_in_event_time_where_there_is_one(records):
    both(records, "a", 0.9, 0.6, key="k", seconds=1, event_time=at(-500))
    both(records, "b", 0.8, 0.6, key="k", seconds=5, event_time=at(-100))
    label(records, 1, key="k", seconds=10, event_time=at(-200))
    assert stats(records).loss_mean == pytest.approx(math.log(0.6) - math.log(0.9))


def test_labels_that_the_task_cannot_use_are_left_out(records):
    both(records, "a", 0.9, 0.6)
    both(records, "b", 0.9, 0.6)
    label(records, 5, request_id="a")
    label(records, None, request_id="b")
    label(records, 1, request_id="nobody")
    label(records, 1, key="nobody")
    assert stats(records).labelled == 0


def test_losses_without_scores_are_errors(records):
    both(records, "a", None, None, prediction=("yes", "no"))
    both(records, "b", None, None, prediction=("no", "no"))
    label(records, "no", request_id="a")
    label(records, "no", request_id="b")
    assert stats(records, classes=("no", "yes")).loss_mean == 0.5


def test_losses_of_regressions_are_absolute_errors(records):
    both(records, "a", None, None, prediction=(1.5, 4.0))
    label(records, 2, request_id="a")
    found = stats(records, Task.REGRESSION, ())
    assert (found.labelled, found.loss_mean, found.loss_variance) == (1, pytest.approx(-1.5), None)


def test_losses_of_several_classes(records):
    row = {"row": 0, "model": "m", "request_id": "a", "received": at(1), "status": "ok", "latency_ms": 1.0}
    records.write(
        "predictions",
        [
            {**row, "version": CANDIDATE, "route": "canary", "prediction": "b", "scores": [0.2, 0.5, 0.3]},
            {**row, "version": CHAMPION, "route": "shadow", "prediction": "c", "scores": [0.2, 0.3, 0.5]},
        ],
    )
    label(records, "b", request_id="a")
    found = stats(records, Task.MULTICLASS, ("a", "b", "c"))
    assert found.loss_mean == pytest.approx(math.log(0.3) - math.log(0.5))
    assert found.disagreement == math.inf


def test_rows_of_one_request_count_as_one_observation():
    from homeostat.serve.distances import clustered_variance

    rng = np.random.default_rng(0)
    means = []
    for _ in range(300):
        shared = rng.normal(size=50).repeat(10)
        values = shared + 0.1 * rng.normal(size=500)
        means.append((values.mean(), clustered_variance(values, np.arange(50).repeat(10)) / 50))
    spread = np.var([mean for mean, _ in means])
    assert np.mean([told for _, told in means]) == pytest.approx(spread, rel=0.25)
