"""The real clients of the inference protocols against our server: Triton's over HTTP, MLflow's scoring client, and KServe's."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from tests.serve.protocols.serving_both import Both
from tritonclient import http as triton

from homeostat.serve.rpc.service import serve


@pytest.fixture
def both(tmp_path):
    server = Both(tmp_path)
    yield server
    server.close()


@pytest.mark.filterwarnings("ignore")
def test_tritons_http_client_asks_and_is_told(both):
    with triton.InferenceServerClient(both.url.removeprefix("http://")) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("late")
        assert client.is_model_ready("late", "3")
        assert client.get_server_metadata()["name"] == "homeostat"
        assert [each["name"] for each in client.get_model_metadata("late")["inputs"]] == ["x", "city"]
        x = triton.InferInput("x", [2], "FP64")
        x.set_data_from_numpy(np.array([0.25, 0.125]))
        for is_binary in (True, False):
            city = triton.InferInput("city", [2], "BYTES")
            city.set_data_from_numpy(np.array(["Ulm", "Bonn"], dtype=object), binary_data=is_binary)
            outputs = [
                triton.InferRequestedOutput(name, binary_data=is_binary) for name in ("predict", "probabilities")
            ]
            found = client.infer("late", [x, city], outputs=outputs)
            assert [
                str(label, "utf-8") if isinstance(label, bytes) else label for label in found.as_numpy("predict")
            ] == ["yes", "no"]
            assert found.as_numpy("probabilities").tolist() == [[0.0, 1.0], [0.875, 0.125]]
        assert client.infer("late", [x, city]).as_numpy("probabilities").shape == (2, 2)
        packed = client.infer("late", [x, city], request_compression_algorithm="gzip")
        assert packed.get_response()["model_version"] == "3"
        with pytest.raises(triton.InferenceServerException, match="no model 'lat'"):
            client.infer("lat", [x, city])


def test_mlflows_scoring_client_waits_and_asks(both):
    import pandas as pd

    client = ScoringServerClient("127.0.0.1", both.engine.port)
    client.ping()
    said = client.invoke(pd.DataFrame({"x": [0.25, 0.125], "city": ["Ulm", "Bonn"]}))
    assert said.get_predictions()[0].tolist() == ["yes", "no"]


@pytest.fixture(scope="module")
def with_kserve(tmp_path_factory):
    """Return the interpreter of an environment that has `kserve`: its protobuf symbols are those of Triton's client, too."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not installed beside this Python")
    folder = tmp_path_factory.mktemp("kserve") / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    command = [uv, "pip", "install", "--quiet", "--python", python, "kserve"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        pytest.skip(f"no package index to get kserve from: {done.stderr.strip()[-200:]}")
    return python


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kserves_clients_ask_over_rest_and_grpc_and_are_told(both, with_kserve):
    port, stop = both.engine.run(serve(both.engine.desk, host="127.0.0.1", port=0))
    script = Path(__file__).with_name("asked_by_kserve.py")
    done = subprocess.run(
        [with_kserve, script, both.url, f"127.0.0.1:{port}"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    both.engine.run(stop())
    assert (done.returncode, done.stdout.split()) == (0, ["done"]), done.stderr[-3000:]
