from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Roles, Signature
from homeostat.core.errors import InvalidInput, JobFailed, NotEnoughData, NotFound
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.tracking import Run, RunStatus
from homeostat.gate.evaluate import evaluate, rows_as_json
from homeostat.gate.evidence import PROBE_ROWS
from homeostat.gate.settings import GateSettings
from homeostat.gate.suite import SuiteReport
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import to_json

NOW = datetime(2024, 6, 1, tzinfo=UTC)
ROLES = Roles(target="bought", time="time")


class Clock:
    def now(self):
        return NOW


@dataclass
class Probe:
    """Answers what it is given, and keeps what it was asked."""

    answer: list
    load_s: float = 0.3
    latency_ms: tuple = (1.0,)
    asked: list = field(default_factory=list)

    @property
    def outputs(self):
        return self.answer

    def predict(self, package: Path, rows, *, timeout_s: float):
        assert (package / "MLmodel").exists()
        self.asked.extend(rows)
        return self


class Case:
    """A finished run in a store of its own, and everything that `evaluate` asks for."""

    def __init__(self, tmp_path, world, scores):
        self.world, self.scores = world, scores
        self.store, self.blobs = open_memory_store(), LocalBlobs(tmp_path / "blobs")
        self.run = Run(run_id="r1", experiment_id="1", name="r1", status=RunStatus.FINISHED, started=NOW, ended=NOW)
        self.test = world.binary().test
        self.signature: Signature = world.binary().signature
        self.workdir = tmp_path
        self.write(scores(world.p))
        self.blobs.put_bytes("runs/r1/model/MLmodel", b"flavors: {}\n")

    def write(self, predictions) -> None:
        path = self.workdir / "predictions.parquet"
        predictions.to_frame().write_parquet(path)
        self.blobs.put_bytes("runs/r1/test_predictions.parquet", path.read_bytes())

    def champion(self) -> ModelVersion:
        self.blobs.put_bytes("models/shop/3/MLmodel", b"flavors: {}\n")
        return ModelVersion(
            model="shop",
            version=3,
            run_id="r0",
            created=NOW,
            location="models/shop/3",
            digests={},
            signature=to_json(self.signature),
            lineage={},
        )

    def __call__(self, **changes):
        facts = {
            "store": self.store,
            "blobs": self.blobs,
            "clock": Clock(),
            "run": self.run,
            "model": "shop",
            "test": self.test,
            "roles": ROLES,
            "signature": self.signature,
            "settings": GateSettings(),
            "train_settings": TrainSettings(),
            "champion": None,
            "probe": None,
            "root": self.workdir,
            "workdir": self.workdir,
            "actor": "ada",
            "report_id": "g1",
        }
        return evaluate(**(facts | changes))

    def events(self):
        with self.store.read() as tx:
            return [(e.kind, e.subject, e.actor) for e in tx.audit.events()]

    def stored(self):
        with self.store.read() as tx:
            return tx.models.reports("shop")


@pytest.fixture
def case(tmp_path, world, scores):
    return Case(tmp_path, world(n=600), scores)


def result(report, check, subject=""):
    found = SuiteReport.from_json(report.body).results
    return next(r for r in found if r.check == check and subject in ("", r.subject))


def test_good_first_model_passes_and_its_report_and_event_are_kept(case):
    report = case()
    assert report.passed
    assert report.created == NOW
    assert case.stored() == [report]
    assert case.events() == [("gate.passed", "shop", "ada")]


def test_useless_first_model_fails_and_the_event_says_of_what(case):
    case.write(case.scores(np.random.default_rng(0).permutation(case.world.p)))
    report = case()
    assert not report.passed
    assert case.events() == [("gate.failed", "shop", "ada")]
    with case.store.read() as tx:
        payload = tx.audit.events()[0].payload
    assert payload["report_id"] == "g1"
    assert "baseline" in payload["failed"]


def test_the_same_report_id_is_judged_once(case):
    first = case()
    case.write(case.scores(1 - case.world.p))
    assert case() == first
    assert len(case.events()) == 1


def test_champion_answers_the_same_rows_in_the_order_of_time(case):
    asked = []

    def predict(package, frame):
        asked.append((package, frame))
        amount = frame["amount"].to_numpy()
        return case.scores(1 / (1 + np.exp(-1.5 * amount)))

    order = np.random.default_rng(0).permutation(600)
    case.test = case.test[order]
    case.write(case.scores(case.world.p[order]))
    report = case(champion=case.champion(), predict=predict)
    assert asked[0][0].name == "3"
    assert asked[0][1]["time"].is_sorted()
    compared = result(report, "beats_champion")
    assert compared.value == pytest.approx(0.0, abs=1e-12)
    assert report.passed
    assert report.body["about"]["champion"] == "version 3"


def test_champion_that_cannot_answer_is_a_failed_comparison_not_an_error(case):
    def predict(package, frame):
        raise JobFailed("no column 'colour'")

    report = case(champion=case.champion(), predict=predict)
    assert not report.passed
    assert "version 3 cannot answer the test rows: no column 'colour'" in result(report, "beats_champion").reason


def test_rows_without_a_target_are_left_out_of_both(case):
    case.test = case.test.with_columns(
        bought=pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise(pl.col("bought"))
    )
    report = case()
    assert report.body["about"]["test rows"] == 500
    case.write(case.scores(case.world.p[100:]))
    assert case(report_id="g2").body["about"]["test rows"] == 500


def test_predictions_of_other_rows_are_refused_and_nothing_is_kept(case):
    case.write(case.scores(case.world.p[:50]))
    with pytest.raises(InvalidInput, match="50 predictions, the test has 600 rows"):
        case()
    assert case.stored() == []
    assert case.events() == []


def test_run_without_predictions_and_test_without_labels_are_named(case):
    with pytest.raises(NotFound, match="run r9 has no predictions"):
        case(run=Run(run_id="r9", experiment_id="1", name="", status=RunStatus.FAILED, started=NOW))
    with pytest.raises(NotFound, match="no target 'bought'"):
        case(test=case.test.drop("bought"))
    with pytest.raises(NotEnoughData, match="0 test rows"):
        case(test=case.test.with_columns(bought=pl.lit(None, dtype=pl.String)))


def test_probe_gets_the_first_rows_as_json_and_its_answers_count(case):
    good = Probe(case.scores(case.world.p).to_frame().head(PROBE_ROWS).to_dicts())
    report = case(probe=good)
    assert report.passed
    assert result(report, "infrastructure", "agrees").passed
    assert len(good.asked) == PROBE_ROWS
    assert list(good.asked[0]) == ["amount", "region", "age"]
    wrong = Probe(case.scores(case.world.p * 0.9).to_frame().head(PROBE_ROWS).to_dicts())
    assert not case(probe=wrong, report_id="g2").passed


def test_training_target_is_what_the_baseline_knows(case):
    report = case(train_target=pl.Series(["yes"] * 99 + ["no", None]))
    assert report.passed
    assert result(report, "baseline").value < result(case(report_id="g2"), "baseline").value


def test_rows_as_json_are_what_a_client_could_send():
    frame = pl.DataFrame(
        {"at": [NOW, NOW + timedelta(hours=1)], "x": [1.5, float("nan")], "c": ["a", None], "unused": [1, 2]}
    )
    assert rows_as_json(frame, ["at", "x", "c"]) == [
        {"at": "2024-06-01T00:00:00+00:00", "x": 1.5, "c": "a"},
        {"at": "2024-06-01T01:00:00+00:00", "x": None, "c": None},
    ]


def test_champion_answers_in_a_child_process_unless_told_otherwise(case, tmp_path):
    from sklearn.dummy import DummyClassifier

    from homeostat.train.package import write_package

    champion = case.champion()
    model = DummyClassifier(strategy="prior").fit(np.zeros((4, 1)), ["no", "no", "no", "yes"])
    write_package(model, tmp_path / "package", signature=case.signature, example=case.test, now=NOW)
    case.blobs.put_tree("models/shop/4", tmp_path / "package")
    report = case(champion=replace(champion, version=4, location="models/shop/4"))
    compared = result(report, "beats_champion")
    share = (case.world.y == "yes").mean()
    assert compared.details["champion"] == pytest.approx(-share * np.log(0.25) - (1 - share) * np.log(0.75))
    assert report.passed
