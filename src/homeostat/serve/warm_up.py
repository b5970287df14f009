"""Warming a version up before it answers anybody: its first-time work is done, and one that dies, hangs or raises is found out."""

import asyncio
import logging
import math
from collections.abc import Iterable

from homeostat.core.errors import HomeostatError
from homeostat.serve.answer import VersionDown
from homeostat.serve.blank import blank
from homeostat.serve.evaluator import ModelError, Quick
from homeostat.serve.loaded import Loaded
from homeostat.serve.table import Table

log = logging.getLogger(__name__)


class WarmUpFailed(HomeostatError):
    """A version did not answer the rows that it was warmed up with; `why` says it of "it". Whoever answered before goes on."""

    code = "warm_up_failed"
    exit_status = 1
    http_status = 409

    def __init__(self, message: str, *, hint: str | None = None, version: int = 0, why: str = "") -> None:
        super().__init__(message, hint=hint)
        self.version = version
        self.why = why or message


async def warm_up(model: str, loaded: Loaded, recent: Iterable[Table], *, limit_s: float) -> None:
    """Ask a version for rows of recent requests that fit it, for a made-up one where there are none.

    Raises WarmUpFailed where its process dies twice over a request (once may be somebody else's doing), where there is no answer for
    `limit_s` seconds, and where its code raises on rows that another version has answered. A made-up row may be refused by a model that is sound.
    """
    rows = [table.fitted(loaded.signature.columns) for table in recent if _fits(table, loaded)]
    told = "on rows of recent requests" if rows else "on a made-up row"
    try:
        async with asyncio.timeout(limit_s):
            for table in rows or [blank(loaded.signature)]:
                await _asked(loaded, table)
            return
    except TimeoutError:
        why = f"no answer within {limit_s:g} s"
    except VersionDown as error:
        why = error.message.partition(";")[0]  # what is started again answers nobody here
    except ModelError as error:
        if not rows:
            log.info("serve.warm_up_refused", extra={"model": model, "version": loaded.version, "error": error.kind})
            return
        why = (
            f"its code raised {error.kind}"  # not its words: they may quote the rows, and the audit log forgets nothing
        )
    whole = f"failed its warm-up {told}: {why}"
    raise WarmUpFailed(
        f"version {loaded.version} of model '{model}' {whole}",
        hint="`homeostat predict` on rows like those of recent requests shows what it says",
        version=loaded.version,
        why=f"it {whole}",
    )


async def _asked(loaded: Loaded, table: Table) -> None:
    """Ask without the batcher where there is a process: its first answer may take longer than a client would wait."""
    if isinstance(loaded.evaluator, Quick):
        await loaded.batcher.ask(table)
        return
    try:
        await loaded.evaluator.evaluate(table)
    except VersionDown:
        await loaded.evaluator.until_up(math.inf)
        await loaded.evaluator.evaluate(table)


def _fits(table: Table, loaded: Loaded) -> bool:
    """Return whether the version could be asked for these rows: it has the columns, of their kinds, and no null where it takes none."""
    theirs = {column.name: (at, column.kind) for at, column in enumerate(table.columns)}
    for column in loaded.signature.columns:
        at, kind = theirs.get(column.name, (0, None))
        if kind is not column.kind:
            return False
        if not column.nullable and any(row[at] is None for row in table.rows()):
            return False
    return True
