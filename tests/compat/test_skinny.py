"""`mlflow-skinny` alone, in an environment of its own, logs to our server."""

import os
import subprocess
import sys
import textwrap

import pytest
from tests.compat.machine import our_world

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
SCRIPT = """
    import importlib.util
    assert importlib.util.find_spec("pandas") is None, "this is not mlflow-skinny alone"
    import mlflow
    from mlflow import MlflowClient

    mlflow.set_experiment("skinny")
    with mlflow.start_run(run_name="small") as run:
        mlflow.log_params({"a": 1, "b": "é"})
        for step in range(3):
            mlflow.log_metric("m", step / 2, step=step)
        mlflow.log_dict({"x": [1]}, "d.json")
        mlflow.set_tag("k", "v")
    client = MlflowClient()
    client.create_registered_model("m")
    version = client.create_model_version("m", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias("m", "best", version.version)
    (found,) = client.search_runs([run.info.experiment_id], "metrics.m >= 1 AND params.a = '1'")
    assert found.data.metrics == {"m": 1.0}
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/d.json") == {"x": [1]}
    print(run.info.run_id)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return the interpreter of an environment with nothing but mlflow-skinny, of the version that is installed here."""
    folder = tmp_path_factory.mktemp("skinny") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    wanted = f"mlflow-skinny=={mlflow.__version__}"
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--retries=1", "--timeout=20", wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package index to get {wanted} from: {done.stderr.strip()[-200:]}")
    return folder / "bin" / "python"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_script_with_the_skinny_client_alone(python):
    with our_world() as world:
        env = {"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": world.client.tracking_uri, "DO_NOT_TRACK": "true"}
        done = subprocess.run(
            [python, "-c", textwrap.dedent(SCRIPT)], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = world.client.get_run(done.stdout.split()[-1])
        assert (found.info.run_name, found.info.status) == ("small", "FINISHED")
        assert (found.data.params, found.data.metrics) == ({"a": "1", "b": "é"}, {"m": 1.0})
        assert [one.step for one in world.client.get_metric_history(found.info.run_id, "m")] == [0, 1, 2]
        assert world.client.get_model_version_by_alias("m", "best").run_id == found.info.run_id
