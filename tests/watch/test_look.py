from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from tests.watch.cases import KINDS, answers, reference, rows, truth

from homeostat.audit.log import verify
from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.serve.table import Table
from homeostat.storage.records import FileRecords
from homeostat.storage.sql.store import open_memory_store
from homeostat.track.predictions import Predictions
from homeostat.watch.baseline import baseline_of, keep_baseline
from homeostat.watch.look import _past, look, verdict_of
from homeostat.watch.reference import build_reference
from homeostat.watch.settings import GroupSettings, WatchSettings
from homeostat.watch.windows import Window

T0 = datetime(2013, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)
MODEL = "churn"
REFERENCE = reference()


class World:
    """A record that fills day by day, and a look at it."""

    def __init__(self, root) -> None:
        self.records = FileRecords(root, writer_id="w")
        self.store = open_memory_store()
        self.ids = count()

    def day(self, number: int, *, n: int = 300, spread: timedelta = DAY, version: int = 1, **options) -> list[dict]:
        """Record the answers of one day; options are `shift` of the inputs and columns of the record."""
        frame = rows(n, 50 + number, shift=options.pop("shift", 0.0))
        predictions = answers(frame)
        times = [T0 + number * DAY + i * spread / n for i in range(n)]
        written = [
            {
                "model": MODEL,
                "request_id": f"r{next(self.ids)}",
                "row": 0,
                "received": time,
                "version": version,
                "route": "champion",
                "status": "ok",
                "latency_ms": 1.0,
                "features": text,
                "prediction": label,
                "scores": scores,
                "truth": str(happened),
            }
            | options
            for time, text, label, scores, happened in zip(
                times,
                Table.of_rows(REFERENCE.signature.columns, frame.rows()).texts(),
                predictions.labels.tolist(),
                predictions.scores.tolist(),
                truth(frame, 50 + number),
                strict=True,
            )
        ]
        self.records.write("predictions", [{k: v for k, v in row.items() if k != "truth"} for row in written])
        return written

    def label(self, answered: list[dict], received: datetime, *, flip: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        other = {"yes": "no", "no": "yes"}
        values = [other[row["truth"]] if rng.random() < flip else row["truth"] for row in answered]
        self.records.write(
            "labels",
            [
                {"model": MODEL, "request_id": row["request_id"], "row": 0, "value": value, "received": received}
                | {"label_id": f"l{next(self.ids)}"}
                for row, value in zip(answered, values, strict=True)
            ],
        )

    def look(self, now: datetime, **options):
        given = {"reference": REFERENCE, "settings": WatchSettings(), "model": MODEL}
        return look(store=self.store, records=self.records, now=now, **given | options)

    def events(self) -> list[str]:
        with self.store.read() as tx:
            return [event.kind for event in tx.audit.events()]

    def verdicts(self):
        with self.store.read() as tx:
            return tx.watch.verdicts(MODEL)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_window_is_judged_when_it_is_over_and_only_once(world):
    world.label(world.day(0), T0 + DAY / 2)
    assert world.look(T0 + 0.9 * DAY) == []
    (found,) = world.look(T0 + DAY)
    assert (found.window_start, found.window_end, found.revision) == (T0, T0 + DAY, 0)
    assert (found.state, found.body["version"], found.body["rows"]) == ("ok", 1, 300)
    assert world.look(T0 + DAY) == []
    assert world.events() == ["window.judged"]
    verify(world.store)


def test_decay_is_written_beside_the_verdict(world):
    world.label(world.day(0), T0 + DAY / 2, flip=0.35)
    (found,) = world.look(T0 + DAY)
    assert (found.state, verdict_of(found).decayed) == ("alarm", True)
    assert world.events() == ["window.judged", "performance.decayed"]
    with world.store.read() as tx:
        event = tx.audit.events(kinds=["performance.decayed"])[0]
    assert event.subject == "model:churn"
    assert event.payload["version"] == 1
    assert event.payload["window"]["start"] == T0.isoformat()
    assert event.payload["value"] > REFERENCE.performance.value
    assert "log_loss went from" in event.payload["summary"]


def test_a_column_of_groups_that_the_version_was_registered_without_is_named(world):
    world.label(world.day(0), T0 + DAY / 2)
    (found,) = world.look(T0 + DAY, settings=WatchSettings(groups=GroupSettings(protected=["sex", "c"])))
    verdict = verdict_of(found)
    assert verdict.notes == ["version 1 was registered without 'sex': its groups are watched from the next on"]
    assert [one.column for one in verdict.fairness] == ["c"]


def test_a_feature_named_as_the_answers_are_has_a_past_of_its_own(world):
    for day in range(22):
        world.label(world.day(day), T0 + (day + 0.5) * DAY)
    found = world.look(T0 + 22 * DAY)
    verdicts = [one.body["verdict"] for one in found]
    for verdict in verdicts:  # as if the column x were named `score`
        for drift in verdict["columns"]:
            drift["column"] = "score" if drift["column"] == "x" else drift["column"]
    _, past = _past(found[:-1], Window(found[-1].window_start, found[-1].window_end), by_count=False)
    for one, name in ((past.columns, "columns"), (past.predictions, "predictions")):
        wanted = [drift["effect"] for verdict in verdicts[:-1] for drift in verdict[name] if drift["column"] == "score"]
        assert one["score"]["wasserstein"] == wanted
        assert len(wanted) == 21


def test_late_labels_restate_a_window_and_keep_what_was_said(world):
    answered = world.day(0)
    (early,) = world.look(T0 + DAY)
    assert (early.state, early.revision) == ("unknown", 0)
    world.label(answered[:20], T0 + 2 * DAY)
    assert world.look(T0 + 2 * DAY) == []  # 7 % is not worth a new judgement
    world.label(answered[20:], T0 + 3 * DAY, flip=0.35)
    (late,) = world.look(T0 + 3 * DAY)
    assert (late.state, late.revision) == ("alarm", 1)
    assert world.verdicts() == [late]
    assert world.events() == ["window.judged", "window.judged", "performance.decayed"]
    assert world.look(T0 + 4 * DAY) == []


def test_corrected_labels_restate_and_an_alarm_is_told_once(world):
    answered = world.day(0)
    world.label(answered, T0 + DAY / 2, flip=0.35)
    world.look(T0 + DAY)
    world.label(answered[:100], T0 + 2 * DAY, flip=0.5)
    (again,) = world.look(T0 + 2 * DAY)
    assert (again.revision, verdict_of(again).decayed) == (1, True)
    assert world.events().count("performance.decayed") == 1


def test_rows_that_come_late_restate_their_window(world):
    world.label(world.day(0), T0 + DAY / 2)
    world.look(T0 + DAY)
    late = world.day(0, n=100, received=T0 + 1.5 * DAY, event_time=T0 + DAY / 3)
    world.label(late, T0 + 1.6 * DAY)
    (again,) = world.look(T0 + 1.7 * DAY)
    assert (again.revision, again.body["rows"]) == (1, 400)


def test_drift_is_told_and_alarms_only_after_labels_failed_to_come(world):
    states = []
    for number in range(5):
        world.day(number, shift=1.0)
        states += [one.state for one in world.look(T0 + (number + 1) * DAY)]
    assert states == ["warn", "warn", "warn", "alarm", "alarm"]
    assert world.events().count("drift.detected") == 5


def test_labels_may_be_waited_for_longer(world):
    for number in range(5):
        world.day(number, shift=1.0)
        found = world.look(T0 + (number + 1) * DAY, label_delay=30 * DAY)
        assert [one.state for one in found] == ["warn"]


def test_only_the_versions_own_answers_count(world):
    world.label(world.day(0), T0 + DAY / 2)
    world.label(world.day(0, version=2, shift=3.0), T0 + DAY / 2, flip=0.5)
    world.day(0, version=1, route="shadow", shift=3.0)
    (found,) = world.look(T0 + DAY)
    assert (found.state, found.body["rows"]) == ("ok", 300)


def test_a_window_judged_under_another_version_is_left_as_it_is(world):
    world.day(0)
    world.look(T0 + DAY)
    world.label(world.day(0, version=2), T0 + 2 * DAY)
    assert world.look(T0 + 2 * DAY, reference=reference(version=2)) == []


def test_errors_break_quality_even_when_nothing_was_answered(world):
    world.day(0, status="error", prediction=None, scores=None, error="boom")
    (found,) = world.look(T0 + DAY)
    assert (found.state, verdict_of(found).broken) == ("alarm", True)
    assert world.events() == ["window.judged", "quality.broken"]


def test_windows_of_rows_go_on_where_the_last_one_ended(world):
    settings = WatchSettings(window_rows=250)
    world.label(world.day(0), T0 + DAY / 2)
    (first,) = world.look(T0 + DAY, settings=settings)
    world.label(world.day(1), T0 + 1.5 * DAY)
    (second,) = world.look(T0 + 2 * DAY, settings=settings)
    assert (first.window_start, first.body["rows"]) == (T0, 250)
    assert (second.window_start, second.body["rows"]) == (first.window_end, 250)
    assert world.look(T0 + 3 * DAY, settings=settings) == []


TODAY = datetime(2026, 5, 1, tzinfo=UTC)


def replayed(world, number: int, received: datetime) -> list[dict]:
    """Record a day of the past, received today."""
    times = [T0 + number * DAY + i * DAY / 300 for i in range(300)]
    return [row for i, time in enumerate(times) for row in world.day(0, n=1, received=received, event_time=time)]


def test_a_replay_of_the_past_is_watched_in_its_own_time(world):
    world.label(replayed(world, 0, TODAY), TODAY)
    assert world.look(TODAY) == []  # the day's last row may be still to come
    replayed(world, 1, TODAY + timedelta(minutes=1))
    (found,) = world.look(TODAY + timedelta(minutes=2))
    assert (found.window_start, found.body["rows"], found.body["labelled"]) == (T0, 300, 300)


def test_a_look_in_the_rows_own_time_knows_what_the_record_holds(world):
    world.label(replayed(world, 0, TODAY), TODAY)
    (found,) = world.look(T0 + DAY)
    assert (found.body["labelled"], found.computed) == (300, T0 + DAY)
    assert world.look(T0 + DAY) == []


def test_what_is_older_than_the_look_back_is_left_as_it_is(world):
    world.day(0)
    world.day(40)
    found = world.look(T0 + 41 * DAY, look_back=timedelta(days=30))
    assert [one.window_start for one in found] == [T0 + 40 * DAY]


def test_a_window_cut_by_the_look_back_is_not_judged_by_half(world):
    world.day(0)
    assert world.look(T0 + 30.5 * DAY, look_back=timedelta(days=30)) == []


def test_a_second_process_writes_nothing_twice(world):
    world.label(world.day(0), T0 + DAY / 2, flip=0.35)

    class Stale:
        """A store whose readers do not see what another process has just written."""

        def read(self):
            return open_memory_store().read()

        def write(self):
            return world.store.write()

    world.look(T0 + DAY)
    before = world.events()
    again = look(
        store=Stale(), records=world.records, model=MODEL, reference=REFERENCE, settings=WatchSettings(), now=T0 + DAY
    )
    assert again == []
    assert world.events() == before


def test_a_failed_write_leaves_neither_verdict_nor_event(world):
    world.label(world.day(0), T0 + DAY / 2, flip=0.35)

    class Failing:
        def read(self):
            return world.store.read()

        def write(self):
            return _Dies(world.store.write())

    with pytest.raises(ZeroDivisionError):
        look(
            store=Failing(),
            records=world.records,
            model=MODEL,
            reference=REFERENCE,
            settings=WatchSettings(),
            now=T0 + DAY,
        )
    assert (world.verdicts(), world.events()) == ([], [])
    assert len(world.look(T0 + DAY)) == 1


class _Dies:
    """A transaction that fails at its end."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __enter__(self):
        return self.inner.__enter__()

    def __exit__(self, *_):
        error = ZeroDivisionError("died before the commit")
        self.inner.__exit__(type(error), error, None)
        raise error


@pytest.mark.parametrize("scores", [None, [0.1, 0.2, 0.7]])
def test_answers_without_the_probabilities_of_the_task_are_told(world, scores):
    world.label(world.day(0, scores=scores), T0 + DAY / 2)
    (found,) = world.look(T0 + DAY)
    assert found.state == "unknown"
    assert "probabilities" in verdict_of(found).notes[0]


def test_no_traffic_no_verdict(world):
    assert world.look(T0 + DAY) == []
    assert world.events() == []


def test_the_project_and_the_reference_agree_on_the_task(world):
    with pytest.raises(InvalidInput, match="the project says regression"):
        world.look(T0 + DAY, task=Task.REGRESSION)


def test_regression_is_watched_live(world):
    frame = rows(2_000, 3)
    x = frame["x"].to_numpy()
    noise = np.random.default_rng(0).normal(0, 0.5, 2_000)
    made = build_reference(
        frame, x + noise, Predictions(labels=x), kinds={"x": Kind.FLOAT}, task=Task.REGRESSION, version=1
    )
    answered = world.day(0, prediction=0.25, scores=None)
    world.records.write(
        "labels",
        [
            {"model": MODEL, "request_id": row["request_id"], "value": 5, "received": T0, "label_id": row["request_id"]}
            for row in answered
        ],
    )
    (found,) = world.look(T0 + DAY, reference=made)
    assert verdict_of(found).performance.value == pytest.approx(4.75)
    assert verdict_of(found).decayed


def test_estimates_come_before_labels_and_are_scored_when_these_are_there(world):
    frame = rows(1_500, 1)
    with world.store.write() as tx:
        keep_baseline(tx, MODEL, 1, baseline_of(frame, truth(frame, 1), answers(frame), kinds=KINDS, task=Task.BINARY))
    answered = world.day(0)
    first = verdict_of(world.look(T0 + DAY)[0])
    assert {one.method for one in first.estimates} == {"cbpe", "pape"}
    assert {one.realised for one in first.estimates} == {None}
    world.label(answered, T0 + DAY)
    later = verdict_of(world.look(T0 + DAY)[0])
    assert [one.value for one in later.estimates] == [one.value for one in first.estimates]
    assert {one.realised for one in later.estimates} == {later.performance.value}
    world.day(1)
    following = verdict_of(world.look(T0 + 2 * DAY)[0])
    assert {one.track.windows for one in following.estimates} == {1}
    assert following.estimates[0].calibration_error == later.estimates[0].calibration
