"""Two nodes of Ray that serve a project, one of which is lost: `python -m tests.app.ray_cluster PROJECT PORT REPORT`, with RAY_AUTH_TOKEN set."""

import http.client
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

import ray
from ray import serve
from ray.cluster_utils import Cluster

from homeostat.app.on_ray import application, deploy
from homeostat.app.project import load
from homeostat.app.wiring import House, open_house
from homeostat.core.records.routes import Route
from homeostat.registry.workers import await_workers

OPTIONS = {"ray_actor_options": {"num_cpus": 1}, "max_replicas_per_node": 1}
INTRUDER = "import ray; ray.init(address={address!r}); print(ray.get(ray.remote(lambda: 'in').remote()))"


@dataclass
class Asking:
    """A client, and what it was answered."""

    port: int
    answered: dict[str, tuple[int, float]] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error).encode()
        finally:
            connection.close()

    def ask(self, times: int = 1) -> set[int]:
        """Ask so often; return the versions that answered."""
        versions = set()
        for _ in range(times):
            n = next(self._numbers)
            body = {"rows": [{"x": n, "city": "Ulm"}], "request_id": f"r{n}"}
            status, text = self.send("POST", "/models/prices/predict", json.dumps(body).encode())
            if status != 200:
                self.refused.append((status, text[:200].decode(errors="replace")))
                continue
            said = json.loads(text)
            self.answered[f"r{n}"] = (said["version"], said["predictions"][0]["prediction"])
            versions.add(said["version"])
        return versions


def started(start):
    """Start a node. Ray gives its own helpers 15 s for that, which a busy machine may exceed."""
    for _ in range(5):
        try:
            return start()
        except Exception as error:  # noqa: BLE001 - Ray raises no other
            print("once more:", error, flush=True)
    raise SystemExit("Ray does not start")


def workers(house: House) -> int:
    with house.store.read() as tx:
        return len(tx.routes.workers(alive_since=house.clock.now() - timedelta(seconds=5)))


def promote(house: House, version: int) -> int:
    """Route to a version, and return how many workers have switched."""
    with house.store.write() as tx:
        route = tx.routes.put(Route(model="prices", generation=0, champion=version))
    return len(
        await_workers(house.store, clock=house.clock, model="prices", generation=route.generation, pause=time.sleep)
    )


def play(project: Path, port: int) -> dict:
    house = open_house(load(project), writer_id="test", actor="ann")
    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = started(lambda: Cluster(initialize_head=True, head_node_args=head))
    other = started(lambda: cluster.add_node(num_cpus=1))
    deploy(application(project=project, replicas=2, options=OPTIONS), address=cluster.address, port=port)
    client, told = Asking(port), {"workers": workers(house)}
    told["versions_before"] = sorted(client.ask(100))
    told["switched"] = promote(house, 2)
    told["versions_after"] = sorted(client.ask(50))
    told["refused_before"] = client.refused[:]
    cluster.remove_node(other, allow_graceful=False)
    killed, before = time.monotonic(), len(client.answered)
    while len(client.answered) < before + 200 and time.monotonic() < killed + 120:
        client.ask()
    told["answered_after_the_kill"] = len(client.answered) - before
    told["seconds_for_these"] = round(time.monotonic() - killed, 1)
    told["refused_after_the_kill"] = client.refused[len(told["refused_before"]) :]
    until = time.monotonic() + 60
    while workers(house) != 1 and time.monotonic() < until:
        time.sleep(0.1)
    told["switched_by_who_is_left"] = promote(house, 1)
    told["version_at_the_end"] = sorted(client.ask())
    told["too_long"] = client.send("POST", "/models/prices/predict", b"x" * 17_000_000)[0]
    told["compressed"] = client.send("POST", "/models/prices/predict", b"x", **{"content-encoding": "gzip"})[0]
    told["foreign_host"] = client.send("GET", "/models/prices", host="evil.example")[0]
    told["answered"] = client.answered
    told["intruder"] = subprocess.run(
        [sys.executable, "-c", INTRUDER.format(address=cluster.address)],
        env={**os.environ, "RAY_AUTH_TOKEN": "0" * 64},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout
    serve.shutdown()
    ray.shutdown()
    cluster.shutdown()
    return told


if __name__ == "__main__":
    report = play(Path(sys.argv[1]), int(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps(report))
    os._exit(0)  # Ray's threads are waited for by nobody
