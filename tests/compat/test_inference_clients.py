"""The real clients of the inference protocols against our server: Triton's over HTTP, and MLflow's scoring client."""

import numpy as np
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from tests.serve.protocols.serving_both import Both
from tritonclient import http as triton


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
