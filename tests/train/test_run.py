from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from homeostat.core.columns import Task
from homeostat.core.duration import Duration
from homeostat.core.errors import Conflict, JobFailed, NotFound
from homeostat.core.records.data import DatasetVersion
from homeostat.core.records.tracking import RunStatus
from homeostat.data.split import split
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store
from homeostat.track.predictions import Predictions
from homeostat.track.runs import start_run
from homeostat.train.package import predict, read_package
from homeostat.train.reproduce import reproduce
from homeostat.train.run import train_run
from homeostat.train.settings import TrainSettings

NOW = datetime(2024, 6, 1, tzinfo=UTC)
RULE = """
class Rule:
    def __init__(self, limit):
        self.limit = limit
    def predict(self, X):
        return ['yes' if v > self.limit else 'no' for v in X['count']]

"""
COUNTED = (
    RULE
    + "def train(data):\n    print('trained with', data.params)\n    open('calls', 'a').write('x')\n    return Rule(data.params['limit'])\n"
)


class _Clock:
    def now(self):
        return NOW


class _Bench:
    """Everything that a run needs, and how often the user's function was called."""

    def __init__(self, folder, rows, signature, roles):
        self.store, self.blobs, self.root = open_memory_store(), LocalBlobs(folder / "blobs"), folder / "project"
        self.root.mkdir()
        self.folder, self.rows, self.signature, self.roles = folder, rows, signature, roles
        self.write(COUNTED)

    def write(self, text):
        (self.root / "model.py").write_text(text)

    @property
    def calls(self):
        path = self.root / "calls"
        return len(path.read_text()) if path.exists() else 0

    def split(self, version, settings, task=Task.BINARY):
        frame = self.rows(150, task=task, seed=version)
        return split(frame, roles=self.roles, test_share=settings.test_share, seed=settings.seed)

    def train(self, run_id="1" * 32, *, version=1, task=Task.BINARY, use_cache=True, **given):
        settings = TrainSettings(**{"function": "model:train", "params": {"limit": 40}, **given})
        return train_run(
            store=self.store,
            blobs=self.blobs,
            clock=_Clock(),
            run_id=run_id,
            experiment="churn",
            dataset_version=DatasetVersion(
                dataset="churn", version=version, table_version=version, rows=150, added=150, created=NOW, source="x", schema={}, profile={},
            ),
            split=self.split(version, settings, task),
            roles=self.roles,
            signature=self.signature(task),
            settings=settings,
            root=self.root,
            workdir=self.folder / "work" / run_id,
            actor="ada",
            use_cache=use_cache,
        )  # fmt: skip

    def events(self):
        with self.store.read() as tx:
            return [event.kind for event in tx.audit.events()]

    def reproduce(self, run_id="1" * 32):
        return reproduce(
            run_id, store=self.store, blobs=self.blobs, rows=self.split, root=self.root, workdir=self.folder / "again"
        )


@pytest.fixture
def bench(tmp_path, rows, signature, roles):
    return _Bench(tmp_path, rows, signature, roles)


def test_a_run_records_what_makes_it_reproducible_and_keeps_its_files(bench):
    run = bench.train()
    assert run.status is RunStatus.FINISHED
    assert run.params["limit"] == "40"
    assert run.params["train.function"] == "model:train"
    assert set(run.metrics) == {"test_accuracy"}
    assert run.facts.keys() >= {
        "dataset", "dataset_version", "train_rows", "test_rows", "signature", "settings", "seed", "code", "environment",
        "hardware", "duration_s", "cpu_s", "peak_bytes", "trained_rows", "cache",
    }  # fmt: skip
    assert run.facts["cache"] == {"hit": False, "reason": "never run before"}
    assert bench.blobs.get_bytes(f"{run.artifacts}/train.log") == b"trained with {'limit': 40}\n"
    assert b"polars==" in bench.blobs.get_bytes(f"{run.artifacts}/environment.txt")
    kept = Predictions.from_frame(
        pl.read_parquet(bench.blobs.local(f"{run.artifacts}/test_predictions.parquet")), classes=("no", "yes")
    )
    test = bench.split(1, TrainSettings()).test
    package = read_package(bench.blobs.local(f"{run.artifacts}/model"))
    assert predict(package, test).labels.tolist() == kept.labels.tolist()
    assert run.metrics["test_accuracy"] == pytest.approx((kept.labels == test["late"].to_numpy()).mean())
    assert bench.events() == ["run.started", "run.finished"]
    assert not (bench.folder / "work" / run.run_id / "training").exists()


def test_a_finished_run_is_returned_as_it_is(bench):
    first = bench.train()
    assert bench.train(params={"limit": 99}) == first
    assert bench.calls == 1


def test_a_run_that_its_process_left_running_starts_anew(bench):
    with bench.store.write() as tx:
        start_run(tx, run_id="1" * 32, experiment="churn", name="n", user="ada", now=NOW, facts={}, params={})
    assert bench.train().status is RunStatus.FINISHED
    assert bench.events() == ["run.started", "run.started", "run.finished"]


def test_nothing_changed_takes_the_package_of_the_earlier_run(bench):
    first, second = bench.train(), bench.train("2" * 32)
    assert bench.calls == 1
    assert second.facts["cache"] == {
        "hit": True,
        "reason": f"nothing changed since run {first.run_id}",
        "run_id": first.run_id,
    }
    assert second.metrics == first.metrics
    for name in ("model/model.pkl", "test_predictions.parquet", "train.log"):
        assert bench.blobs.get_bytes(f"{second.artifacts}/{name}") == bench.blobs.get_bytes(f"{first.artifacts}/{name}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"params": {"limit": 41}}, 'params changed: params {"limit": 40} -> {"limit": 41}'),
        ({"seed": 3}, "params changed: seed 0 -> 3"),
        ({"version": 2}, "data changed: test rows; data changed: training rows"),
        ({"use_cache": False}, "asked to train anew"),
    ],
)
def test_a_change_trains_anew_and_says_what_changed(bench, change, reason):
    bench.train()
    assert bench.train("2" * 32, **change).facts["cache"] == {"hit": False, "reason": reason}
    assert bench.calls == 2


def test_changed_code_trains_anew_and_a_changed_limit_does_not(bench):
    bench.train()
    assert bench.train("2" * 32, timeout=Duration(minutes=5)).facts["cache"]["hit"]
    bench.write(COUNTED + "# another comment\n")
    assert bench.train("3" * 32).facts["cache"] == {"hit": False, "reason": "code changed"}


def test_a_hit_whose_files_are_gone_trains_anew(bench):
    first = bench.train()
    bench.blobs.delete(f"{first.artifacts}/model")
    assert bench.train("2" * 32).facts["cache"]["reason"] == "nothing changed, but its files are gone"
    assert bench.calls == 2


def test_a_training_that_fails_is_a_failed_run_with_its_log_and_leaves_no_model(bench):
    bench.write("def train(data):\n    print('so far so good')\n    raise ValueError('no luck')\n")
    with pytest.raises(JobFailed, match="ValueError: no luck"):
        bench.train()
    with bench.store.read() as tx:
        run = tx.runs.get("1" * 32)
    assert run.status is RunStatus.FAILED
    assert "no luck" in run.tags["failure"]
    assert bench.blobs.get_bytes(f"{run.artifacts}/train.log").startswith(b"so far so good\n")
    assert not bench.blobs.exists(f"{run.artifacts}/model")
    assert bench.events() == ["run.started", "run.failed"]
    bench.write(COUNTED)
    assert bench.train().status is RunStatus.FINISHED


@pytest.mark.parametrize("task", list(Task))
def test_the_default_trainer_is_reproduced_to_the_last_bit(bench, task):
    run = bench.train(task=task, function=None, params={"max_iter": 20})
    found = reproduce(
        run.run_id, store=bench.store, blobs=bench.blobs, rows=lambda version, settings: bench.split(version, settings, task),
        root=bench.root, workdir=bench.folder / "again",
    )  # fmt: skip
    assert (found.agrees, found.max_difference, found.reasons) == (True, 0.0, ())


def test_a_model_that_comes_out_different_is_told_with_what_changed(bench):
    bench.train()
    bench.write(COUNTED.replace("Rule(data.params['limit'])", "Rule(90)"))
    found = bench.reproduce()
    assert (found.agrees, found.max_difference) == (False, 1.0)
    assert [reason for reason in found.reasons if "the code changed" in reason]


def test_a_model_that_depends_on_something_unrecorded_is_not_reproduced_though_nothing_changed(bench):
    bench.write(
        "from pathlib import Path\n"
        + RULE
        + "def train(data):\n    seen = Path('seen').exists()\n    Path('seen').touch()\n    return Rule(90 if seen else 40)\n"
    )
    bench.train()
    found = bench.reproduce()
    assert (found.agrees, found.max_difference, found.reasons) == (False, 1.0, ())


def test_other_rows_are_told(bench):
    run = bench.train()
    found = reproduce(
        run.run_id, store=bench.store, blobs=bench.blobs, rows=lambda _, settings: bench.split(2, settings),
        root=bench.root, workdir=bench.folder / "again",
    )  # fmt: skip
    assert not found.agrees
    assert any(reason.startswith("test rows are not the same") for reason in found.reasons)


def test_an_environment_that_changed_is_told_by_package(bench):
    run = bench.train()
    path = f"{run.artifacts}/environment.txt"
    bench.blobs.put_bytes(path, bench.blobs.get_bytes(path) + b"\nlost-package==1.0")
    with bench.store.write() as tx:
        facts = {**run.facts, "environment": {**run.facts["environment"], "digest": "other"}}
        tx.runs.update(replace(run, facts=facts))
    found = bench.reproduce()
    assert found.agrees
    assert found.reasons == ("the environment changed: -lost-package==1.0",)


def test_runs_that_cannot_be_reproduced_are_refused(bench):
    with pytest.raises(NotFound, match="no run"):
        bench.reproduce("f" * 32)
    with bench.store.write() as tx:
        start_run(tx, run_id="1" * 32, experiment="churn", name="n", user="ada", now=NOW, facts={}, params={})
    with pytest.raises(Conflict, match="RUNNING"):
        bench.reproduce()
