"""The registry of a simulation: versions as they are in memory, and what became of them."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.core.columns import Signature
from homeostat.core.errors import HomeostatError, JobFailed
from homeostat.core.records.cycles import Cycle
from homeostat.retrain.triggers import Champion
from homeostat.track.predictions import Predictions
from homeostat.train.answers import ask
from homeostat.train.frames import to_pandas
from homeostat.train.traces import told
from homeostat.watch.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Version:
    """A model of the simulated registry. `tested` is the model that the gate saw, before its refit; `reference` is from its test rows."""

    number: int
    model: Any
    tested: Any
    signature: Signature
    reference: Reference
    trained_at: datetime
    rows: int
    root: Path

    def answer(self, rows: pl.DataFrame) -> Predictions:
        """Return its predictions; raise JobFailed where the model raises."""
        return answer(self.model, rows, self.signature, self.root)

    def answer_as_tested(self, rows: pl.DataFrame) -> Predictions:
        """Return the predictions of the model before its refit: like a candidate's, on rows that it may have been refitted on."""
        return answer(self.tested, rows, self.signature, self.root)


@dataclass(slots=True, kw_only=True)
class World:
    """What is true in the simulation: versions, those of them that became champion, cycles newest first, and how many models were fitted."""

    versions: list[Version] = field(default_factory=list)
    promoted: list[Version] = field(default_factory=list)
    champion: Version | None = None
    cycles: list[Cycle] = field(default_factory=list)
    fits: int = 0
    spent: float = 0.0  # members of stacks that were fitted since the last promotion, less what was earned

    def as_champion(self) -> Champion | None:
        if self.champion is None:
            return None
        one = self.champion
        return Champion(version=one.number, trained_at=one.trained_at, as_of=one.trained_at, rows=one.rows)


def answer(model: Any, rows: pl.DataFrame, signature: Signature, root: Path) -> Predictions:
    """Return what a model says about the rows; raise JobFailed where its code raises."""
    features = to_pandas(rows, signature.columns)
    try:
        return ask(model, features, signature)
    except HomeostatError:
        raise
    except Exception as error:  # border: the model is the user's code
        raise JobFailed(
            f"the model's predict raised {told(error, root)}", hint="correct the model; it must answer such rows"
        ) from error
