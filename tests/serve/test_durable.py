"""What a killed server has acknowledged is in the record."""

import http.client
import json
import signal
import subprocess
import sys
import threading

import pytest

from homeostat.storage.records import FileRecords

SERVER = """
import os, sys
from pathlib import Path
from homeostat.core.records.routes import Route
from homeostat.serve.door import Desk
from homeostat.serve.engine import Engine
from homeostat.serve.plane import Plane
from homeostat.serve.request_ids import fresh_ids
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving

clock = serving.FixedClock()
record = FileRecords(Path(sys.argv[1]), writer_id="w", durability=sys.argv[2])
load = serving.in_threads(serving.Versions({1: serving.Says(0.75), 2: serving.Raises()}))

async def make():
    plane = Plane(load, record, clock)
    await plane.switchboard.switch(Route(model="m", generation=1, champion=1, canary=2, canary_percent=50.0))
    return Desk(plane=plane, record=record, settings=ServeSettings(), clock=clock, new_id=fresh_ids())

Engine(host="127.0.0.1", port=0, make=make, on_ready=lambda port: os.write(1, f"{port}\\n".encode())).run()
"""


def ask(port, thread, enough, acknowledged, failed):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        for number in range(10**6):
            request_id = f"{thread}-{number}"
            for path, body in (
                ("predict", {"rows": [{"x": 1.0, "city": None}], "request_id": request_id}),
                ("labels", {"labels": [{"request_id": request_id, "value": "yes"}]}),
            ):
                connection.request("POST", f"/models/m/{path}", body=json.dumps(body))
                response = connection.getresponse()
                response.read()
                (acknowledged if response.status == 200 else failed).append((path, request_id))
            if len(acknowledged) > 100:
                enough.set()
    except (OSError, http.client.HTTPException):
        pass  # killed
    finally:
        connection.close()


@pytest.mark.parametrize("durability", ["strict", "synced"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ended_in_the_midst_of_requests_has_recorded_what_it_acknowledged(tmp_path, number, durability):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), durability], stdout=subprocess.PIPE, text=True
    )
    port = int(server.stdout.readline())
    acknowledged, failed, enough = [], [], threading.Event()
    threads = [threading.Thread(target=ask, args=(port, n, enough, acknowledged, failed)) for n in range(3)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    server.send_signal(number)
    for thread in threads:
        thread.join(30)
    server.stdout.close()
    server.wait(30)
    records = FileRecords(tmp_path, writer_id="reader")
    predicted = set(records.read("predictions", "m").filter(status="ok", route="champion")["request_id"])
    labelled = set(records.read("labels", "m")["request_id"])
    assert not failed
    assert {request_id for path, request_id in acknowledged if path == "predict"} <= predicted
    assert {request_id for path, request_id in acknowledged if path == "labels"} <= labelled
    records.compact()
    assert set(records.read("predictions", "m").filter(status="ok", route="champion")["request_id"]) == predicted
