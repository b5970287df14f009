"""The registry, logged models and artifacts, as a data scientist's scripts use them."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from tests.compat.door import client_of

from homeostat.audit.log import verify

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow import MlflowException  # noqa: E402 - only where it is installed
from mlflow.models import infer_signature  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture
def client(store, tmp_path):
    with client_of(store, tmp_path, experiment="shelf") as found:
        yield found


@pytest.fixture
def logged(client):
    """A model logged in a run, and the rows that it answers."""
    X = pd.DataFrame({"a": np.linspace(0, 1, 50), "n": np.arange(50.0)})
    model = LogisticRegression().fit(X, (X["a"] > 0.5).astype(int))
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(X, model.predict(X)),
            input_example=X[:2],
            params={"depth": 3},
        )
        mlflow.log_metric("auc", 0.9, model_id=info.model_id)
    return run.info.run_id, info, X, model.predict(X).tolist()


def test_a_model_is_loaded_by_run_id_model_id_version_alias_stage_and_latest(client, logged):
    run_id, info, X, wanted = logged
    registered = mlflow.register_model(info.model_uri, "shop", tags={"k": "v"})
    assert (registered.version, registered.run_id, registered.tags) == ("1", run_id, {"k": "v"})
    again = mlflow.register_model(f"runs:/{run_id}/model", "shop")
    client.set_registered_model_alias("shop", "best", 1)
    client.transition_model_version_stage("shop", "1", "Production")
    for uri in (
        f"runs:/{run_id}/model",
        info.model_uri,
        "models:/shop/1",
        f"models:/shop/{again.version}",
        "models:/shop@best",
        "models:/shop/Production",
        "models:/shop/latest",
    ):
        assert mlflow.pyfunc.load_model(uri).predict(X).tolist() == wanted, uri
    assert mlflow.sklearn.load_model("models:/shop@best").predict(X).tolist() == wanted
    found = mlflow.get_logged_model(info.model_id)
    assert (found.status.name, found.params, found.metrics[0].value) == ("READY", {"depth": "3"}, 0.9)
    became = json.loads(found.tags["mlflow.modelVersions"])  # the client adds to the list as well as the server
    assert {(each["name"], int(each["version"])) for each in became} == {("shop", 1), ("shop", 2)}


def test_versions_and_models_are_copied_staged_renamed_and_deleted(client, logged, store):
    _, info, X, wanted = logged
    mlflow.register_model(info.model_uri, "shop")
    mlflow.register_model(info.model_uri, "shop")
    copied = client.copy_model_version("models:/shop/1", "front")
    assert (copied.name, copied.version, copied.source) == ("front", "1", "models:/shop/1")
    assert mlflow.pyfunc.load_model("models:/front/1").predict(X).tolist() == wanted
    client.transition_model_version_stage("shop", "1", "Staging")
    client.transition_model_version_stage("shop", "2", "Staging", archive_existing_versions=True)
    assert [
        v.current_stage for v in client.search_model_versions("name = 'shop'", order_by=["version_number ASC"])
    ] == [
        "Archived",
        "Staging",
    ]
    assert [v.version for v in client.get_latest_versions("shop", ["Staging"])] == ["2"]
    client.update_model_version("shop", "2", "second")
    client.set_model_version_tag("shop", "2", "color", "red")
    client.update_registered_model("shop", "a shop")
    client.set_registered_model_tag("shop", "team", "north")
    client.set_registered_model_alias("shop", "best", 2)
    client.rename_registered_model("shop", "store")
    renamed = client.get_registered_model("store")
    assert (renamed.name, renamed.description, renamed.tags, renamed.aliases) == (
        "store",
        "a shop",
        {"team": "north"},
        {"best": "2"},
    )
    version = client.get_model_version_by_alias("store", "best")
    assert (version.description, version.tags, version.aliases) == ("second", {"color": "red"}, ["best"])
    client.delete_model_version_tag("store", "2", "color")
    client.delete_registered_model_tag("store", "team")
    client.delete_registered_model_alias("store", "best")
    client.delete_model_version("store", "2")
    with pytest.raises(MlflowException) as caught:
        client.get_model_version("store", "2")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.delete_registered_model("store")
    assert [m.name for m in client.search_registered_models()] == ["front"]
    assert mlflow.pyfunc.load_model("models:/front/1").predict(X).tolist() == wanted
    assert verify(store) > 15


def test_searches_page_through_everything(client):
    for number in range(25):
        client.create_registered_model(f"m{number:02d}", tags={"parity": str(number % 2)})
    odd = client.search_registered_models("tags.parity = '1' AND name LIKE 'm1%'", order_by=["name DESC"])
    assert [m.name for m in odd] == ["m19", "m17", "m15", "m13", "m11"]
    names, token = [], None
    while True:
        page = client.search_registered_models(max_results=10, page_token=token)
        names += [m.name for m in page]
        token = page.token
        if not token:
            break
    assert names == sorted(names)
    assert len(names) == 25


def test_prompts_are_registered_loaded_and_searched(client):
    made = mlflow.genai.register_prompt("greet", "hello {{name}}", commit_message="first", tags={"lang": "en"})
    mlflow.genai.register_prompt("greet", "good day {{name}}")
    mlflow.genai.set_prompt_alias("greet", "live", 2)
    assert made.version == 1
    assert mlflow.genai.load_prompt("prompts:/greet/1").format(name="Ann") == "hello Ann"
    assert mlflow.genai.load_prompt("prompts:/greet@live").template == "good day {{name}}"
    assert [p.name for p in mlflow.genai.search_prompts()] == ["greet"]
    assert client.search_registered_models() == []
    with pytest.raises(MlflowException, match="already taken by a prompt"):
        client.create_registered_model("greet")


def test_logged_models_are_searched_and_deleted(client, logged):
    _, info, *_ = logged
    with mlflow.start_run():
        other = mlflow.initialize_logged_model(name="other", tags={"kind": "rule"})
        mlflow.log_metric("auc", 0.4, model_id=other.model_id)
    finished = mlflow.finalize_logged_model(other.model_id, "FAILED")
    assert finished.status.name == "FAILED"

    def found(**options):
        return [m.name for m in mlflow.search_logged_models(output_format="list", **options)]

    assert found(filter_string="metrics.auc > 0.5") == ["model"]
    assert found(filter_string="tags.kind = 'rule' and status = 'FAILED'") == ["other"]
    assert found(filter_string="params.depth = '3'") == ["model"]
    assert found(order_by=[{"field_name": "metrics.auc", "ascending": False}]) == ["model", "other"]
    client.delete_logged_model(info.model_id)
    assert found() == ["other"]
    with pytest.raises(MlflowException):
        mlflow.get_logged_model(info.model_id)


def test_files_go_in_and_come_out(client, tmp_path):
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "ü b.txt").write_text("ü")
    big = np.random.default_rng(0).bytes(3_000_000)
    (folder / "big.bin").write_bytes(big)
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "files")
        mlflow.log_dict({"a": [1]}, "d.json")
        mlflow.log_table(pd.DataFrame({"a": [1, 2]}), "t.json")
    run_id = run.info.run_id
    assert [(f.path, f.is_dir) for f in client.list_artifacts(run_id)] == [
        ("d.json", False),
        ("files", True),
        ("t.json", False),
    ]
    assert [(f.path, f.file_size) for f in client.list_artifacts(run_id, "files/deep")] == [("files/deep/ü b.txt", 2)]
    local = client.download_artifacts(run_id, "files", str(tmp_path))
    from pathlib import Path

    assert (Path(local) / "big.bin").read_bytes() == big
    assert (Path(local) / "deep" / "ü b.txt").read_text() == "ü"
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/d.json") == {"a": [1]}
    assert mlflow.load_table("t.json", run_ids=[run_id])["a"].tolist() == [1, 2]


def test_a_file_in_parts_by_the_client(client, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000000")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "700000")
    content = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "big.bin").write_bytes(content)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / "big.bin"), "deep")
    monkeypatch.delenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD")
    local = client.download_artifacts(run.info.run_id, "deep/big.bin", str(tmp_path / "blobs"))
    from pathlib import Path

    assert Path(local).read_bytes() == content
    assert not list((tmp_path / "blobs" / "uploads").glob("*"))
