"""A whole batch: what was done is known, what is left is done, and the output appears at once when all of it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from homeostat.core.errors import Conflict, InvalidInput
from homeostat.serve.batch.executor import Executor, Model
from homeostat.serve.batch.inputs import Chunk, chunks
from homeostat.serve.batch.parts import Parts
from homeostat.serve.batch.scoring import refuse

OnBad = Literal["fail", "skip"]
ROWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked: `asked` is the model as the user wrote it, `model` and `version` what that meant when the batch began."""

    files: tuple[Path, ...]
    output: Path
    asked: str
    model: str
    version: int
    run_id: str
    on_bad: OnBad
    rows: int = ROWS

    def manifest(self) -> dict[str, Any]:
        """Return what two runs must agree on for the second to go on with the first."""
        inputs = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in self.files]
        return {
            "inputs": inputs,
            "model": self.model,
            "version": self.version,
            "on_bad": self.on_bad,
            "rows": self.rows,
            "asked": self.asked,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a batch came to; `resumed`: the parts that an earlier, interrupted run had finished."""

    output: str
    model: str
    version: int
    rows: int
    rejected: int
    rejects: str | None
    resumed: int


def begun_version(output: Path, asked: str) -> int | None:
    """Return the version that an interrupted batch for this output answers with, where it was asked for in the same words.

    A champion that changed meanwhile must not make an output of two versions.
    """
    found = Parts(output).manifest()
    return found["version"] if found is not None and found["asked"] == asked else None


def run_batch(
    order: Order,
    model: Model,
    executor: Executor,
    *,
    restart: bool = False,
    tell: Callable[[int], None] = lambda _: None,
) -> Done:
    """Write the output; `tell` gets the number of rows that are done. What an interrupted run finished is not done again.

    Raise Conflict where another batch was begun for this output (`restart` forgets it), InvalidRows at the first bad row unless they are
    skipped. Whatever is raised, finished parts stay, and the output is whole or not there.
    """
    parts = Parts(order.output)
    with parts.taken():
        _take_up(parts, order, restart=restart)
        seen = rows = resumed = 0

        def left() -> Iterator[Chunk]:
            nonlocal seen, rows, resumed
            for chunk in chunks(order.files, rows=order.rows):
                seen = chunk.number + 1
                if parts.has(chunk.number):
                    resumed += 1
                    rows += chunk.table.num_rows
                    tell(rows)
                else:
                    yield chunk

        for scored in executor.run(model, left()):
            if order.on_bad == "fail":
                refuse(scored.rejects)
            parts.add(scored)
            rows += scored.table.num_rows + len(scored.rejects)
            tell(rows)
        if not rows:
            raise InvalidInput("the input has no rows", hint="only a header is there: check the export")
        metadata = {
            "homeostat.model": order.model,
            "homeostat.version": str(order.version),
            "homeostat.run_id": order.run_id,
        }
        answered, rejected = parts.assemble(seen, metadata=metadata)
    return Done(
        output=str(order.output),
        model=order.model,
        version=order.version,
        rows=answered,
        rejected=rejected,
        rejects=str(parts.rejects) if rejected else None,
        resumed=resumed,
    )


def _take_up(parts: Parts, order: Order, *, restart: bool) -> None:
    wanted, found = order.manifest(), parts.manifest()
    if restart or found is None or (found != wanted and not parts.has_any()):
        parts.restart()
        parts.begin(wanted)
    elif found != wanted:
        other = ", ".join(name for name in wanted if found.get(name) != wanted[name])
        raise Conflict(
            f"{parts.folder} holds what another batch for this output has done (other: {other})",
            hint="--restart forgets it; or name another output",
        )
