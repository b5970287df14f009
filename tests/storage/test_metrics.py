"""Points of metrics, written to runs that have some already."""

from datetime import UTC, datetime

from homeostat.core.records.tracking import Point, Run, RunStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_several_new_keys_reach_a_run_that_has_as_many_others(store):
    with store.write() as tx:
        experiment = tx.experiments.create("e", now=NOW)
        tx.runs.create(
            Run(run_id="a" * 32, experiment_id=experiment, name="r", status=RunStatus.RUNNING, started=NOW, user="u")
        )
    for keys in ("ab", "cd", "bce"):
        with store.write() as tx:
            tx.runs.log_points("a" * 32, experiment, [Point(key, 1.0, ord(keys[0]), 0) for key in keys])
    with store.read() as tx:
        found = {key: [point.time_ms for point in tx.runs.points("a" * 32, key)] for key in "abcde"}
        (detail,) = tx.runs.details(["a" * 32])
    assert found == {"a": [97], "b": [97, 98], "c": [98, 99], "d": [99], "e": [98]}
    assert [point.key for point in detail.latest] == list("abcde")
