"""Explanations from processes of their own: started by the first question, bounded, and ended."""

import asyncio
import os
import time

import numpy as np
import polars as pl
import psutil
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.serve.answer import PredictionFailed, TooLate, VersionDown
from homeostat.serve.explain.explainers import Explained, Explainers, NoExplainer
from homeostat.serve.hosts.host import HostSettings
from homeostat.serve.table import Table
from homeostat.testing.serving import BINARY
from homeostat.train.package import read_background, write_package

ROWS = [{"x": n / 7, "city": None if n % 3 else "Ulm"} for n in range(250)]
TABLE = Table.of_rows(BINARY.columns, [(1.0, "Ulm"), (0.0, None)])


class Rule:
    def predict_proba(self, frame):
        p = np.clip(frame["x"].to_numpy() / 3 + (frame["city"] == "Ulm").to_numpy() / 2, 0, 1)
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


class Hangs(Rule):
    def predict_proba(self, frame):
        if (frame["city"] == "Hang").any():
            time.sleep(600)
        return super().predict_proba(frame)


class Raises(Rule):
    def predict_proba(self, frame):
        raise ZeroDivisionError("by zero")


def run(folder, model, work, **options):
    """Run the coroutine function on explainers of one version, and see that no process is left."""
    place = folder / "package"
    write_package(model, place, signature=BINARY, example=pl.DataFrame(ROWS))

    async def find(_model, _version):
        return Explained(package=place)

    async def whole():
        explainers = Explainers(find, **{"timeout_s": 60.0, "has_extra": lambda: True, **options})
        try:
            return await work(explainers)
        finally:
            await explainers.close()

    before = set(psutil.Process().children())
    found = asyncio.run(whole())
    left = [child for child in set(psutil.Process().children()) - before if child.status() != psutil.STATUS_ZOMBIE]
    assert not left
    return found


def test_a_package_keeps_a_hundred_rows_spread_over_its_training_data(tmp_path):
    write_package(Rule(), tmp_path / "p", signature=BINARY, example=pl.DataFrame(ROWS))
    background = read_background(tmp_path / "p", BINARY)
    assert background["x"].tolist() == [ROWS[at * 250 // 100]["x"] for at in range(100)]
    (tmp_path / "p" / "background.parquet").unlink()
    assert len(read_background(tmp_path / "p", BINARY)) == 5  # the example that clients log, too
    (tmp_path / "p" / "input_example.json").write_text("[]")
    assert read_background(tmp_path / "p", BINARY) is None


def test_a_process_of_its_own_explains_and_is_kept(tmp_path):
    async def work(explainers):
        first = await explainers.explain("late", 1, TABLE)
        return first, await asyncio.gather(*(explainers.explain("late", 1, TABLE) for _ in range(3)))

    first, others = run(tmp_path, Rule(), work)
    assert (first["method"], first["background_rows"]) == ("permutation", 100)
    assert others == [first] * 3
    for row in first["explanations"]:
        assert row["base"] + sum(row["contributions"].values()) == pytest.approx(row["output"], abs=1e-12)


class Echoes(Rule):
    """Answers with a variable of the process that it is asked in."""

    def predict_proba(self, frame):
        p = float(os.environ["HOMEOSTAT_TEST_MARK"])
        return np.tile([1 - p, p], (len(frame), 1))


def test_a_version_is_explained_by_its_own_interpreter_and_environment(tmp_path):
    by = HostSettings(environment={**os.environ, "HOMEOSTAT_TEST_MARK": "0.75"})

    async def work(explainers):
        async def find(_model, _version):
            return Explained(package=tmp_path / "package", settings=by)

        explainers._find = find
        return await explainers.explain("late", 1, TABLE)

    found = run(tmp_path, Echoes(), work)
    assert [row["output"] for row in found["explanations"]] == [0.75, 0.75]


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path):
    async def work(explainers):
        with pytest.raises(NoExplainer) as caught:
            await explainers.explain("late", 1, TABLE)
        return caught.value

    error = run(tmp_path, Rule(), work, has_extra=lambda: False)
    assert (error.http_status, error.hint) == (501, "pip install 'homeostat[explain]'")


@pytest.mark.long
def test_what_hangs_is_ended_and_the_next_question_is_answered(tmp_path):
    async def work(explainers):
        await explainers.explain("late", 1, TABLE)
        explainers._timeout_s = 2.0
        hanging = Table.of_rows(BINARY.columns, [(1.0, "Hang")])
        with pytest.raises(TooLate):
            await explainers.explain("late", 1, hanging, limit_s=0.01)
        with pytest.raises(VersionDown):
            await explainers.explain("late", 1, hanging)
        explainers._timeout_s = 60.0
        return await explainers.explain("late", 1, TABLE)

    assert len(run(tmp_path, Hangs(), work)["explanations"]) == 2


def test_a_model_that_raises_fails_its_question_and_a_package_that_is_none_is_told(tmp_path):
    async def work(explainers):
        with pytest.raises(PredictionFailed, match="ZeroDivisionError"):
            await explainers.explain("late", 1, TABLE)

        async def nowhere(_model, _version):
            return Explained(package=tmp_path / "nowhere")

        explainers._find = nowhere
        with pytest.raises(InvalidInput, match="not a model package"):
            await explainers.explain("late", 2, TABLE)

    run(tmp_path, Raises(), work)
