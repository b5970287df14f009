"""Results of steps by the key of their contents: a small index in the blob store that says which run made them."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from homeostat.core.ports.blobs import BlobStore
from homeostat.train.graph import Planned, Recipe, Step, plan

KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A recipe and the run whose files are its result."""

    recipe: Recipe
    run_id: str


class StepCache:
    """The results known within one scope (an experiment), newest first, at most fifty for each step.

    The index is one small file for each step, replaced as a whole: of two writers at once the last wins, and what is lost is only a hit.
    """

    def __init__(self, blobs: BlobStore, scope: str) -> None:
        self._blobs = blobs
        self._scope = scope

    def entries(self, step: str) -> list[Entry]:
        """Return what is known of a step, newest first; an index that cannot be read is an empty one."""
        if not self._blobs.exists(self._path(step)):
            return []
        try:
            listed: list[dict[str, Any]] = json.loads(self._blobs.get_bytes(self._path(step)))
            return [Entry(recipe=Recipe(**one["recipe"]), run_id=one["run_id"]) for one in listed]
        except (ValueError, TypeError, KeyError):
            return []

    def look(self, step: Step) -> tuple[Planned, Entry | None]:
        """Return whether the result of a step without inputs is known, and where."""
        entries = self.entries(step.name)
        planned = plan([step], {step.name: [entry.recipe for entry in entries]})[0]
        found = next((entry for entry in entries if entry.recipe.key == planned.key), None)
        return planned, found

    def keep(self, planned: Planned, *, run_id: str) -> None:
        """Remember that a run holds the result of a step; an older result under the same key is forgotten."""
        others = [entry for entry in self.entries(planned.step.name) if entry.recipe.key != planned.key]
        entries = [Entry(recipe=planned.recipe, run_id=run_id), *others][:KEPT]
        self._blobs.put_bytes(self._path(planned.step.name), json.dumps([asdict(entry) for entry in entries]).encode())

    def _path(self, step: str) -> str:
        return f"cache/{self._scope}/{step}.json"
