"""Cycles as durable DBOS workflows: killed anywhere, they resume at their last finished step when the process is back.

DBOS is imported where it is used: it takes 30 MB, which a process without a cycle need not have.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from homeostat.core.errors import HomeostatError
from homeostat.core.ports.cycles import Durable
from homeostat.core.records.cycles import CycleState
from homeostat.retrain.cycle import CycleRequest

log = logging.getLogger(__name__)

T = TypeVar("T")
Runner = Callable[[CycleRequest, Durable], CycleState]


_LOST = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class StepBroke(HomeostatError):
    """A step of a cycle met what nobody foresaw; the log has the whole story."""


class Unfinished(HomeostatError):
    """A cycle stopped where not even that could be written down; a new process takes it up at its last finished step."""


class DbosSteps:
    """Implements core.ports.cycles.Durable inside a DBOS workflow."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        from dbos import DBOS

        def guarded() -> T:
            try:
                return function()
            except HomeostatError:
                raise
            except (
                Exception
            ) as error:  # the border of a job: a full disk or a bug must end the cycle, not leave it hanging
                log.exception("step '%s' of a cycle broke", name)
                raise StepBroke(f"step '{name}' broke: {type(error).__name__}: {error}") from error

        return DBOS.run_step({"name": name}, guarded)


class DurableCycles:
    """The one owner of DBOS in a process; `run` is called once per step until each has finished.

    DBOS keeps its own tables: with SQLite in a file of its own, so that its writers and ours do not wait for each other.
    """

    def __init__(self, *, database_url: str, run: Runner) -> None:
        from dbos import DBOS

        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(
            config={
                "name": "homeostat",
                "system_database_url": database_url,
                # pending cycles must survive an upgrade of the package, so the version is that of the cycle's order of steps
                "application_version": "cycle-1",
                # the same on every machine: whoever leads the loop, and only they, runs what is pending
                "executor_id": "control",
                "log_level": "ERROR",
            }
        )

        self._raised: dict[str, str] = {}

        def turn(request: dict[str, Any]) -> str:
            try:
                return run(CycleRequest(**request), DbosSteps()).value
            except Exception as error:
                self._raised[request["cycle_id"]] = f"{type(error).__name__}: {error}"
                raise

        self._workflow = DBOS.workflow(name="cycle")(turn)

    def launch(self) -> None:
        """Start, and resume what a crash left unfinished."""
        from dbos import DBOS

        DBOS.launch()

    def start(self, request: CycleRequest) -> None:
        """Start the cycle unless a cycle of that id was started before."""
        from dbos import DBOS, SetWorkflowID

        with SetWorkflowID(request.cycle_id):
            DBOS.start_workflow(self._workflow, asdict(request))

    def lost(self, cycle_id: str) -> str | None:
        """Return why nobody will ever finish the cycle, None where somebody may; raise Unfinished where only a new process can."""
        from dbos import DBOS

        found = DBOS.get_workflow_status(cycle_id)
        if found is not None and found.status in _LOST:
            return f"its workflow ended as {found.status}" + (f": {found.error}" if found.error else "")
        if found is not None and found.status == "PENDING" and cycle_id in self._raised:
            raise Unfinished(
                f"cycle {cycle_id[:12]} could not write down what it did: {self._raised[cycle_id].splitlines()[0]}",
                hint="the loop starts anew and takes it up at its last finished step; is the disk full?",
            )
        return None

    def close(self) -> None:
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True)
