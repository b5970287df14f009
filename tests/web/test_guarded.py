"""Every route of every door, those to come included: hosts, origins, forms, paths, files that are sent back."""

import json
import pickletools
import re
import sys
from urllib.parse import quote

import pytest
from tests.web.doors import HOST, RUN, Door, control_door, furnish

from homeostat.web.mlflow_api.app import MlflowApi
from homeostat.web.mlflow_api.discovery import discover
from homeostat.web.mlflow_api.endpoint import Desk
from homeostat.web.safety import Safety, middleware_options

OPEN = {("GET", "/health"), ("GET", "/version")}
ROOTS = ("/api/2.0/", "/api/3.0/", "/ajax-api/2.0/", "/ajax-api/3.0/")
FILES = "/api/2.0/mlflow-artifacts/artifacts/"
MLFLOW = "/api/2.0/mlflow/"
ESCAPES = (
    "../secret", "a/../../secret", "%2e%2e/secret", "a/%252e%252e/secret", "..%2fsecret", "..\\secret", "%5c..%5csecret", "/etc/passwd", "//etc/passwd",
    "C:/secret", "c:secret", "file:///etc/passwd", "file:secret", "a\0b", "a%00b", "a%2500b", "link/secret", "linked",
)  # fmt: skip


@pytest.fixture
def control(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    with control_door(folder) as (door, house):
        yield door, house, furnish(door, house)


@pytest.fixture(params=["control", "tracking"])
def guarded(request, control):
    """Yield (door, routes, house): every method and address that its document and its discovered endpoints say."""
    door, house, known = control
    if request.param == "tracking":
        desk = Desk(store=house.store, blobs=house.blobs, clock=house.clock, actor=house.actor)
        app = Safety(MlflowApi(desk), **middleware_options("127.0.0.1"))
        app.api = MlflowApi
        door = Door(app)
    document = json.loads(door.send("GET", "/openapi.json")[2])
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    elsewhere = {
        ("POST", path.replace(":path", "")) for each in discover() if each.method == "*" for path in each.paths
    }
    routes = set()
    for method, path in described | elsewhere:
        filled = re.sub(r"\{(\w+)\}", lambda found: quote(known.get(found[1], "x")), path)
        routes |= {(method, root + filled.removeprefix(ROOTS[0])) for root in ROOTS if path.startswith(ROOTS[0])}
        routes.add((method, filled))
    yield door, sorted(routes), house
    if request.param == "tracking":
        door.loop.close()


def rows(house):
    from sqlalchemy import func, select

    from homeostat.storage.sql.schema import metadata

    with house.store.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables
        }


def test_a_foreign_host_reaches_no_route(guarded):
    door, routes, house = guarded
    before = rows(house)
    for method, path in routes:
        for host in ("evil.example", "127.0.0.1.evil.example:8701", ""):
            status, _, body = door.send(method, path, headers={"host": host}, body=b"{}" if method != "GET" else b"")
            assert (status == 403) == ((method, path) not in OPEN), (method, path, host, body)
    assert rows(house) == before


def test_a_page_of_another_origin_changes_nothing(guarded):
    door, routes, house = guarded
    before = rows(house)
    changes = [(method, path) for method, path in routes if method != "GET"]
    assert len(changes) > 200
    for method, path in changes:
        for headers in ({"origin": "http://evil.example"}, {"origin": "http://127.0.0.1:3000"}, {"origin": "null"}):
            assert door.send(method, path, headers=headers, body=b"{}")[0] == 403, (method, path, headers)
        assert door.send(method, path, headers={"sec-fetch-site": "cross-site"}, body=b"{}")[0] == 403
    assert rows(house) == before


def test_what_a_form_can_send_is_read_by_no_route(guarded):
    door, routes, house = guarded
    before = rows(house)
    for method, path in routes:
        if method == "GET" or (method == "PUT" and "mlflow-artifacts" in path):  # files, whose type is theirs
            continue
        if (
            method == "DELETE" and "mlflow-artifacts/artifacts/" in path
        ):  # takes no body; a page cannot send it without asking
            continue
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            status, _, body = door.send(method, path, headers={"content-type": kind}, body=b'{"name": "a"}')
            assert status == 400, (method, path, kind, body)
    assert rows(house) == before


@pytest.mark.parametrize("path", ESCAPES)
def test_no_door_that_takes_a_path_leads_outside(control, tmp_path, path):
    door, house, _ = control
    (tmp_path / "secret").write_text("TOP 42")
    place = house.blobs.root / "artifacts" / "0" / RUN / "artifacts"
    (place / "link").symlink_to(tmp_path)
    (place / "linked").symlink_to(tmp_path / "secret")
    text, below = quote(path, safe=""), f"0/{RUN}/artifacts"
    asked = [
        ("GET", f"{FILES}{below}/{path}".replace("\0", "%00").replace("\\", "%5c"), {}),
        ("GET", f"{FILES}{below}/{text}", {}),
        ("PUT", f"{FILES}{below}/{text}", {}),
        ("DELETE", f"{FILES}{below}/{text}", {}),
        ("GET", f"{FILES.rstrip('/')}?path={quote(below, safe='')}%2F{text}", {}),
        ("GET", f"/get-artifact?run_id={RUN}&path={text}", {}),
        ("GET", f"/model-versions/get-artifact?name=churn&version=1&path=..%2F{text}", {}),
        ("GET", f"{MLFLOW}artifacts/list?run_id={RUN}&path={text}", {}),
        ("GET", f"{MLFLOW}logged-models/m-{RUN}/artifacts/files?artifact_file_path={text}", {}),
        ("GET", f"{MLFLOW}logged-models/m-{RUN}/artifacts/directories?artifact_directory_path={text}", {}),
        ("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{below}/{text}", {"path": "f", "num_parts": 1}),
        ("POST", f"{MLFLOW}experiments/create", {"name": "e", "artifact_location": path}),
        ("POST", f"{MLFLOW}model-versions/create", {"name": "churn", "source": path, "run_id": RUN}),
    ]
    before = sorted(str(each) for each in tmp_path.rglob("*"))
    # what is only dangerous in the beginning is a name like another below a folder, and what a link is called there is nothing elsewhere
    may_be_a_name = path.startswith(("link", "C:", "c:", "file:secret"))
    for method, url, fields in asked:
        status, _, body = door.send(method, url, body=json.dumps(fields).encode() if fields else b"")
        assert b"TOP 42" not in body, (method, url)
        assert status == 400 or (may_be_a_name and status in (200, 404)), (method, url, body)
    if not path.startswith("link"):
        for method in ("GET", "PUT", "DELETE"):
            assert door.send(method, FILES + text)[0] == 400
    after = sorted(str(each) for each in tmp_path.rglob("*"))
    made = [each for each in after if each not in before and "/uploads" not in each]
    assert all("/blobs/artifacts/" in each and may_be_a_name for each in made), made
    assert set(before) <= set(after)
    assert (tmp_path / "secret").read_text() == "TOP 42"


@pytest.mark.parametrize(
    "location",
    ["mlflow-artifacts:/a#b", "mlflow-artifacts:/a?b", "mlflow-artifacts:/a;b", "mlflow-artifacts:/a%3Bb", "mlflow-artifacts:/a%2523b", "http:///x", "http://127.0.0.1/x",
     "mlflow-artifacts://evil.example/x", "mlflow-artifacts:x", "s3://bucket/x", "/tmp/x", "file:///tmp/x", "C:\\x", "mlflow-artifacts:/../x",
     f"mlflow-artifacts:/0/{RUN}/artifacts", f"mlflow-artifacts:/0/{RUN}", f"mlflow-artifacts:/0/models/m-{RUN}/artifacts/x", "mlflow-artifacts:/runs/x"],
)  # fmt: skip
def test_an_experiment_is_kept_in_no_strange_place_and_in_no_run(control, location):
    door, _, _ = control
    body = json.dumps({"name": "e", "artifact_location": location}).encode()
    status, _, told = door.send("POST", f"{MLFLOW}experiments/create", body=body)
    assert (status, json.loads(told)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert door.send("GET", f"{MLFLOW}experiments/get-by-name?experiment_name=e")[0] == 404


def test_every_door_gives_files_as_attachments_that_no_browser_runs(control):
    door, house, _ = control
    for name in ("a.html", "a.svg", "a.xhtml", "a.js"):
        for place in (f"0/{RUN}/artifacts/model", f"0/models/m-{RUN}/artifacts"):
            house.blobs.put_bytes(f"artifacts/{place}/{name}", b"<script>")
        for url in (
            f"{FILES}0/{RUN}/artifacts/model/{name}",
            f"/get-artifact?run_id={RUN}&path=model/{name}",
            f"/model-versions/get-artifact?name=churn&version=1&path={name}",
            f"{MLFLOW}logged-models/m-{RUN}/artifacts/files?artifact_file_path={name}",
        ):
            status, headers, body = door.send("GET", url)
            assert (status, body) == (200, b"<script>"), url
            assert headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert headers["content-disposition"].startswith("attachment;")
            assert headers["x-content-type-options"] == "nosniff"


def test_nothing_that_is_uploaded_is_unpickled(control):
    door, house, _ = control
    found = []
    sys.addaudithook(lambda event, _: found.append(event) if event == "pickle.find_class" else None)
    evil = b"cos\nsystem\n(S'touch /evil'\ntR."
    assert pickletools.genops(evil)
    yaml = b"flavors:\n  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl}\nx: !!python/object/apply:os.getcwd []\n"
    for name, content in (("model.pkl", evil), ("python_model.pkl", evil), ("MLmodel", yaml)):
        assert door.send("PUT", f"{FILES}0/{RUN}/artifacts/evil/{name}", body=content)[0] == 200
    source = f"mlflow-artifacts:/0/{RUN}/artifacts/evil"
    door.ask("POST", f"{MLFLOW}model-versions/create", name="churn", source=source, run_id=RUN)
    for url in ("model-versions/get?name=churn&version=2", "model-versions/search", "registered-models/search"):
        assert door.send("GET", MLFLOW + url)[0] == 200
    assert door.send("GET", "/api/v1/status", headers={"host": HOST})[0] == 200
    with house.store.read() as tx:
        assert "cannot be read" in tx.models.get("churn", 2).signature["declared"]["problem"]
    assert found == []
