"""Versions that are asked beside the one that answers: their rows are recorded, and no client waits for them."""

import logging
from collections.abc import Iterable
from datetime import datetime

from homeostat.core.errors import HomeostatError
from homeostat.serve.answer import Question
from homeostat.serve.errands import Errands
from homeostat.serve.evaluations import Evaluations
from homeostat.serve.loaded import Loaded
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.recorder import Recorder

log = logging.getLogger(__name__)


class Shadows:
    """Asks shadows as `errands`. Where `most_rows` wait for them, more are left out and counted: memory is bounded however slow they are."""

    def __init__(
        self,
        *,
        evaluations: Evaluations,
        recorder: Recorder,
        errands: Errands,
        metrics: ServeMetrics,
        most_rows: int,
    ) -> None:
        self._evaluations = evaluations
        self._recorder = recorder
        self._errands = errands
        self._metrics = metrics
        self._most_rows = most_rows
        self._rows = 0

    def ask(self, versions: Iterable[Loaded], asked: Question, received: datetime) -> None:
        """Begin to ask the versions for the rows that another one has answered; return at once."""
        for loaded in versions:
            rows = asked.table.height
            if self._rows and self._rows + rows > self._most_rows:
                self._metrics.shadow_dropped(asked.model)
                continue
            self._rows += rows
            loaded.asking += 1
            self._errands.begin(self._asked(loaded, asked, received))

    async def _asked(self, loaded: Loaded, asked: Question, received: datetime) -> None:
        try:
            outcome = await self._evaluations.ask(loaded, asked, "shadow", received)
            await self._recorder.write(asked.model, outcome.rows)
        except HomeostatError as error:
            log.warning("serve.shadow_not_recorded", extra={"model": asked.model, "why": error.message})
        finally:
            self._rows -= asked.table.height
            loaded.asking -= 1
