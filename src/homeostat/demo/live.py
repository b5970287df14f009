"""The demo's second part: `homeostat up` on real requests, an honest retraining, and a bad challenger that is caught."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import polars as pl

from homeostat.app.project import load
from homeostat.app.up import answers
from homeostat.app.wiring import House, open_house
from homeostat.core.errors import CheckFailed, Conflict, Unreachable
from homeostat.core.ids import derived_id
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.records.events import Event
from homeostat.demo.replay import Airline, Tally, days
from homeostat.registry.versions import CHAMPION
from homeostat.retrain.requests import ask

_LEARNING = ("requested", "opened", "snapshot", "train", "gate", "refit", "registered")
_PATIENCE_S = 300.0  # what takes a few seconds on a free machine, on a very busy one
_LOOKS = 2  # the first may have begun to read before the day was over
Say = Callable[[str, str], None]


@dataclass(slots=True, kw_only=True)
class Story:
    """What happened, for the summary."""

    tally: Tally
    alert: str | None = None
    renewed: Cycle | None = None
    bad: Cycle | None = None
    seconds: float = 0.0
    first: int | None = None
    days: list[date] = field(default_factory=list)


class Live:
    """A running `homeostat up` and a client that replays flights against it. `say` gets (who, what) for each thing that happens."""

    def __init__(self, project_file: Path, flights: pl.DataFrame, *, start: datetime, say: Say) -> None:
        self._file = project_file
        self._house: House = open_house(load(project_file), writer_id=f"demo-{os.getpid()}", actor="demo")
        self._days: Iterator[tuple[date, pl.DataFrame]] = days(flights, start=start)
        self._say = say
        serve = self._house.project.serve
        self._airline = Airline(host=serve.host, port=serve.port, model=self._house.project.model)
        self._heard = 0
        self._log = project_file.parent / "up.log"
        self.story = Story(tally=self._airline.tally)

    def run(self, *, patience_days: int, progress: Callable[[str], None]) -> Story:
        """Play the whole story; raise CheckFailed where a part of it does not come about."""
        began = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            # whoever ends the demo, by a timeout say, ends what it brought up
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        process = self._up()
        try:
            self._until(lambda: self._champion() is not None, "the first model")
            self.story.first = self._champion()
            self.story.renewed = self._play(self._renewed, "a renewal", patience_days=patience_days, progress=progress)
            self.story.bad = self._play(
                self._bad_one, "the end of the bad challenger", patience_days=patience_days, progress=progress
            )
        finally:
            self._airline.close()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            self.listen()
        self.story.seconds = time.monotonic() - began
        return self.story

    def _up(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "homeostat", "up", "--replay", "--every", "0.2"]
        with self._log.open("wb") as log:
            process = subprocess.Popen(command, cwd=self._file.parent, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - ourselves
        serve = self._house.project.serve
        began = time.monotonic()
        while not answers(serve.host, serve.control_port):
            if process.poll() is not None or time.monotonic() - began > _PATIENCE_S:
                raise Unreachable(f"`homeostat up` did not start: {self._log.read_text()[-500:]}")
            time.sleep(0.05)
        self._say("up", f"control answers after {time.monotonic() - began:.1f} s")
        return process

    def _play(
        self, ended: Callable[[], Cycle | None], what: str, *, patience_days: int, progress: Callable[[str], None]
    ) -> Cycle:
        """Replay day after day until `ended` returns a cycle.

        A day takes a fraction of a second here, and learning takes longer: the replay stands still until the loop has looked at the day, and
        while a model is being trained. So the story does not depend on how fast the machine is.
        """
        ended()
        for count, (day, rows) in enumerate(self._days):
            self.story.days.append(day)
            progress(f"{day:%a %d %b %Y}")
            self._airline.fly(rows)
            self.listen()
            self._settle()
            found = ended()
            if found is not None:
                return found
            if count >= patience_days:
                break
        raise CheckFailed(f"{what} did not come within {patience_days} days of the replay", hint=f"see {self._log}")

    def _settle(self) -> None:
        """Wait until the loop has looked at all that was sent, and while it learns."""
        seen = self._looks()
        self._until(lambda: self._looks() >= seen + _LOOKS, "the loop's look at the day")
        self._until(lambda: not self._is_learning(), "the end of the training")

    def listen(self) -> None:
        """Tell what has been written into the audit log since the last time."""
        with self._house.store.read() as tx:
            events = tx.audit.events(after=self._heard)
        for event in events:
            self._heard = event.seq
            told = sentence(event)
            if told is not None:
                self._say(*told)
            if event.kind == "performance.decayed" and self.story.alert is None:
                self.story.alert = str(event.payload.get("summary"))

    def _bad_one(self) -> Cycle | None:
        """Return the bad challenger's cycle when it is over. It is asked for until the loop, which may be renewing the model, has taken it."""
        house = self._house
        try:
            cycle = ask(
                store=house.store,
                model=house.project.model,
                cycle_id=derived_id("demo", str(self._file)),
                trigger="manual",
                because="somebody is in a hurry",
                actor="demo",
                now=house.clock.now(),
                options={"train": "shuffled:train", "force": "the demo pushes a bad challenger past the gate"},
            )
        except Conflict:
            return None
        return cycle if cycle.state.is_over else None

    def _until(self, done: Callable[[], bool], what: str) -> None:
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > _PATIENCE_S:
                raise CheckFailed(f"{what} did not come within {_PATIENCE_S:.0f} s", hint=f"see {self._log}")
            time.sleep(0.05)
            self.listen()
        self.listen()

    def _looks(self) -> int:
        """Return how often the loop has looked; 0 where the control process does not answer (it may be starting anew)."""
        serve = self._house.project.serve
        connection = http.client.HTTPConnection(serve.host, serve.control_port, timeout=30.0)
        try:
            connection.request("GET", "/health")
            return int(json.loads(connection.getresponse().read()).get("looks", 0))
        except (OSError, http.client.HTTPException, ValueError):
            return 0
        finally:
            connection.close()

    def _champion(self) -> int | None:
        serve = self._house.project.serve
        with self._house.store.read() as tx:
            champion = tx.models.alias(self._house.project.model, CHAMPION)
            idle = tx.cycles.running(self._house.project.model) is None
        return champion if idle and answers(serve.host, serve.port) else None

    def _is_learning(self) -> bool:
        with self._house.store.read() as tx:
            running = tx.cycles.running(self._house.project.model)
        return running is not None and running.stage in _LEARNING

    def _renewed(self) -> Cycle | None:
        """Return the newest cycle that renewed the model by itself."""
        with self._house.store.read() as tx:
            recent = tx.cycles.recent(self._house.project.model, limit=20)
        of_itself = (cycle for cycle in recent if cycle.trigger not in ("first", "manual"))
        return next((cycle for cycle in of_itself if cycle.state is CycleState.PROMOTED), None)


def sentence(event: Event) -> tuple[str, str] | None:  # noqa: C901, PLR0911 - one line for each kind
    """Return who says what about an event, None for those that are no news."""
    told = event.payload
    match event.kind:
        case "cycle.requested":
            return "loop", f"a cycle starts ({told['trigger']}): {told['because']}"
        case "run.finished":
            return "train", "a candidate is trained" if told.get("metrics") else "it learned from the tested rows too"
        case "gate.passed" | "gate.failed":
            return "gate", f"{'PASSED' if event.kind == 'gate.passed' else 'FAILED'}: {told.get('summary')}"
        case "model_version.registered":
            forced = "" if told.get("gate_passed") else ", past the gate by force: the audit log keeps the reason"
            return "registry", f"version {told['version']} is registered{forced}"
        case "route.changed" if told.get("shadow"):
            return "rollout", f"version {told['shadow']} runs in the champion's shadow"
        case "route.changed" if told.get("canary"):
            return "rollout", f"version {told['canary']} answers {told['canary_percent']:g} % as canary"
        case "alias.moved":
            return "rollout", f"version {told['to']} is champion"
        case "model_version.rolled_back":
            return "rollout", f"version {told['version']} is ROLLED BACK: {told['because']}"
        case "performance.decayed":
            return "watch", f"ALERT: {told.get('summary')}"
        case "dataset.committed":
            return "data", f"version {told.get('version')} holds {told.get('rows', 0):,} rows"
        case _:
            return None
