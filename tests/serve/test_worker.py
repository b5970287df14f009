import http.client
import signal
import socket
import subprocess
import sys
import threading

import pytest

from homeostat.core.errors import InvalidInput, Unreachable
from homeostat.serve.worker import run_worker

SERVER = """
import asyncio, os, sys
from homeostat.serve.worker import run_worker

async def app(scope, receive, send):
    if scope["path"] == "/slow":
        os.write(1, b"in\\n")
        await asyncio.sleep(float(scope["query_string"]))
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})

def ready(port):
    os.write(1, f"{port}\\n".encode())

is_clean = run_worker(app, host=sys.argv[1], port=int(sys.argv[2]), drain_s=float(sys.argv[3]), on_ready=ready)
os.write(1, f"clean={is_clean}\\n".encode())
if not is_clean:
    os._exit(3)
"""


class Process:
    def __init__(self, host="127.0.0.1", port=0, drain_s=10.0):
        command = [sys.executable, "-W", "error", "-c", SERVER, host, str(port), str(drain_s)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.host = host
        self.port = int(self.process.stdout.readline() or 0)

    def ask(self, path="/"):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def ended(self):
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.fixture
def started():
    processes = []

    def start(**options):
        processes.append(Process(**options))
        return processes[-1]

    yield start
    for each in processes:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_quietly(started, number):
    server = started()
    held_open = http.client.HTTPConnection("127.0.0.1", server.port)
    held_open.request("GET", "/")
    assert held_open.getresponse().read().decode() == str(server.process.pid)
    server.process.send_signal(number)
    assert server.ended() == (0, "clean=True\n", "")
    held_open.close()


def test_a_request_under_way_is_answered_before_it_ends(started):
    server = started()
    answers = []
    asking = threading.Thread(target=lambda: answers.append(server.ask("/slow?0.5")))
    asking.start()
    assert server.process.stdout.readline() == "in\n"
    server.process.send_signal(signal.SIGTERM)
    assert server.ended() == (0, "clean=True\n", "")
    asking.join(10)
    assert answers == [str(server.process.pid)]


def test_hundreds_that_hold_connections_open_keep_nobody_out(started):
    server = started()
    held = []
    try:
        for at in range(600):
            held.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            held[-1].sendall([b"GET / HT", b""][at % 2])
        assert server.ask() == str(server.process.pid)
    finally:
        for each in held:
            each.close()


def test_what_does_not_end_in_time_is_left_and_told(started):
    server = started(drain_s=0.1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/slow?60")
    assert server.process.stdout.readline() == "in\n"
    server.process.send_signal(signal.SIGTERM)
    code, out, _ = server.ended()
    assert (code, out) == (3, "clean=False\n")
    connection.close()


def test_processes_share_a_port_and_one_may_go(started):
    first = started()
    second = started(port=first.port)
    pids = {str(first.process.pid), str(second.process.pid)}
    assert second.port == first.port
    met = set()
    while met != pids:
        met.add(first.ask())
    first.process.send_signal(signal.SIGTERM)
    assert first.ended()[0] == 0
    assert {second.ask() for _ in range(5)} == {str(second.process.pid)}


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_hosts_by_name_and_in_the_newer_kind_of_address(started, host):
    if host == "::1" and not _has_ipv6():
        pytest.skip("no IPv6 here")
    server = started(host=host)
    assert server.ask() == str(server.process.pid)


def _has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_an_event_ends_it_from_another_thread():
    stop, ports, outcome = threading.Event(), [], []
    ready = threading.Event()

    def on_ready(port):
        ports.append(port)
        ready.set()

    thread = threading.Thread(
        target=lambda: outcome.append(run_worker(app, host="127.0.0.1", port=0, stop=stop, on_ready=on_ready))
    )
    thread.start()
    assert ready.wait(10)
    connection = http.client.HTTPConnection("127.0.0.1", ports[0])
    connection.request("GET", "/")
    assert connection.getresponse().status == 204
    connection.close()
    stop.set()
    thread.join(10)
    assert outcome == [True]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))


def test_a_port_that_another_program_has_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Unreachable, match=f"port {port}: .*in use") as caught:
            run_worker(app, host="127.0.0.1", port=port)
    assert "serve.port" in caught.value.hint


@pytest.mark.parametrize("host", ["no.such.host.invalid", "", "1.2.3.4.5"])
def test_a_host_that_is_no_address_is_told(host):
    if host == "":
        host = "\0"
    with pytest.raises((InvalidInput, Unreachable)):
        run_worker(app, host=host, port=0)


def test_an_address_of_another_machine_is_told():
    with pytest.raises(Unreachable, match=r"192\.0\.2\.1"):
        run_worker(app, host="192.0.2.1", port=0)
