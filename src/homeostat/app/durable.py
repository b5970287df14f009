"""Cycles as durable DBOS workflows: killed anywhere, they resume at their last finished step when the process is back."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from dbos import DBOS, SetWorkflowID

from homeostat.core.ports import Durable
from homeostat.core.records import CycleState
from homeostat.retrain.cycle import CycleRequest

T = TypeVar("T")
Runner = Callable[[CycleRequest, Durable], CycleState]


class DbosSteps:
    """Implements core.ports.Durable inside a DBOS workflow."""

    def step(self, name: str, function: Callable[[], T]) -> T:
        return DBOS.run_step({"name": name}, function)


class DurableCycles:
    """The one owner of DBOS in a process; `run` is called once per step until each has finished.

    DBOS keeps its own tables: with SQLite in a file of its own, so that its writers and ours do not wait for each other.
    """

    def __init__(self, *, database_url: str, run: Runner) -> None:
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS(
            config={
                "name": "homeostat",
                "system_database_url": database_url,
                # pending cycles must survive an upgrade of the package, so the version is that of the cycle's order of steps
                "application_version": "cycle-1",
                "executor_id": "control",
                "log_level": "ERROR",
            }
        )

        def turn(request: dict[str, Any]) -> str:
            return run(CycleRequest(**request), DbosSteps()).value

        self._workflow = DBOS.workflow(name="cycle")(turn)

    def launch(self) -> None:
        """Start, and resume what a crash left unfinished."""
        DBOS.launch()

    def start(self, request: CycleRequest) -> None:
        """Start the cycle unless a cycle of that id was started before."""
        with SetWorkflowID(request.cycle_id):
            DBOS.start_workflow(self._workflow, asdict(request))

    def close(self) -> None:
        DBOS.destroy(destroy_registry=True)
