import asyncio
import json

import pytest

ROOT = "/api/2.0/mlflow-artifacts/"
FILES = f"{ROOT}artifacts/"
ESCAPES = (
    "../x", "a/../../x", "%2e%2e/x", "a/%252e%252e/x", "..%2fx", "a\\b", "%5c..%5cx", "/etc/passwd", "C:/x", "c:x", "file:///etc/passwd",
    "file:x", "a\0b", "a%00b", "a%2500b", "a//b", "./a", "a/.", "a#b", "a%23b", "x" * 3000, "%2fetc/passwd", "a\nb",
)  # fmt: skip


def put(client, path, content=b"x", **headers):
    return client.send("PUT", FILES + path, body=content, headers=headers)


def listing(client, path=""):
    status, _, body = client.send("GET", f"{ROOT}artifacts", query=f"path={path}")
    assert status == 200, body
    return json.loads(body)["files"]


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_comes_back_as_an_attachment_that_no_browser_runs(client):
    for name, kind in (
        ("a.html", b"text/html; charset=utf-8"),
        ("a.svg", b"image/svg+xml"),
        ("MLmodel", b"text/plain; charset=utf-8"),
    ):
        status, _, answer = put(client, f"1/r/artifacts/{name}", b"<script>", **{"content-type": "text/html"})
        assert (status, answer) == (200, b"")
        status, headers, body = client.send("GET", f"{FILES}1/r/artifacts/{name}")
        assert (status, body) == (200, b"<script>")
        assert headers[b"content-type"] == kind
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"content-disposition"].startswith(f'attachment; filename="{name}"'.encode())
        assert headers[b"content-security-policy"] == b"sandbox; default-src 'none'"
        assert headers[b"content-length"] == b"8"


def test_a_name_cannot_break_out_of_its_header(client):
    name = "a\"; x=ü'.txt"
    put(client, f"1/{name}")
    _, headers, _ = client.send("GET", f"{FILES}1/{name}")
    assert (
        headers[b"content-disposition"]
        == b"attachment; filename=\"a__ x___.txt\"; filename*=UTF-8''a%22%3B%20x%3D%C3%BC%27.txt"
    )


def test_a_range_is_answered(client):
    put(client, "1/a.bin", bytes(range(100)))
    status, headers, body = client.send("GET", f"{FILES}1/a.bin", headers={"range": "bytes=10-19"})
    assert (status, body) == (206, bytes(range(10, 20)))
    assert headers[b"content-range"] == b"bytes 10-19/100"


def test_folders_are_listed_with_sizes(client):
    put(client, "1/r/artifacts/b.txt", b"12")
    put(client, "1/r/artifacts/model/MLmodel", b"1")
    assert listing(client, "1/r/artifacts") == [
        {"path": "b.txt", "is_dir": False, "file_size": 2},
        {"path": "model", "is_dir": True},
    ]
    assert listing(client, "1/r/artifacts/") == listing(client, "1/r/artifacts")
    assert listing(client, "1/r/artifacts/b.txt") == []
    assert listing(client, "nowhere") == []
    assert listing(client) == [{"path": "1", "is_dir": True}]


def test_files_and_folders_are_deleted(client):
    put(client, "1/a/b.txt")
    put(client, "1/a/c.txt")
    assert client.send("DELETE", f"{FILES}1/a/b.txt")[0] == 200
    assert [entry["path"] for entry in listing(client, "1/a")] == ["c.txt"]
    assert client.send("DELETE", f"{FILES}1/a")[0] == 200
    assert client.send("DELETE", f"{FILES}1/a")[0] == 200
    assert listing(client, "1") == []


def test_what_is_not_there_or_a_folder_is_told(client):
    put(client, "1/a/b.txt")
    for path, status, code in (("1/none", 404, "RESOURCE_DOES_NOT_EXIST"), ("1/a", 400, "INVALID_PARAMETER_VALUE")):
        found, _, body = client.send("GET", FILES + path)
        assert (found, json.loads(body)["error_code"]) == (status, code)
    for path in ("1/a", "1/a/b.txt/c"):
        assert put(client, path)[0] == 400
    assert put(client, "")[0] == 400
    assert client.send("DELETE", FILES)[0] == 400
    assert client.send("GET", f"{FILES}1/a/b.txt")[2] == b"x"


@pytest.mark.parametrize("path", ESCAPES)
def test_a_path_that_leads_elsewhere_is_refused_and_nothing_is_touched(client, tmp_path, path):
    (tmp_path / "x").write_text("secret")
    put(client, "1/a")
    before = everything(tmp_path)
    for method in ("GET", "PUT", "DELETE"):
        status, _, body = client.send(method, FILES + path, body=b"y", headers={})
        assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (method, body)
    for place in ("mpu/create/", "mpu/complete/", "mpu/abort/"):
        body = json.dumps({"path": "f", "num_parts": 1, "upload_id": "0" * 32}).encode()
        assert client.send("POST", ROOT + place + path, body=body)[0] in (400, 404)
    assert everything(tmp_path) == before
    assert (tmp_path / "x").read_text() == "secret"


@pytest.mark.parametrize("path", ["../x", "%252e%252e/x", "/etc", "C:/x", "file:x", "a\\b"])
def test_a_listing_stays_inside_too(client, path):
    from urllib.parse import quote

    status, _, _ = client.send("GET", f"{ROOT}artifacts", query=f"path={quote(path, safe='')}")
    assert status == 400


def test_a_link_inside_the_root_is_not_followed(client, tmp_path):
    put(client, "1/a")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "blobs" / "artifacts" / "1" / "link").symlink_to(tmp_path)
    for method, path in (
        ("GET", "1/link/secret"),
        ("PUT", "1/link/secret"),
        ("DELETE", "1/link/secret"),
        ("PUT", "1/link/new"),
    ):
        assert client.send(method, FILES + path, body=b"y", headers={})[0] == 400
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "new").exists()
    assert [entry["path"] for entry in listing(client, "1")] == ["a"]


def test_what_the_loop_keeps_is_read_and_never_written(client):
    client.desk.blobs.put_bytes("runs/abc/model/MLmodel", b"ours")
    client.desk.blobs.put_bytes("quarantine/q", b"ours")
    assert client.send("GET", f"{FILES}runs/abc/model/MLmodel")[2] == b"ours"
    for method in ("PUT", "DELETE"):
        assert client.send(method, f"{FILES}runs/abc/model/MLmodel", body=b"theirs", headers={})[0] == 403
    assert client.send("GET", f"{FILES}quarantine/q")[0] == 404
    assert client.desk.blobs.get_bytes("runs/abc/model/MLmodel") == b"ours"


# -- streams


def streamed(client, path, messages, **headers):
    """Send a body message by message; return the status, None where the answer was nothing."""
    sent = []
    scope = {
        "type": "http",
        "method": "PUT",
        "path": FILES + path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    waiting = list(messages)

    async def receive():
        await asyncio.sleep(0)
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    client.loop.run_until_complete(client.api(scope, receive, send))
    return sent[0]["status"] if sent else None


def piece(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_long_upload_in_odd_pieces_is_whole(client):
    parts = [bytes([n % 256]) * (n * 997 % 50_000) for n in range(300)]
    messages = [*(piece(part) for part in parts), piece(b"", more=False)]
    assert streamed(client, "1/big", messages) == 200
    assert client.desk.blobs.get_bytes("artifacts/1/big") == b"".join(parts)
    many = [piece(b"ab")] * 3000
    assert streamed(client, "1/small", [*many, piece(b"c", more=False)], content_length="6001") == 200
    assert client.desk.blobs.get_bytes("artifacts/1/small") == b"ab" * 3000 + b"c"


@pytest.mark.parametrize(
    ("messages", "headers"),
    [
        ([piece(b"x" * 2_000_000), {"type": "http.disconnect"}], {}),
        ([{"type": "http.disconnect"}], {}),
        ([piece(b"half", more=False)], {"content_length": "9"}),
    ],
)
def test_a_broken_upload_leaves_nothing_and_keeps_what_was_there(client, tmp_path, messages, headers):
    put(client, "1/old", b"old")
    for path in ("1/new", "1/old", "2/deep/new"):
        assert streamed(client, path, messages, **headers) == 400
    assert client.desk.blobs.get_bytes("artifacts/1/old") == b"old"
    assert everything(tmp_path / "blobs") == ["artifacts/1/old"]


# -- runs and logged models


def test_the_files_of_a_run_are_listed_below_its_root(client):
    run = client.post("runs/create", experiment_id="0")["run"]["info"]
    place = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put(client, f"{place}/model/MLmodel", b"m")
    found = client.get("artifacts/list", run_id=run["run_id"])
    assert found == {"root_uri": run["artifact_uri"], "files": [{"path": "model", "is_dir": True}]}
    below = client.get("artifacts/list", run_id=run["run_id"], path="model")
    assert below["files"] == [{"path": "model/MLmodel", "is_dir": False, "file_size": 1}]
    assert client.refused("artifacts/list", method="GET", run_id=run["run_id"], path="../..")[0]
    assert client.refused("artifacts/list", method="GET", expect=404, run_id="0" * 32)[0] == "RESOURCE_DOES_NOT_EXIST"
    status, _, body = client.send("GET", "/get-artifact", query=f"run_id={run['run_id']}&path=model/MLmodel")
    assert (status, body) == (200, b"m")


def test_files_of_no_run_are_told_and_a_part_of_an_id_is_none(client):
    known = client.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    for asked in (known[:31], "nobody", "x" * 300_000):
        status, _, body = client.send("GET", "/get-artifact", query=f"run_id={asked}&path=a")
        assert (status, json.loads(body)["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_name_that_no_file_system_takes_is_refused(client, tmp_path):
    for path in ("x" * 256, "é" * 128, "/".join(["x" * 250] * 5)):
        for method in ("GET", "PUT", "DELETE"):
            status, _, body = client.send(method, FILES + path, body=b"y", headers={})
            assert (status, json.loads(body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), body
    assert put(client, "1/" + "x" * 255)[0] == 200
    assert len(everything(tmp_path / "blobs")) == 1


def test_the_files_of_a_logged_model_are_listed_below_its_root(client):
    info = client.post("logged-models", experiment_id="0", name="m")["model"]["info"]
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put(client, f"{place}/MLmodel", b"m")
    path = f"logged-models/{info['model_id']}/artifacts/"
    found = client.get(f"{path}directories")
    assert found["root_uri"] == info["artifact_uri"]
    assert [entry["path"] for entry in found["files"]] == ["MLmodel"]
    assert client.refused(f"{path}directories", method="GET", artifact_directory_path="../x")[0]
    status, _, body = client.send("GET", f"/api/2.0/mlflow/{path}files", query="artifact_file_path=MLmodel")
    assert (status, body) == (200, b"m")


# -- in parts


def begin(client, parts=2, file="/home/ann/big.bin"):
    status, _, body = client.send(
        "POST",
        f"{ROOT}mpu/create/1/r/artifacts",
        body=json.dumps({"path": file, "num_parts": parts}).encode(),
        headers={"content-type": "application/json", "host": "ml.example:5000"},
    )
    return status, json.loads(body)


def send_part(client, upload, number, content):
    url = upload["credentials"][number - 1]["url"]
    path = url.removeprefix("http://ml.example:5000")
    status, headers, _ = client.send("PUT", path, body=content, headers={})
    return status, headers.get(b"etag", b"").decode()


def end(client, what, upload, tags=(), file="/home/ann/big.bin"):
    parts = [{"part_number": number, "etag": tag, "url": "x"} for number, tag in tags]
    body = {"path": file, "upload_id": upload["upload_id"], "parts": parts}
    return client.send("POST", f"{ROOT}mpu/{what}/1/r/artifacts", body=json.dumps(body).encode())[0]


def test_a_file_in_parts_is_visible_when_it_is_complete(client, tmp_path):
    status, upload = begin(client)
    assert status == 200
    tags = [
        (number, send_part(client, upload, number, content)[1]) for number, content in ((2, b"world"), (1, b"hello "))
    ]
    assert listing(client) == []
    assert end(client, "complete", upload, tags) == 200
    assert client.send("GET", f"{FILES}1/r/artifacts/big.bin")[2] == b"hello world"
    assert everything(tmp_path / "blobs") == ["artifacts/1/r/artifacts/big.bin"]
    assert end(client, "complete", upload, tags) == 404


def test_parts_that_are_missing_or_others_are_refused(client):
    _, upload = begin(client)
    _, tag = send_part(client, upload, 1, b"hello")
    for tags in ([], [(1, tag)], [(1, tag), (2, "x")], [(1, tag), (3, tag)]):
        assert end(client, "complete", upload, tags) == 400
    assert end(client, "complete", upload, [(1, tag), (2, tag)], file="other.bin") == 400
    assert client.send("PUT", f"{ROOT}mpu/part/{upload['upload_id']}/3", body=b"x", headers={})[0] == 400
    assert client.send("PUT", f"{ROOT}mpu/part/{upload['upload_id']}/x", body=b"x", headers={})[0] == 400
    assert client.send("PUT", f"{ROOT}mpu/part/{'0' * 32}/1", body=b"x", headers={})[0] == 404
    assert client.send("PUT", f"{ROOT}mpu/part/..%2f..%2fx/1", body=b"x", headers={})[0] == 404
    assert listing(client) == []


def test_an_aborted_upload_leaves_nothing(client, tmp_path):
    _, upload = begin(client)
    send_part(client, upload, 1, b"hello")
    assert end(client, "abort", upload) == 200
    assert everything(tmp_path / "blobs") == []
    assert end(client, "abort", upload) == 404


@pytest.mark.parametrize("parts", [0, -1, 10_001, "x"])
def test_a_number_of_parts_that_cannot_be_is_refused(client, parts):
    if parts == 0:
        assert begin(client, parts)[1]["credentials"][0]["part_number"] == 1  # none said is one
        return
    assert begin(client, parts)[0] == 400
