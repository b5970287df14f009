"""The gate on real streams: models that a changed world has overtaken, and segments of real people."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import GateSettings, SliceRule
from homeostat.gate.suite import run_suite
from homeostat.track.predictions import Predictions

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def read(name: str) -> pl.DataFrame:
    if not (DATA / name).exists():
        pytest.skip("no ../shared/data here")
    return pl.read_csv(DATA / name, infer_schema_length=10_000)


class Stream:
    """Rows of numbers in the order of time, and models trained on stretches of it."""

    def __init__(self, frame: pl.DataFrame, target: str, task: Task):
        self.frame, self.target, self.task = frame, target, task
        names = [name for name in frame.columns if name != target and frame[name].dtype.is_numeric()]
        self.X, self.y = frame.select(names).to_numpy(), frame[target].to_numpy()
        classes = () if task is Task.REGRESSION else tuple(sorted(set(self.y.tolist())))
        columns = tuple(Column(name=name, kind=Kind.FLOAT) for name in names)
        self.signature = Signature(task=task, columns=columns, target=target, classes=classes)

    def answers(self, trained: slice, asked: slice, *, shuffled: bool = False) -> Predictions:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        y = self.y[trained]
        y = np.random.default_rng(0).permutation(y) if shuffled else y
        if self.task is Task.REGRESSION:
            model = DecisionTreeRegressor(max_depth=6, min_samples_leaf=100, random_state=0).fit(self.X[trained], y)
            return Predictions(labels=model.predict(self.X[asked]))
        model = DecisionTreeClassifier(max_depth=6, min_samples_leaf=100, random_state=0).fit(self.X[trained], y)
        p = model.predict_proba(self.X[asked])
        return Predictions(labels=model.classes_[p.argmax(axis=1)], scores=p, classes=self.signature.classes)

    def judge(self, candidate: Predictions, asked: slice, *, champion=None, trained=None, **settings):
        evidence = Evidence(
            task=self.task,
            signature=self.signature,
            test=self.frame[asked],
            y=self.y[asked],
            candidate=candidate,
            champion=champion,
            champion_signature=self.signature if champion else None,
            train_target=None if trained is None else self.y[trained],
        )
        report = run_suite(evidence, GateSettings(**settings))
        return report, {result.check for result in report.failed}


@pytest.mark.parametrize(
    ("name", "target", "task", "slices"),
    [
        ("elec2.csv.gz", "class", Task.BINARY, (slice(10000), slice(25000, 29000), slice(29000, 30000))),
        ("bike_sharing_hour.csv.gz", "cnt", Task.REGRESSION, (slice(5000), slice(7000, 12000), slice(12000, 13000))),
    ],
)
def test_model_of_the_new_world_replaces_the_old_one_and_not_the_other_way(name, target, task, slices):
    old, new, asked = slices
    frame = read(name).drop("date", "casual", "registered", "instant", "yr", strict=False)
    stream = Stream(frame, target, task)
    before, after = stream.answers(old, asked), stream.answers(new, asked)
    report, _ = stream.judge(after, asked, champion=before, trained=new, max_calibration_error=0.2)
    assert report.passed, report.summary
    assert "beats_champion" in stream.judge(before, asked, champion=after, trained=old)[1]


def test_model_of_the_same_world_is_not_worse_and_a_shuffled_one_is_caught():
    stream = Stream(read("sea_0123_abrupt_noise02.csv.gz"), "class", Task.BINARY)
    asked = slice(5000, 8000)
    champion = stream.answers(slice(3000), asked)
    equal, _ = stream.judge(stream.answers(slice(2000, 5000), asked), asked, champion=champion)
    assert equal.passed, equal.summary
    shuffled = stream.answers(slice(2000, 5000), asked, shuffled=True)
    assert stream.judge(shuffled, asked, champion=champion)[1] >= {"baseline", "beats_champion"}
    assert "baseline" in stream.judge(shuffled, asked)[1]


def test_protected_segments_of_people_are_looked_at_one_by_one():
    frame = read("adult.csv.gz")
    stream = Stream(frame, "income", Task.BINARY)
    trained, asked = slice(8000), slice(8000, 12000)
    champion = stream.answers(trained, asked)
    rule = SliceRule(protected=["sex", "race", "age"], max_gap=0.2)
    fair, _ = stream.judge(champion, asked, slices=rule)
    assert fair.passed, fair.summary
    race = frame[asked]["race"]
    chosen = next(name for name in race.unique().sort() if "Black" in name)
    hit = (race == chosen).to_numpy()
    scores = np.where(hit[:, None], champion.scores[:, ::-1], champion.scores)
    spoiled = Predictions(labels=champion.labels, scores=scores, classes=champion.classes)
    report, failed = stream.judge(spoiled, asked, champion=champion, slices=rule)
    assert "slices" in failed
    (race_result,) = [r for r in report.failed if r.subject == "race"]
    assert race_result.details["segments"][0]["segment"] == chosen
