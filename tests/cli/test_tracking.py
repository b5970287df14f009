import http.client
import json
import signal
import socket
import subprocess
import sys
import time

import psutil


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_one_process_serves_without_a_project_and_keeps_its_state_in_the_folder(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "homeostat", "tracking", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                body = json.dumps({"name": "a"})
                kind = {"Content-Type": "application/json"}
                connection.request("POST", "/api/2.0/mlflow/experiments/create", body, kind)
                assert json.loads(connection.getresponse().read()) == {"experiment_id": "1"}
                break
            except OSError:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            finally:
                connection.close()
        assert psutil.Process(process.pid).children(recursive=True) == []
        assert (tmp_path / ".homeostat" / "homeostat.db").exists()
        assert (tmp_path / ".homeostat").stat().st_mode & 0o777 == 0o700
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"export MLFLOW_TRACKING_URI=http://127.0.0.1:{port}" in told


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        command = [sys.executable, "-m", "homeostat", "tracking", "--port", str(other.getsockname()[1])]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 5
    assert "cannot listen" in done.stderr
