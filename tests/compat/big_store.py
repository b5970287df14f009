"""An MLflow store of some size: its schema and one of each row made by the client, the rest of the rows as copies of those."""

import sqlite3
from pathlib import Path
from uuid import UUID


def fill_big(folder: Path, *, runs: int, metrics: int, steps: int, versions: int) -> Path:
    """Return the database. Every tenth run has files, and the versions are of those."""
    from mlflow import MlflowClient

    path = folder / "m.db"
    client = MlflowClient(f"sqlite:///{path}")
    experiment = client.create_experiment("big", artifact_location=str(folder / "files"))
    first = client.create_run(experiment)
    client.create_registered_model("big")
    client.create_model_version("big", f"{first.info.artifact_uri}/model", first.info.run_id)
    ids = [UUID(int=number + 1).hex for number in range(runs)]
    with sqlite3.connect(path) as database:
        for table in ("runs", "tags", "model_versions"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            (row,) = [dict(zip(columns, row, strict=True)) for row in database.execute(f"SELECT * FROM {table}")]
            if table == "model_versions":
                made = [
                    {
                        "version": n + 1,
                        **dict.fromkeys(("source", "storage_location"), _model(folder, run_id)),
                        "run_id": run_id,
                    }
                    for n, run_id in enumerate((ids[::10] * versions)[:versions])
                ]
                database.execute("DELETE FROM model_versions")
            else:
                made = [{"run_uuid": run_id, "artifact_uri": _root(folder, run_id)} for run_id in ids]
            _copies(database, table, row, made)
        database.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            ((f"p{key}", str(n), run_id) for n, run_id in enumerate(ids) for key in range(10)),
        )
        database.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
            (
                (f"m{key}", n + step / 7, 1_700_000_000_000 + step, run_id, step)
                for n, run_id in enumerate(ids)
                for key in range(metrics)
                for step in range(steps)
            ),
        )
        database.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " SELECT key, value, timestamp, step, is_nan, run_uuid FROM metrics WHERE step = ?",
            (steps - 1,),
        )
    database.close()
    for run_id in ids[::10]:
        model = Path(_model(folder, run_id))
        model.mkdir(parents=True)
        (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: x\n")
        (model / "weights.bin").write_bytes(run_id.encode() * 3000)
    return path


def _copies(database: sqlite3.Connection, table: str, row: dict[str, object], made: list[dict[str, object]]) -> None:
    marks = ", ".join("?" * len(row))
    rows = ([{**row, **each}[name] for name in row] for each in made)
    database.executemany(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", rows)


def _root(folder: Path, run_id: str) -> str:
    return str(folder / "files" / run_id / "artifacts")


def _model(folder: Path, run_id: str) -> str:
    return f"{_root(folder, run_id)}/model"
