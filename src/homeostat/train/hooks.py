"""The user's train function: how it is found, and what it gets."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind, Signature, Task
from homeostat.core.errors import InvalidInput, near
from homeostat.train.frames import target, to_pandas
from homeostat.train.traces import told

if TYPE_CHECKING:
    import pandas as pd

Hook = Callable[["TrainingData"], Any]
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


@dataclass(kw_only=True, eq=False)
class TrainingData:
    """What a train function gets: labelled rows, oldest first where the data have a time column.

    `frame` is the polars frame with all columns, `params` what homeostat.yaml says under `train.params`.
    """

    frame: pl.DataFrame
    signature: Signature
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    is_ordered: bool = True
    logged_params: dict[str, str] = field(default_factory=dict)
    logged_metrics: dict[str, float] = field(default_factory=dict)

    @cached_property
    def X(self) -> "pd.DataFrame":  # noqa: N802 - the field's name
        """The features, shape (n_rows, n_features), with the column types that the model will meet in serving."""
        return to_pandas(self.frame, self.signature.columns)

    @cached_property
    def y(self) -> npt.NDArray[Any]:
        """The true values, shape (n_rows,)."""
        return target(self.frame[self.signature.target], self.task)

    @property
    def task(self) -> Task:
        return self.signature.task

    @property
    def features(self) -> list[str]:
        return list(self.signature.names)

    @property
    def target(self) -> str:
        return self.signature.target

    @property
    def categorical(self) -> list[str]:
        return [column.name for column in self.signature.columns if column.kind is Kind.CATEGORY]

    def log_param(self, key: str, value: object) -> None:
        """Record a parameter with the run."""
        self.logged_params[str(key)] = str(value)

    def log_metric(self, key: str, value: float) -> None:
        """Record a number with the run; the last value of a key stays."""
        self.logged_metrics[str(key)] = float(value)


def load_hook(name: str, root: Path) -> Hook:
    """Return the function that `module:function` names, its module found in the project's folder first.

    Raises InvalidInput where the name is malformed, the module is not found or does not import, or there is no such function.
    """
    module_name, function_name = _parts(name)
    module = _module(module_name, root.resolve())
    found = getattr(module, function_name, None)
    if found is None:
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InvalidInput(
            f"module '{module_name}' has no function '{function_name}'",
            hint=near(function_name, functions) or f"define {function_name}(data) in it",
        )
    if not callable(found):
        raise InvalidInput(
            f"'{name}' is a {type(found).__name__}, not a function",
            hint=f"define {function_name}(data) in {module_name}",
        )
    return found  # type: ignore[no-any-return]


def find_module(name: str, root: Path) -> None:
    """Raise InvalidInput where `module:function` is malformed, or names a module that is neither in the folder nor installed. Runs no user code."""
    module, _ = _parts(name)
    first = module.partition(".")[0]
    inside = root.joinpath(*module.split("."))
    if inside.is_dir() or inside.with_suffix(".py").is_file():
        return
    is_installed = importlib.util.find_spec(first) is not None
    if is_installed and not (root / first).is_dir():
        return
    raise _no_module(module, root.resolve())


def _parts(name: str) -> tuple[str, str]:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"'{name}' does not name a function", hint="write module:function, as in train: model:train")
    module, _, function = name.partition(":")
    return module, function


def _no_module(name: str, root: Path) -> InvalidInput:
    known = [".".join(path.relative_to(root).with_suffix("").parts) for path in _python_files(root)]
    return InvalidInput(
        f"no module '{name}' in {root}", hint=near(name, known) or f"create {name.replace('.', '/')}.py"
    )


def _module(name: str, root: Path) -> ModuleType:
    _forget_namesake(name, root)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise _no_module(name, root) from error
        raise InvalidInput(
            f"module '{name}' does not import: {told(error, root)}", hint=f"install '{error.name}' or correct its name"
        ) from error
    except (Exception, SystemExit) as error:  # border: importing runs the user's code
        raise InvalidInput(
            f"module '{name}' does not import: {told(error, root)}", hint=f"try: python -c 'import {name}'"
        ) from error


def _forget_namesake(name: str, root: Path) -> None:
    """Drop a module of the same name that another project's folder loaded; refuse names of the standard library."""
    first = name.partition(".")[0]
    if not ((root / f"{first}.py").exists() or (root / first).is_dir()):
        return
    if first in sys.stdlib_module_names:
        raise InvalidInput(f"'{first}' is also a module of Python itself", hint="give the file another name")
    file = getattr(sys.modules.get(first), "__file__", None)
    if file and not Path(file).resolve().is_relative_to(root):
        for loaded in [key for key in sys.modules if key == first or key.startswith(first + ".")]:
            del sys.modules[loaded]


def _python_files(root: Path) -> list[Path]:
    return [*root.glob("*.py"), *root.glob("[!.]*/*.py")][:1000]
