"""Estimators of performance without labels, each a file with one constant ESTIMATOR. Found by walking the package."""

from collections.abc import Mapping, Sequence

from homeostat.core.columns import Task
from homeostat.core.errors import NotFound, near
from homeostat.core.plugins import plugins
from homeostat.watch.estimator import Estimator

ESTIMATORS: Mapping[str, Estimator] = plugins(__name__, __path__, "ESTIMATOR")


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
