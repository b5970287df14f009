"""What a policy of a backtest is, what it looks at, and what it may do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy.typing as npt
import polars as pl

from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.simulated_world import Version
from homeostat.retrain.triggers import Firing, Situation
from homeostat.track.predictions import Predictions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Rows of a step whose labels have just become known, with what was said of them when they happened. `y`: of shape (rows,)."""

    rows: pl.DataFrame
    predictions: Predictions
    y: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """All that a policy may know at the end of a step. `step` is None before the first; `occasion` names the moment.

    `labelled`: what has become known since the last look, in order; nothing where nobody answered. `known`: all rows whose label is
    known by now, in order. `versions`: every model that was put to work, oldest first; the last answered the last step.
    """

    situation: Situation
    occasion: str
    step: int | None
    labelled: tuple[Labelled, ...]
    known: pl.DataFrame
    versions: tuple[Version, ...]

    def first(self) -> Decision:
        """Return the decision to train a first model."""
        return self.retrain("first", f"{self.situation.model} has no champion yet")

    def retrain(self, trigger: str, because: str, *, rows: int | None = None) -> Decision:
        """Return the decision to train now, on so many of the newest rows (None: on what the project says)."""
        firing = Firing(trigger=trigger, cause=self.occasion, because=because)
        return Decision(kind="retrain", because=because, firing=firing, rows=rows)


class Rule(Protocol):
    """A policy at work in one replay, asked at the end of each step, in order."""

    def decide(self, look: Look) -> Decision:
        """Return whether to train now."""

    def serving(self, look: Look) -> Version | None:
        """Return what answers until the next look (None: nothing does): asked once after every decision, when a new version is there."""


class OneByOne:
    """The newest version answers alone: what most policies do."""

    def serving(self, look: Look) -> Version | None:
        return look.versions[-1] if look.versions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A policy ready for one replay. `settings`: how a cycle is run. `work`: the share of steps that it will train at, roughly.

    `gate`: `judges`: a version must pass it; `measures`: a version is tested, so that the watch has a reference, and put to work whatever
    comes of it; `none`: a version is trained once, on everything that is known, and put to work unseen.
    """

    rule: Rule
    settings: RetrainSettings
    description: str
    gate: Literal["judges", "measures", "none"]
    work: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A kind of policy. `make` gets the project's settings of retraining, the number in its name (`every_5`) and the project.

    `also`: other names that people use. `words`: what it does, in a few words.
    """

    name: str
    words: str
    make: Callable[[RetrainSettings, int | None, Project], Chosen]
    takes_number: bool = False
    also: tuple[str, ...] = ()
