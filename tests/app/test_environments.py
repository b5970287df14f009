"""Environments of models' own: what is refused, what is told, and a model that answers by another version of a library."""

import asyncio
import os
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from homeostat.app.environments import BeingBuilt, Environments, interpreters
from homeostat.app.loading import explainers, loader
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.errors import InvalidInput
from homeostat.core.records.registry import ModelVersion
from homeostat.registry.evaluated import environment_told
from homeostat.registry.versions import digests_of
from homeostat.serve.probe import ServerProbe
from homeostat.serve.table import Table
from homeostat.testing.serving import REGRESSION
from homeostat.train.jobs import predict_in_child
from homeostat.train.package import write_package
from homeostat.train.runner import Interpreter, ours
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import to_json

EXAMPLE = pl.DataFrame({"x": [0.25], "city": ["Ulm"]})
TABLE = Table.of_rows(REGRESSION.columns, [(0.25, "Ulm"), (0.5, None)])
PROJECT = """
model: prices
task: regression
data: {source: a.csv, target: price}
serve: {environments: own}
"""


class Tells:
    """Answers with the version of a library in the process that it is asked in."""

    def __init__(self, library):
        self.library = library

    def predict(self, frame):
        from importlib import import_module

        major, minor = import_module(self.library).__version__.split(".")[:2]
        return frame["x"].to_numpy() * 0 + int(major) * 100 + int(minor)


def package(folder: Path, *lines: str, model: object = None, python: str | None = None) -> Path:
    write_package(
        model or Tells("numpy"), folder, signature=REGRESSION, example=EXAMPLE, code_root=Path(__file__).parent
    )
    with (folder / "requirements.txt").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    if python is not None:
        (folder / "python_env.yaml").write_text(f"python: {python}\n")
    return folder


def test_a_package_that_fits_needs_none(tmp_path):
    environments = Environments(tmp_path / "environments")
    assert environments.interpreter(package(tmp_path / "package")) is None
    assert not (tmp_path / "environments").exists()


@pytest.mark.parametrize(
    ("lines", "python", "told"),
    [
        (["mine @ file:///tmp/mine.whl"], None, "which is not installed for it"),
        (["--index-url http://elsewhere.example"], None, "which is not installed for it"),
        ([], "3.9.1", "was made with Python 3.9.1"),
    ],
)
def test_what_must_not_or_cannot_be_built_is_refused_before_uv_is_asked(tmp_path, lines, python, told):
    environments = Environments(tmp_path / "environments")
    with pytest.raises(InvalidInput, match=told):
        environments.interpreter(package(tmp_path / "package", *lines, python=python))
    assert not (tmp_path / "environments").exists()


def test_a_failed_building_is_told_in_the_words_of_uv_and_not_tried_again_at_once(tmp_path):
    made = package(tmp_path / "package", "no-such-thing-anywhere==1.0")
    environment = {**os.environ, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}
    environments = Environments(tmp_path / "environments", environment=environment)
    with pytest.raises(BeingBuilt):
        environments.interpreter(made)
    environments.wait()
    for _ in range(2):
        with pytest.raises(InvalidInput, match=r"uv pip compile said: (?s:.*)we can conclude"):
            environments.interpreter(made)


def test_its_process_gets_our_code_and_nothing_else_from_here(tmp_path):
    environment = {"PYTHONPATH": "/elsewhere", "VIRTUAL_ENV": sys.prefix, "LANG": "C"}
    given = Environments(tmp_path, environment=environment).child_environment()
    assert given["LANG"] == "C"
    assert "VIRTUAL_ENV" not in given
    assert [path.name for path in Path(given["PYTHONPATH"]).iterdir()] == ["homeostat"]


class Echoes:
    """Answers with a variable of the process that it is asked in."""

    def predict(self, frame):
        return frame["x"].to_numpy() * 0 + float(os.environ.get("HOMEOSTAT_TEST_MARK", "0"))


def test_a_candidate_is_tried_and_probed_by_the_interpreter_of_its_package(tmp_path):
    folder = package(tmp_path / "package", model=Echoes())
    by = Interpreter(python=sys.executable, environment={"HOMEOSTAT_TEST_MARK": "7"})
    tried = predict_in_child(
        folder, EXAMPLE, settings=TrainSettings(), root=tmp_path, workdir=tmp_path / "work", interpreter=by
    )
    assert tried.labels.tolist() == [7.0]
    probed = ServerProbe(interpreter_of={folder: by}.get).predict(folder, EXAMPLE.to_dicts(), timeout_s=60)
    assert probed.outputs == [{"prediction": 7.0}]


def test_only_the_settings_allow_other_interpreters(house):
    assert interpreters(house.place) is not ours
    (house.root / "homeostat.yaml").write_text(PROJECT.replace("own", "server"))
    assert interpreters(load(house.root / "homeostat.yaml")) is ours


def wheel(folder: Path) -> None:
    """Write a wheel of a module that is not installed here."""
    folder.mkdir()
    info = "oldprices-1.5.dist-info"
    files = {
        "oldprices.py": '__version__ = "1.5"\n',
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: oldprices\nVersion: 1.5\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / "oldprices-1.5-py3-none-any.whl", "w") as file:
        for name, text in files.items():
            file.writestr(zipfile.ZipInfo(name), text)


@pytest.fixture
def house(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(PROJECT)
    opened = open_house(load(tmp_path / "homeostat.yaml"), writer_id="test", actor="ann")
    yield opened
    opened.store.close()


def register(house, folder: Path) -> ModelVersion:
    with house.store.write() as tx:
        number = tx.models.next_version("prices")
        location = f"packages/{number}"
        house.blobs.put_tree(location, folder)
        version = ModelVersion(
            model="prices",
            version=number,
            run_id=f"run-{number}",
            created=datetime(2026, 1, 1, tzinfo=UTC),
            location=location,
            digests=digests_of(house.blobs.local(location)),
            signature=to_json(REGRESSION),
            lineage={},
        )
        tx.models.add(version)
    return version


def answers(house, version: int) -> list[float]:
    """Return what a version answers when it is loaded as a server loads it, and tries again while its environment is being built."""

    async def asked():
        find = loader(house)
        for _ in range(600):
            try:
                host = await find("prices", version)
                break
            except BeingBuilt:
                await asyncio.sleep(0.5)
        try:
            return (await host.evaluate(TABLE)).labels.tolist()
        finally:
            await host.close()

    return asyncio.run(asked())


def explanations(house, version: int) -> list[float]:
    """Return the outputs that an explanation of a version says, by permutation: its environment has no shap."""

    async def asked():
        explaining = explainers(house)
        explaining._has_extra = lambda: True
        try:
            found = await explaining.explain("prices", version, TABLE)
        finally:
            await explaining.close()
        assert found["method"] == "permutation"
        return [row["output"] for row in found["explanations"]]

    return asyncio.run(asked())


def skip_without_an_index(error: InvalidInput) -> None:
    if any(
        word in error.message for word in ("Failed to fetch", "network", "not found in the package registry", "dns")
    ):
        pytest.skip(f"no package index here: {error.message}")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_versions_made_with_other_packages_answer_by_them(house, tmp_path, monkeypatch):
    """A module that only a wheel in a folder has, and an older scikit-learn than the server's."""
    wheel(tmp_path / "wheels")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    ours = register(house, package(tmp_path / "ours", model=Tells("sklearn")))
    mine = register(house, package(tmp_path / "mine", "oldprices==1.5", model=Tells("oldprices")))
    folder = package(tmp_path / "older", model=Tells("sklearn"))
    # scikit-learn is among them where another test has imported it
    lines = (folder / "requirements.txt").read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("scikit-learn"))
    (folder / "requirements.txt").write_text(f"{text}scikit-learn==1.6.1\n")
    older = register(house, folder)

    import sklearn

    major, minor = sklearn.__version__.split(".")[:2]
    assert answers(house, ours.version) == [int(major) * 100 + int(minor)] * 2
    try:
        assert answers(house, mine.version) == [105.0, 105.0]
        assert answers(house, older.version) == [106.0, 106.0]
    except InvalidInput as error:
        skip_without_an_index(error)
        raise
    assert explanations(house, mine.version) == pytest.approx([105.0, 105.0])
    built = {path for path in (house.place.state / "environments").iterdir() if (path / "done").exists()}
    assert len(built) == 2
    assert answers(house, older.version) == [106.0, 106.0]  # the second time nothing is built
    assert {path for path in (house.place.state / "environments").iterdir() if (path / "done").exists()} == built
    environments = Environments(house.place.state / "environments")
    folder = tmp_path / "mine"
    tried = predict_in_child(
        folder,
        EXAMPLE,
        settings=TrainSettings(),
        root=tmp_path,
        workdir=tmp_path / "work",
        interpreter=environments.await_interpreter(folder),
    )
    assert tried.labels.tolist() == [105.0]
    probe = ServerProbe(interpreter_of=environments.await_interpreter)
    assert probe.predict(folder, EXAMPLE.to_dicts(), timeout_s=120).outputs == [{"prediction": 105.0}]
    told = environment_told(older, blobs=house.blobs, environments="own")
    assert told == f"its own: scikit-learn==1.6.1 was recorded, {sklearn.__version__} is installed"
