"""An MLflow store with some of everything in it, made by the real client."""

from pathlib import Path


def fill(uri: str, folder: Path, *, is_local: bool = True) -> None:
    """Log two experiments with runs, histories, files, a model with versions and aliases, a deleted run and experiment, and traces."""
    import mlflow
    from mlflow import MlflowClient

    def place(name: str) -> str | None:
        return str(folder / name) if is_local else None

    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    first = client.create_experiment("first", artifact_location=place("first"), tags={"team": "a", "odd key": "é"})
    second = client.create_experiment("second", artifact_location=place("second"))
    mlflow.set_experiment(experiment_id=first)
    with mlflow.start_run(run_name="parent", tags={"k": "v"}) as run:
        mlflow.log_params({"depth": 3, "name": "x" * 500})
        for step in range(50):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step, timestamp=1_700_000_000_000 + step)
        mlflow.log_metric("odd", float("nan"))
        mlflow.log_metric("big", float("inf"))
        mlflow.log_metric("small", float("-inf"))
        mlflow.log_text("hello", "notes/a b.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        with mlflow.start_run(nested=True):
            mlflow.log_metric("loss", 5.0)
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: x\n")
        (folder / "model" / "weights.bin").write_bytes(bytes(1000))
        mlflow.log_artifacts(str(folder / "model"), "model")
        _dataset()
    client.create_registered_model("m", tags={"a": "b"}, description="d")
    version = client.create_model_version("m", f"{run.info.artifact_uri}/model", run.info.run_id, tags={"t": "1"})
    client.create_model_version("m", f"{run.info.artifact_uri}/model", run.info.run_id, description="second")
    client.set_registered_model_alias("m", "best", version.version)
    client.set_registered_model_alias("m", "champion", "2")
    mlflow.set_experiment(experiment_id=second)
    with mlflow.start_run() as doomed:
        mlflow.log_param("p", "1")
    client.delete_run(doomed.info.run_id)
    third = client.create_experiment("third", artifact_location=place("third"))
    client.delete_experiment(third)


def _dataset() -> None:
    import mlflow
    import numpy as np

    mlflow.log_input(mlflow.data.from_numpy(np.arange(4.0), name="numbers"), context="train")


def trace(uri: str) -> str:
    """Log a trace with an assessment; return its id."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("first")
    mlflow.tracing.reset()

    @mlflow.trace(span_type="LLM", attributes={"model": "gpt", "n": 5})
    def inner(x):
        return {"y": [x, None, 1.5]}

    @mlflow.trace
    def outer(x):
        return inner(x)["y"]

    outer("hé")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.log_feedback(trace_id=trace_id, name="right", value=True, rationale="r")
    mlflow.set_trace_tag(trace_id, "k", "v")
    return trace_id
