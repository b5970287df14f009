"""Which metrics a task has unless told otherwise. Names only: who reads a project's settings needs no numbers."""

from homeostat.core.columns import Task

_PRIMARY = {Task.BINARY: "log_loss", Task.MULTICLASS: "log_loss", Task.REGRESSION: "mae"}
_DEFAULTS = {
    Task.BINARY: ("log_loss", "roc_auc", "brier", "accuracy"),
    Task.MULTICLASS: ("log_loss", "roc_auc", "brier", "accuracy", "f1"),
    Task.REGRESSION: ("mae", "rmse", "r2"),
}


def defaults(task: Task) -> tuple[str, ...]:
    """Return the metrics that a run of that task records unless told otherwise, the primary one first."""
    return _DEFAULTS[task]


def primary(task: Task) -> str:
    """Return the metric that decides where the project names none: a proper score, and a mean over rows."""
    return _PRIMARY[task]
