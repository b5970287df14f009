"""A model package: a folder in MLflow's model format, written and read without MLflow (whose import costs more than the rest together).

Files: `MLmodel` (flavors `python_function`, for scikit-learn estimators `sklearn`, and `homeostat` with the exact signature),
`model.pkl` (cloudpickle: classes from the user's own files travel inside), `requirements.txt`, `python_env.yaml`, `input_example.json`,
`background.parquet` (rows that explanations compare with).
Format: https://mlflow.org/docs/latest/ml/model/ ("MLflow Models").

Loading runs code from the pickle: only packages that this project wrote or that a trusted person gave may be loaded.
"""

import json
import math
import platform
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput, InvalidRows
from homeostat.track.predictions import Predictions
from homeostat.train.answers import ask
from homeostat.train.signature import from_json, to_json

EXAMPLE_ROWS = 5
BACKGROUND_ROWS = 100
_ALWAYS_NEEDED = ("homeostat", "cloudpickle", "numpy", "pandas", "polars")
_BACKGROUND = "background.parquet"
_MLFLOW_TYPES = {
    Kind.FLOAT: "double",
    Kind.BOOLEAN: "boolean",
    Kind.CATEGORY: "string",
    Kind.TEXT: "string",
    Kind.DATETIME: "datetime",
}

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A model in memory and what it takes and answers."""

    model: Any
    signature: Signature


def write_package(
    model: Any,
    folder: Path,
    *,
    signature: Signature,
    example: "pl.DataFrame",
    now: datetime | None = None,
    code_root: Path | None = None,
) -> None:
    """Write the package into `folder` (made, must not exist or be empty). Modules loaded from below `code_root` travel inside the pickle.

    `example`: some rows, of which at most five are kept as an example, and 100, evenly spread, to explain answers by; `now`: the time of writing, the system's unless given. Raises InvalidInput where the model cannot be pickled.
    """
    from homeostat.train.frames import conform

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty", hint="a package is written once, into a folder of its own")
    content = _pickled(model, code_root)
    rows = conform(example.head(EXAMPLE_ROWS), signature.columns)
    (folder / "model.pkl").write_bytes(content)
    (folder / "MLmodel").write_text(_mlmodel(model, signature, now or datetime.now(UTC)), encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(_requirements(content)) + "\n", encoding="utf-8")
    (folder / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\nbuild_dependencies: []\ndependencies:\n- -r requirements.txt\n",
        encoding="utf-8",
    )
    (folder / "input_example.json").write_text(_example(rows), encoding="utf-8")
    conform(_spread(example), signature.columns).write_parquet(folder / _BACKGROUND)


def read_package(folder: Path, *, signature: Signature | None = None) -> Package:
    """Return the package in `folder`; raise InvalidInput where it is none, or where what it needs is not installed.

    A package that the `mlflow` client wrote does not say enough of what it answers: it needs the `signature` that a cycle gave its version.
    """
    whole = _mlmodel_of(folder)
    if "homeostat" not in whole["flavors"]:
        if signature is None:
            raise InvalidInput(
                f"the package in {folder} was logged by a client and does not say which target it answers",
                hint="`homeostat models adopt` gates its version and puts it to work",
            )
        from homeostat.train.client_package import read_client_model

        return Package(model=read_client_model(folder, whole), signature=signature)
    own = _described(folder)
    try:
        content = (folder / own["pickled_model"]).read_bytes()
    except OSError as error:
        raise _no_package(folder, error) from error
    return Package(model=_unpickled(content, folder), signature=from_json(own["signature"]))


def read_signature(folder: Path) -> Signature:
    """Return what the package in `folder` takes and answers, without running any code from it."""
    return from_json(_described(folder)["signature"])


def read_background(folder: Path, signature: Signature) -> "pd.DataFrame | None":
    """Return the rows that the package keeps to explain answers by, as the model gets them; a client's example where it has one, else None."""
    import polars as pl

    from homeostat.train.frames import to_pandas

    try:
        if (folder / _BACKGROUND).exists():
            frame = pl.read_parquet(folder / _BACKGROUND)
        else:
            example = json.loads((folder / "input_example.json").read_text(encoding="utf-8"))
            frame = pl.DataFrame(example["data"], schema=example["columns"], orient="row", infer_schema_length=None)
        return to_pandas(frame, signature.columns)
    except (OSError, ValueError, TypeError, KeyError, pl.exceptions.PolarsError, InvalidRows):
        return None


def _spread(rows: "pl.DataFrame") -> "pl.DataFrame":
    if rows.height <= BACKGROUND_ROWS:
        return rows
    return rows[[at * rows.height // BACKGROUND_ROWS for at in range(BACKGROUND_ROWS)]]


def _described(folder: Path) -> dict[str, Any]:
    try:
        own: dict[str, Any] = _mlmodel_of(folder)["flavors"]["homeostat"]
    except (KeyError, TypeError) as error:
        raise _no_package(folder, error) from error
    return own


def _mlmodel_of(folder: Path) -> dict[str, Any]:
    import yaml

    try:
        described: dict[str, Any] = yaml.load((folder / "MLmodel").read_text(encoding="utf-8"), Loader=_yaml_loader())  # noqa: S506 - a safe loader
        described["flavors"].keys()  # a mapping, or no package
    except (OSError, UnicodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise _no_package(folder, error) from error
    return described


def _no_package(folder: Path, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"{folder} is not a model package: {type(error).__name__}: {error}", hint="train and register the model again"
    )


def predict(package: Package, frame: "pl.DataFrame") -> Predictions:
    """Return the model's answers to the rows. Columns may come in any order, with others between.

    Raises InvalidRows where a column is missing or of a wrong type, InvalidInput where the model answers something that is none.
    """
    from homeostat.train.frames import to_pandas

    return ask(package.model, to_pandas(frame, package.signature.columns), package.signature)


def _pickled(model: Any, code_root: Path | None) -> bytes:
    import cloudpickle

    with _by_value(code_root):
        try:
            content: bytes = cloudpickle.dumps(model)
        except Exception as error:  # border: pickling runs foreign code, which raises what it likes
            raise InvalidInput(
                f"the model, a {type(model).__name__}, cannot be pickled: {type(error).__name__}: {error}",
                hint="keep open files, locks, connections and generators out of the model, or write __getstate__",
            ) from error
    return content


def _unpickled(content: bytes, folder: Path) -> Any:
    import cloudpickle

    try:
        return cloudpickle.loads(content)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"the model in {folder} needs the module '{error.name}', which is not installed here",
            hint=f"pip install -r {folder / 'requirements.txt'}",
        ) from error
    except Exception as error:  # border: unpickling runs foreign code, which raises what it likes
        raise InvalidInput(
            f"the model in {folder} cannot be loaded: {type(error).__name__}: {error}",
            hint="compare the installed versions with its requirements.txt",
        ) from error


@contextmanager
def _by_value(code_root: Path | None) -> Iterator[None]:
    """While open, cloudpickle stores modules of the user's project by value, so that packages load without the project's folder."""
    import cloudpickle

    own = [] if code_root is None else list(_modules_below(code_root.resolve()))
    known = cloudpickle.list_registry_pickle_by_value()
    fresh = [module for module in own if module.__name__ not in known]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _modules_below(root: Path) -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name == "__main__" or name.partition(".")[0] == "homeostat":
            continue
        path = Path(file)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            yield module


def _mlmodel(model: Any, signature: Signature, now: datetime) -> str:
    import yaml

    own = {"pickled_model": "model.pkl", "signature": to_json(signature)}
    flavors: dict[str, Any] = {
        "python_function": {
            "loader_module": "homeostat.train.pyfunc",
            "python_version": platform.python_version(),
            "env": {"virtualenv": "python_env.yaml"},
        },
        "homeostat": own,
    }
    if _is_sklearn(model):
        flavors["sklearn"] = {
            "pickled_model": "model.pkl",
            "serialization_format": "cloudpickle",
            "sklearn_version": metadata.version("scikit-learn"),
            "code": None,
        }
    described = {
        "flavors": flavors,
        "model_uuid": uuid.uuid4().hex,
        "utc_time_created": now.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "saved_input_example_info": {
            "artifact_path": "input_example.json",
            "type": "dataframe",
            "pandas_orient": "split",
        },
        "signature": mlflow_signature(signature),
    }
    return yaml.safe_dump(described, sort_keys=True, allow_unicode=True)


def mlflow_signature(signature: Signature) -> dict[str, str | None]:
    """Return the signature as MLflow writes it: JSON strings for inputs and outputs."""
    answer = "double"
    if signature.task is not Task.REGRESSION:
        names = {bool: "boolean", int: "long", float: "double", str: "string"}
        kinds = {type(label) for label in signature.classes}
        answer = names[kinds.pop()] if len(kinds) == 1 else "string"
    inputs = [
        {"type": _mlflow_type(column), "name": column.name, "required": not _is_optional(column)}
        for column in signature.columns
    ]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps([{"type": answer, "required": True}]), "params": None}


def _mlflow_type(column: Column) -> str:
    if column.kind is Kind.INTEGER:
        return "double" if column.nullable else "long"
    return _MLFLOW_TYPES[column.kind]


def _is_optional(column: Column) -> bool:
    # `required: false` lets the whole column be absent in MLflow; nulls in doubles, strings and times pass without it
    return column.nullable and column.kind is Kind.BOOLEAN


def _is_sklearn(model: Any) -> bool:
    return any(base.__module__ == "sklearn.base" and base.__name__ == "BaseEstimator" for base in type(model).__mro__)


def _requirements(pickled: bytes) -> list[str]:
    """Return pinned requirements: what every package needs, and the distributions of modules that the pickle names."""
    import pickletools

    named = {
        argument.partition(".")[0]
        for opcode, argument, _ in pickletools.genops(pickled)
        if isinstance(argument, str) and opcode.name in {"GLOBAL", "SHORT_BINUNICODE", "BINUNICODE", "UNICODE"}
    }
    owners = metadata.packages_distributions()
    wanted = {owner for module in named & owners.keys() & sys.modules.keys() for owner in owners[module]}
    return sorted({_pin(name) for name in [*_ALWAYS_NEEDED, *wanted]}, key=str.lower)


def _pin(distribution: str) -> str:
    return f"{distribution}=={metadata.version(distribution)}"


def _example(rows: "pl.DataFrame") -> str:
    return json.dumps({"columns": rows.columns, "data": [[_plain(value) for value in row] for row in rows.rows()]})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _yaml_loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
