"""Training in this process: find the function, choose the rows, call it, look at what came back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.core.columns import Roles, Signature
from homeostat.core.errors import HomeostatError, JobFailed
from homeostat.train.hooks import Hook, TrainingData, load_hook
from homeostat.train.rows import training_rows
from homeostat.train.settings import TrainSettings
from homeostat.train.traces import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model and what its training logged. `dropped`: rows left out because they had no label or were too old."""

    model: Any
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    rows: int
    dropped: int


def fit(train: pl.DataFrame, *, roles: Roles, signature: Signature, settings: TrainSettings, root: Path) -> Any:
    """Return a model trained in this process; see `fit_logged`."""
    return fit_logged(train, roles=roles, signature=signature, settings=settings, root=root).model


def fit_logged(
    train: pl.DataFrame, *, roles: Roles, signature: Signature, settings: TrainSettings, root: Path
) -> Fitted:
    """Return a trained model with what was logged. Without limits: whoever does not trust the code uses `jobs.train_in_child`.

    Raises InvalidInput where the function cannot be found, NotEnoughData without rows, JobFailed where it raises or returns no model.
    """
    hook = load_hook(settings.function, root) if settings.function else _default()
    rows = training_rows(train, roles=roles, settings=settings)
    data = TrainingData(
        frame=rows,
        signature=signature,
        seed=settings.seed,
        params=settings.params,
        is_ordered=roles.time is not None,
    )
    model = _call(hook, data, name=settings.function or "the default trainer", root=root)
    return Fitted(
        model=model,
        params=data.logged_params,
        metrics=data.logged_metrics,
        rows=len(rows),
        dropped=len(train) - len(rows),
    )


def _default() -> Hook:
    from homeostat.train.default import train

    return train


def _call(hook: Hook, data: TrainingData, *, name: str, root: Path) -> Any:
    try:
        model = hook(data)
    except HomeostatError:
        raise
    except SystemExit as error:
        raise JobFailed(
            f"{name} called sys.exit({error.code!r})", hint="return the model, and raise an error where there is none"
        ) from error
    except MemoryError as error:
        raise JobFailed(f"{name} ran out of memory: {told(error, root)}", hint="train on fewer rows") from error
    except Exception as error:  # border: the job runs the user's code
        raise JobFailed(
            f"{name} raised {told(error, root)}", hint="correct the function; its output is in the run's log"
        ) from error
    return _checked(model, name)


def _checked(model: Any, name: str) -> Any:
    if model is None:
        raise JobFailed(f"{name} returned None and not a model", hint="end the function with `return model`")
    if isinstance(model, type):
        raise JobFailed(
            f"{name} returned the class {model.__name__} and not a model", hint=f"return {model.__name__}(...), fitted"
        )
    if not callable(getattr(model, "predict", None)):
        raise JobFailed(
            f"{name} returned a {type(model).__name__}, which has no method predict",
            hint="return an object with predict(X), and predict_proba(X) where it knows probabilities",
        )
    return model
