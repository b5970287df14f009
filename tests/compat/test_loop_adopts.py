"""Models that the unmodified client logged are gated, deployed and watched by the loop."""

import os
import sys

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from tests.acceptance.world import BEGIN, STEP, YAML, World, rows
from tests.compat.door import open_door

from homeostat.app.adopting import ask_to_adopt, of_project
from homeostat.app.promoting import which_version
from homeostat.audit.log import verify
from homeostat.core.errors import NotAllowed, NotFound
from homeostat.core.records.cycles import CycleState
from homeostat.registry.routing import promote
from homeostat.serve.probe import ServerProbe
from homeostat.train.package import read_signature

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # as a notebook's classes are
pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture
def world(tmp_path, request):
    """`in_a_real_server`: with the infrastructure check on, which tries candidates in a fresh server process."""
    is_tried = getattr(request, "param", False)
    gate = f"infrastructure: {str(is_tried).lower()}, champion: {{margin: 0.1}}"
    made = World(tmp_path, yaml=YAML.replace("infrastructure: false", gate), probe=ServerProbe() if is_tried else None)
    yield made
    made.plane.close(5)
    made.house.store.close()


@pytest.fixture
def client(world):
    house = world.house
    with open_door(store=house.store, blobs=house.blobs, clock=house.clock, house=house) as address:
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(address)
        mlflow.set_experiment("by hand")
        yield mlflow.MlflowClient()
        mlflow.set_tracking_uri(before)


def data() -> tuple[pd.DataFrame, pd.Series]:
    frame = rows(600, start=BEGIN - 5000 * STEP, turned=False, seed=7).to_pandas()
    return frame[["a"]], frame["y"]


class Threshold(mlflow.pyfunc.PythonModel):
    """Plain Python: no estimator at all."""

    def predict(self, context, model_input, params=None):
        return (model_input["a"] > 0.5).astype(int)


class Contrary(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] <= 0.5).astype(int)


def log_pyfunc(model, name="churn") -> str:
    X, y = data()
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=model,
            signature=mlflow.models.infer_signature(X, y),
            registered_model_name=name,
        )
    return info.registered_model_version


def log_xgboost(name="churn") -> str:
    import xgboost

    X, y = data()
    fitted = xgboost.XGBClassifier(n_estimators=20, max_depth=2).fit(X, y)
    with mlflow.start_run():
        mlflow.log_param("trees", 20)
        info = mlflow.xgboost.log_model(
            fitted,
            name="model",
            signature=mlflow.models.infer_signature(X, fitted.predict(X)),
            registered_model_name=name,
        )
    return info.registered_model_version


def adopt(world, which, **options) -> tuple[CycleState, int]:
    cycle, _ = ask_to_adopt(world.house, which, because="a test", force=None, must_be_served=False, **options)
    state = world.turn(cycle)
    world.follower.look()
    print(world.cycle(cycle.cycle_id).outcome.get("because"))  # told where the test fails
    return state, cycle.options["version"]


@pytest.mark.timeout(900)  # half a minute of work, on a machine that may have other work too
@pytest.mark.long
def test_an_xgboost_model_of_the_client_is_gated_deployed_and_watched(world, client):
    world.tick()
    world.traffic(24)
    assert world.champion == 1
    number = int(log_xgboost())
    with world.house.store.read() as tx:
        before = tx.models.get("churn", number)
    assert before.source.startswith("models:/m-")
    assert {"MLmodel", "model.ubj"} <= before.digests.keys()

    assert adopt(world, f"churn@{number}") == (CycleState.PROMOTED, number)
    assert world.champion == number
    with world.house.store.read() as tx:
        found = tx.models.get("churn", number)
        report = tx.models.report(found.report_id)
    assert (found.location, found.digests) == (before.location, before.digests)
    assert report.passed
    assert [column["name"] for column in found.signature["columns"]] == [
        "a",
        "b",
    ]  # clients go on sending the same rows
    assert found.signature["target"] == "y"
    kinds = world.kinds()
    assert "model_version.adopted" in kinds
    assert kinds.index("model_version.adopted") < len(kinds) - 1 - kinds[::-1].index("alias.moved")
    assert client.get_model_version_by_alias("churn", "champion").version == str(number)

    frame = rows(5, start=world.clock.now(), turned=False, seed=3)
    answer = world.plane.answer("churn", frame.drop("y").to_dicts(), request_id="r-1")
    wanted = mlflow.pyfunc.load_model("models:/churn@champion").predict(frame.select("a").to_pandas())
    assert answer.version == number
    assert answer.predictions.labels.tolist() == wanted.tolist()
    assert answer.predictions.scores.shape == (5, 2)

    ended = []
    world.turned = True
    for _ in range(9):
        world.traffic(24)
        cycle = world.tick()
        if cycle is not None:
            ended.append(world.cycle(cycle.cycle_id).state)
    assert "performance.decayed" in world.kinds()
    assert CycleState.PROMOTED in ended
    assert world.champion > number
    assert verify(world.house.store) == len(world.kinds())


def test_a_plain_python_model_of_another_name_is_copied_gated_and_deployed(world, client):
    world.tick()
    world.traffic(24)
    log_pyfunc(Threshold(), name="by-hand")
    client.set_registered_model_alias("by-hand", "best", 1)
    state, number = adopt(world, "by-hand@best")
    assert state is CycleState.PROMOTED
    assert world.champion == number
    with world.house.store.read() as tx:
        found, original = tx.models.get("churn", number), tx.models.get("by-hand", 1)
    assert found.source == "models:/by-hand/1"
    assert found.digests == original.digests
    world.traffic(6)
    recorded = world.house.records.read("predictions", "churn")
    assert set(recorded.filter(recorded["version"] == number)["status"]) == {"ok"}


in_a_real_server = pytest.mark.parametrize("world", [True], indirect=True)


def is_tried_deployed_and_watched(world, number):
    assert adopt(world, number) == (CycleState.PROMOTED, int(number))
    with world.house.store.read() as tx:
        report = tx.models.report(tx.models.get("churn", int(number)).report_id)
    tried = {one["subject"]: one["passed"] for one in report.body["results"] if one["check"] == "infrastructure"}
    assert tried == {"loads": True, "agrees": True, "latency_ms": None}  # no limit is set to the last
    world.traffic(48)
    world.tick()
    with world.house.store.read() as tx:
        verdicts = tx.watch.verdicts("churn")
    assert [(verdict.state, verdict.body["labelled"]) for verdict in verdicts] == [("ok", 144)] * 2


@in_a_real_server
def test_a_plain_python_model_is_tried_in_a_real_server(world, client):
    is_tried_deployed_and_watched(world, log_pyfunc(Threshold()))


@pytest.mark.long
@in_a_real_server
def test_an_xgboost_model_is_tried_in_a_real_server(world, client):
    is_tried_deployed_and_watched(world, log_xgboost())


class Exits(mlflow.pyfunc.PythonModel):
    """Answers in this process, and ends any other one."""

    def __init__(self, home: int) -> None:
        self.home = home

    def predict(self, context, model_input, params=None):
        if os.getpid() != self.home:
            os._exit(3)
        return (model_input["a"] > 0.5).astype(int)


@pytest.mark.long
@in_a_real_server
def test_a_model_that_ends_its_server_is_stopped_by_the_gate(world, client):
    state, _ = adopt(world, log_pyfunc(Exits(os.getpid())))
    assert state in (CycleState.REJECTED, CycleState.FAILED)
    assert world.champion is None


def test_a_bad_model_of_the_client_is_stopped_by_the_gate(world, client):
    world.tick()
    world.traffic(24)
    number = log_pyfunc(Contrary())
    state, _ = adopt(world, number)
    assert state is CycleState.REJECTED
    assert world.champion == 1


def test_a_first_champion_may_come_from_a_client(world, client):
    number = log_xgboost()
    assert adopt(world, number) == (CycleState.PROMOTED, int(number))


def test_champion_is_not_set_past_the_gate_by_the_client_or_by_force(world, client):
    number = log_xgboost()
    with pytest.raises(mlflow.MlflowException, match="homeostat models adopt") as caught:
        client.set_registered_model_alias("churn", "champion", number)
    assert caught.value.error_code == "PERMISSION_DENIED"
    assert world.champion is None
    with pytest.raises(NotAllowed, match="has not been through the gate"):
        promote(
            store=world.house.store,
            model="churn",
            version=int(number),
            actor="ann",
            now=world.clock.now(),
            force="please",
        )
    client.set_registered_model_alias("churn", "candidate", number)
    assert client.get_model_version_by_alias("churn", "candidate").version == number


def test_a_version_without_files_is_registered_and_cannot_be_adopted(world, client):
    run = client.create_run(client.get_experiment_by_name("by hand").experiment_id)
    client.create_registered_model("churn")
    version = client.create_model_version("churn", f"{run.info.artifact_uri}/nothing", run_id=run.info.run_id)
    state, _ = adopt(world, version.version)
    assert state is CycleState.FAILED
    with world.house.store.read() as tx:
        last = tx.cycles.recent("churn", limit=1)[0]
    assert "has no package on this server" in last.outcome["because"]


def test_a_model_that_wants_a_column_which_the_data_lack_is_told_so(world, client):
    X, y = data()
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="model",
            python_model=Threshold(),
            signature=mlflow.models.infer_signature(X.assign(aa=1.0), y),
            registered_model_name="churn",
        )
    state, _ = adopt(world, "1")
    assert state is CycleState.FAILED
    with world.house.store.read() as tx:
        last = tx.cycles.recent("churn", limit=1)[0]
    assert "wants a column 'aa'" in last.outcome["because"]


def test_the_loops_own_versions_are_the_clients_too(world, client):
    world.tick()
    version = client.get_model_version_by_alias("churn", "champion")
    assert version.source == f"mlflow-artifacts:/runs/{version.run_id}/model"
    X = rows(5, start=world.clock.now(), turned=False, seed=3).drop("y", "t").to_pandas()
    answers = mlflow.pyfunc.load_model("models:/churn@champion").predict(X)
    assert set(np.asarray(answers).tolist()) <= {0, 1}
    copied = client.copy_model_version("models:/churn@champion", "elsewhere")
    assert mlflow.pyfunc.load_model(f"models:/elsewhere/{copied.version}").predict(X).tolist() == answers.tolist()
    with world.house.store.read() as tx:
        copy = tx.models.get("elsewhere", 1)
    assert read_signature(world.house.blobs.local(copy.location)).target == "y"


def test_files_of_the_loop_are_not_the_clients_to_change(world, client):
    world.tick()
    run_id = client.get_model_version_by_alias("churn", "champion").run_id
    with pytest.raises(Exception, match="403"):
        client.log_text(run_id, "x", "model/MLmodel")
    with pytest.raises(mlflow.MlflowException, match="in traffic"):
        client.delete_model_version("churn", "1")
    with pytest.raises(mlflow.MlflowException, match="in traffic"):
        client.delete_registered_model("churn")
    with pytest.raises(mlflow.MlflowException, match="kept by the loop"):
        client.rename_registered_model("churn", "other")
    with pytest.raises(mlflow.MlflowException, match="kept by the loop"):
        client.delete_registered_model_alias("churn", "champion")
    assert world.champion == 1


def test_what_is_asked_for_must_be_there(world, client):
    world.tick()
    with pytest.raises(NotFound):
        ask_to_adopt(world.house, "nobody@3", because="", force=None, must_be_served=False)
    with pytest.raises(NotFound):
        of_project(world.house, which_version(world.house, "9"))
