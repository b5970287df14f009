"""Estimators of performance without labels, each a file with one constant ESTIMATOR. Found by walking the package."""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence

from homeostat.core.columns import Task
from homeostat.core.errors import NotFound, near
from homeostat.watch.estimator import Estimator


def _discover() -> dict[str, Estimator]:
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return dict(sorted((module.ESTIMATOR.name, module.ESTIMATOR) for module in modules))


ESTIMATORS: Mapping[str, Estimator] = _discover()


def estimators(names: Sequence[str] | None, *, task: Task, metric: str) -> list[Estimator]:
    """Return those of `names` (None: all) that can estimate the metric of such a task; raise NotFound for a name that none has.

    >>> [one.name for one in estimators(None, task=Task.REGRESSION, metric="mae")]
    ['dle']
    """
    for name in names or []:
        if name not in ESTIMATORS:
            raise NotFound(f"no estimator '{name}'", hint=near(name, ESTIMATORS))
    wanted = ESTIMATORS if names is None else names
    return [
        ESTIMATORS[name] for name in wanted if task in ESTIMATORS[name].tasks and metric in ESTIMATORS[name].metrics
    ]
