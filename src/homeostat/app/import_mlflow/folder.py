"""MLflow's folder `mlruns`: one file per param, tag and metric, and a meta.yaml wherever there is something."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from homeostat.app.import_mlflow.places import LocalPlaces
from homeostat.app.import_mlflow.source import model_id_in, time_of, time_or_none
from homeostat.core.errors import InvalidInput
from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.records.tracking import (
    Experiment,
    InputDataset,
    LoggedModel,
    LoggedModelMetric,
    LoggedModelStatus,
    Point,
    Run,
    RunDetail,
    RunStatus,
)
from homeostat.core.traces import Span, Trace

Json = dict[str, Any]
_META = "meta.yaml"
_RUN_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_MODEL_STATUS = {2: LoggedModelStatus.READY, 3: LoggedModelStatus.FAILED}
_NOT_EXPERIMENTS = {"models", ".trash"}


class FolderSource:
    """Traces are not brought over: a folder holds them in forms that changed from release to release."""

    def __init__(self, path: Path, *, artifacts_root: Path | None = None) -> None:
        self._root = path.resolve()
        self.name = str(self._root)
        self._places = LocalPlaces(self._root.parent, root=artifacts_root)
        self._folders = {self._id_of(folder): folder for folder in self._experiment_folders()}
        if not self._folders:
            raise InvalidInput(f"'{path}' is not a folder of MLflow: no experiment has a {_META} in it")

    def close(self) -> None:
        """Nothing is held open."""

    def experiments(self) -> Iterable[Experiment]:
        for experiment_id, folder in sorted(self._folders.items()):
            meta = _meta(folder)
            created = time_of(meta.get("creation_time"))
            yield Experiment(
                experiment_id=experiment_id,
                name=str(meta["name"]),
                created=created,
                updated=time_or_none(meta.get("last_update_time")) or created,
                artifacts=meta.get("artifact_location") or "",
                lifecycle_stage=meta.get("lifecycle_stage") or "active",
                tags=_texts(folder / "tags"),
            )

    def runs(self, experiment_id: str) -> Iterable[RunDetail]:
        for folder in sorted(self._folders[experiment_id].iterdir()):
            if folder.is_dir() and (folder / _META).is_file() and (folder / "params").is_dir():
                yield self._run(folder, experiment_id)

    def points(self, run: RunDetail) -> Iterator[Point]:
        folder = self._folders[run.run.experiment_id] / run.run.run_id / "metrics"
        for path in _below(folder):
            yield from _points(path, path.relative_to(folder).as_posix())

    def logged_models(self, experiment_id: str) -> Iterable[LoggedModel]:
        folder = self._folders[experiment_id] / "models"
        for each in sorted(folder.iterdir()) if folder.is_dir() else ():
            if (each / _META).is_file():
                yield _logged_model(each, experiment_id)

    def models(self) -> Iterable[RegisteredModel]:
        for folder in self._model_folders():
            meta = _meta(folder)
            created = time_of(meta.get("creation_timestamp"))
            yield RegisteredModel(
                name=str(meta["name"]),
                created=created,
                updated=time_or_none(meta.get("last_updated_timestamp")) or created,
                description=meta.get("description") or "",
                tags=_texts(folder / "tags"),
            )

    def versions(self, model: str) -> Iterable[ModelVersion]:
        folder = self._model_folder(model)
        found = sorted(folder.glob("version-*"), key=lambda path: int(path.name.removeprefix("version-")))
        for each in found:
            meta = _meta(each)
            if meta.get("current_stage") == "Deleted_Internal":
                continue
            source = meta.get("source") or ""
            created = time_of(meta.get("creation_timestamp"))
            yield ModelVersion(
                model=model,
                version=int(meta["version"]),
                run_id=meta.get("run_id") or "",
                created=created,
                updated=time_or_none(meta.get("last_updated_timestamp")) or created,
                location=meta.get("storage_location") or source,
                digests={},
                signature={},
                lineage={"run_id": meta.get("run_id") or ""},
                description=meta.get("description") or "",
                tags=_texts(each / "tags"),
                stage=meta.get("current_stage") or "None",
                source=source,
                model_id=meta.get("model_id") or model_id_in(source),
                run_link=meta.get("run_link") or "",
                user=str(meta.get("user_id") or ""),
            )

    def aliases(self, model: str) -> Mapping[str, int]:
        return {alias: int(version) for alias, version in _texts(self._model_folder(model) / "aliases").items()}

    def traces(self, experiment_id: str) -> Iterator[tuple[Trace, list[Span]]]:  # noqa: ARG002 - see the class
        return iter(())

    def files(self, uri: str) -> list[tuple[str, int]]:
        return self._places.files(uri)

    def read(self, uri: str, path: str) -> Iterator[bytes]:
        return self._places.read(uri, path)

    def _run(self, folder: Path, experiment_id: str) -> RunDetail:
        meta, tags = _meta(folder), _texts(folder / "tags")
        status: Any = meta.get("status")
        run = Run(
            run_id=str(meta.get("run_id") or meta["run_uuid"]),
            experiment_id=experiment_id,
            name=meta.get("run_name") or tags.get("mlflow.runName", ""),
            status=RunStatus(_RUN_STATUS.get(status, str(status))),
            started=time_of(meta.get("start_time")),
            ended=time_or_none(meta.get("end_time")),
            user=str(meta.get("user_id") or ""),
            artifacts=meta.get("artifact_uri") or "",
            lifecycle_stage=meta.get("lifecycle_stage") or "active",
            params=_texts(folder / "params"),
            tags=tags,
        )
        metrics = folder / "metrics"
        latest = []
        for path in _below(metrics):
            points = list(_points(path, path.relative_to(metrics).as_posix()))
            if points:
                latest.append(max(points, key=lambda point: (point.step, point.time_ms, point.value)))
        return RunDetail(
            run=run,
            latest=tuple(latest),
            datasets=tuple(self._datasets(folder, experiment_id)),
            model_inputs=tuple(str(_meta(each)["source_id"]) for each in self._links(folder, "inputs", "MODEL_INPUT")),
            model_outputs=tuple(
                (str(found["destination_id"]), int(found.get("step") or 0))
                for found in (_meta(each) for each in sorted((folder / "outputs").glob("*")))
            ),
        )

    def _links(self, folder: Path, kind: str, wanted: str) -> list[Path]:
        return [each for each in sorted((folder / kind).glob("*")) if _meta(each).get("source_type") == wanted]

    def _datasets(self, folder: Path, experiment_id: str) -> Iterator[InputDataset]:
        for each in self._links(folder, "inputs", "DATASET"):
            link = _meta(each)
            place = self._folders[experiment_id] / "datasets" / str(link["source_id"])
            if not (place / _META).is_file():
                continue
            found = _meta(place)
            tags = link.get("tags") or {}
            yield InputDataset(
                name=str(found["name"]),
                digest=str(found["digest"]),
                source_type=str(found.get("source_type") or ""),
                source=str(found.get("source") or ""),
                schema=found.get("schema"),
                profile=found.get("profile"),
                tags={str(key): str(value) for key, value in tags.items()},
            )

    def _experiment_folders(self) -> Iterator[Path]:
        for parent in (self._root, self._root / ".trash"):
            for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
                if folder.name not in _NOT_EXPERIMENTS and (folder / _META).is_file():
                    yield folder

    def _id_of(self, folder: Path) -> str:
        return str(_meta(folder).get("experiment_id", folder.name))

    def _model_folders(self) -> list[Path]:
        parent = self._root / "models"
        return [each for each in sorted(parent.iterdir()) if (each / _META).is_file()] if parent.is_dir() else []

    def _model_folder(self, model: str) -> Path:
        return next(folder for folder in self._model_folders() if _meta(folder)["name"] == model)


def _logged_model(folder: Path, experiment_id: str) -> LoggedModel:
    meta = _meta(folder)
    model_id = str(meta["model_id"])
    metrics = []
    for path in _below(folder / "metrics"):
        for line in path.read_text(encoding="utf-8").splitlines():
            time_ms, value, step, run_id, *dataset = line.split(" ")
            metrics.append(
                LoggedModelMetric(
                    model_id=model_id,
                    run_id=run_id,
                    key=path.relative_to(folder / "metrics").as_posix(),
                    value=_float(value),
                    time=time_of(int(time_ms)),
                    step=int(step),
                    dataset_name=dataset[0] if dataset else "",
                    dataset_digest=dataset[1] if len(dataset) > 1 else "",
                )
            )
    return LoggedModel(
        model_id=model_id,
        experiment_id=experiment_id,
        name=str(meta.get("name") or ""),
        created=time_of(meta.get("creation_timestamp")),
        updated=time_of(meta.get("last_updated_timestamp")),
        artifacts=meta.get("artifact_location") or str(folder / "artifacts"),
        status=_MODEL_STATUS.get(meta.get("status", 0), LoggedModelStatus.PENDING),
        status_message=meta.get("status_message") or "",
        model_type=meta.get("model_type") or "",
        source_run_id=meta.get("source_run_id") or "",
        lifecycle_stage=meta.get("lifecycle_stage") or "active",
        tags=_texts(folder / "tags"),
        params=_texts(folder / "params"),
        metrics=tuple(metrics),
    )


def _meta(folder: Path) -> Json:
    path = folder / _META
    try:
        found = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (OSError, yaml.YAMLError) as error:
        raise InvalidInput(f"'{path}' cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"'{path}' does not hold keys and values")
    return found


def _texts(folder: Path) -> dict[str, str]:
    """One text per file; a key with slashes is a file in folders."""
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in _below(folder)}


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _points(path: Path, key: str) -> Iterator[Point]:
    """Lines of `time value step`; old releases wrote no step."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            parts = line.split()
            if len(parts) >= 2:
                yield Point(key, _float(parts[1]), int(parts[0]), int(parts[2]) if len(parts) > 2 else 0)


def _float(text: str) -> float:
    value = float(text)
    return math.copysign(math.inf, value) if abs(value) >= 1.7976931348623157e308 else value
