"""What was deleted, and waits to be freed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """Something that was deleted long enough ago: a run, a logged model, an experiment. `artifacts` is where its files are."""

    id: str
    artifacts: str
    experiment_id: str
