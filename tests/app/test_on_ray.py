"""The plane on a cluster of Ray: two nodes with a token, one of which is lost. In processes of their own: Ray stays where it was started."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.app.on_ray import SHARED, application, build, deploy, refuse_without_token
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.errors import InvalidInput, InvalidProject, MissingExtra, NotAllowed
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.routes import Route
from homeostat.registry.versions import digests_of
from homeostat.testing.serving import REGRESSION
from homeostat.train.package import write_package
from homeostat.train.signature import to_json

PROJECT = "model: prices\ntask: regression\ndata: {source: a.csv, target: price}\n"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in (*SHARED, "RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "homeostat.yaml").write_text(PROJECT)
    return tmp_path / "homeostat.yaml"


def share(monkeypatch, folder: Path, database: str) -> None:
    for name, value in zip(SHARED, (database, str(folder / "models"), str(folder / "records")), strict=True):
        monkeypatch.setenv(name, value)


def test_what_replicas_elsewhere_could_not_reach_is_refused(project, tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match="HOMEOSTAT_DATABASE, HOMEOSTAT_ARTIFACTS, HOMEOSTAT_RECORDS is not set"):
        application(project=project)
    share(monkeypatch, tmp_path, "sqlite:///a.db")
    with pytest.raises(InvalidInput, match="a SQLite file"):
        application(project=project.parent)
    project.write_text("model: prices\n")
    with pytest.raises(InvalidProject):
        application(project=project)


def test_the_arguments_of_rays_own_command_are_checked(project):
    with pytest.raises(InvalidInput, match="unknown argument 'replica'"):
        build({"replica": "2"})
    with pytest.raises(InvalidInput, match="no number of replicas"):
        build({"project": str(project), "replicas": "0"})


def test_no_address_is_guessed_and_no_cluster_joined_without_a_token(project, monkeypatch):
    del project
    with pytest.raises(InvalidInput, match="no address of a Ray cluster"):
        deploy(None)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    with pytest.raises(NotAllowed, match="token authentication is off"):
        deploy(None)
    with pytest.raises(NotAllowed):
        refuse_without_token({"RAY_AUTH_MODE": "disabled"})
    refuse_without_token({"RAY_AUTH_MODE": "token"})


def test_a_missing_ray_serve_is_told(project, tmp_path, monkeypatch):
    share(monkeypatch, tmp_path, "postgresql+psycopg://a@b/c")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra) as caught:
        application(project=project)
    assert caught.value.hint == "pip install 'ray[serve]'"


class Times:
    def __init__(self, factor):
        self.factor = factor

    def predict(self, frame):
        return frame["x"].to_numpy() * self.factor


def register(house, folder: Path, factor: float) -> int:
    write_package(
        Times(factor),
        folder,
        signature=REGRESSION,
        example=pl.DataFrame({"x": [0.25], "city": ["Ulm"]}),
        code_root=Path(__file__).parent,
    )
    with house.store.write() as tx:
        number = tx.models.next_version("prices")
        house.blobs.put_tree(f"packages/{number}", folder)
        tx.models.add(
            ModelVersion(
                model="prices",
                version=number,
                run_id=f"run-{number}",
                created=datetime(2026, 1, 1, tzinfo=UTC),
                location=f"packages/{number}",
                digests=digests_of(house.blobs.local(f"packages/{number}")),
                signature=to_json(REGRESSION),
                lineage={},
            )
        )
    return number


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """Return an interpreter that has Ray Serve: this one, or that of an environment made for it."""
    ray = pytest.importorskip("ray", reason="no Ray here")
    has_serve = [sys.executable, "-c", "from ray import serve"]
    if subprocess.run(has_serve, capture_output=True, check=False).returncode == 0:
        return sys.executable
    folder = tmp_path_factory.mktemp("ray") / "venv"
    made = str(folder / "bin" / "python")
    uv = str(Path(sys.executable).with_name("uv"))
    installed = [f"{one.name}=={one.version}" for one in metadata.distributions() if one.name != "homeostat"]
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", made, f"ray[serve]=={ray.__version__}", *installed],
        [uv, "pip", "install", "--quiet", "--python", made, "--no-deps", "--no-build-isolation", "-e", str(REPOSITORY)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
        if done.returncode:
            pytest.skip(f"Ray Serve is not installed, and cannot be from here: {done.stderr[-500:]}")
    return made


@pytest.mark.long
@pytest.mark.timeout(900)
def test_replicas_on_two_nodes_answer_by_the_same_routes_and_one_node_may_be_lost(
    project, tmp_path, monkeypatch, postgres, python
):
    share(monkeypatch, tmp_path, postgres.fresh())
    house = open_house(load(project), writer_id="test", actor="ann")
    assert [register(house, tmp_path / f"package{factor}", float(factor)) for factor in (1, 2)] == [1, 2]
    with house.store.write() as tx:
        tx.routes.put(Route(model="prices", generation=0, champion=1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64, "RAY_USAGE_STATS_ENABLED": "0"}
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run(
            [python, "-m", "tests.app.ray_cluster", str(project), str(port), str(tmp_path / "told.json")],
            env=environment,
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
            check=False,
            timeout=840,
        )
    assert done.returncode == 0, (tmp_path / "log").read_text()[-4000:]
    told = json.loads((tmp_path / "told.json").read_text())
    print({name: value for name, value in told.items() if name != "answered"})
    assert told["workers"] == told["switched"] == 2
    assert (told["versions_before"], told["refused_before"]) == ([1], [])
    assert told["versions_after"] == [2]
    assert told["answered_after_the_kill"] >= 200
    assert told["switched_by_who_is_left"] == 1
    assert told["version_at_the_end"] == [1]
    assert (told["too_long"], told["compressed"], told["foreign_host"]) == (413, 400, 403)
    assert told["intruder"] == ""
    rows = house.records.read("predictions", "prices")
    kept = {row["request_id"]: (row["version"], row["prediction"]) for row in rows.iter_rows(named=True)}
    answered = {name: (version, answer) for name, (version, answer) in told["answered"].items()}
    assert answered.items() <= kept.items()
    assert np.allclose([answer for _, answer in answered.values()], [int(n[1:]) * v for n, (v, _) in answered.items()])
    house.store.close()
