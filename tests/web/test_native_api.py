import asyncio
import json

import httpx
import pytest

from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.web.control import build_door

PROJECT = """
model: late
task: binary
data: {source: rows.csv, target: late}
serve: {host: ml.example}
"""


@pytest.fixture
def ask(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(PROJECT)
    house = open_house(load(tmp_path / "homeostat.yaml"), writer_id="test", actor="ann")
    app = build_door(house)

    def ask(method, path, body=None, *, host="127.0.0.1:8701", **headers):
        async def once():
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url=f"http://{host}"
            ) as client:
                given = {"content-type": "application/json", **headers}
                return await client.request(
                    method, path, headers=given, content=None if body is None else json.dumps(body)
                )

        return asyncio.run(once())

    yield ask
    house.store.close()


def test_it_says_how_the_model_is(ask):
    assert ask("GET", "/health").json() == {"status": "ok", "loop": "running", "looks": 1}
    assert [one["model"] for one in ask("GET", "/api/v1/status").json()["models"]] == ["late"]
    assert 'homeostat_model_state{model="late",state="new"} 1.0' in ask("GET", "/metrics").text


def test_a_loop_that_runs_elsewhere_stands_by(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(PROJECT)
    house = open_house(load(tmp_path / "homeostat.yaml"), writer_id="test", actor="ann")
    app = build_door(house, looks=lambda: 0, leads=lambda: False)

    async def once():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8701"
        ) as client:
            return (await client.get("/health")).json()

    assert asyncio.run(once()) == {"status": "ok", "loop": "standing by", "looks": 0}
    house.store.close()


def test_a_cycle_is_asked_for_once_under_one_key(ask):
    first = ask("POST", "/api/v1/cycles", {"because": "new prices"}, **{"idempotency-key": "monday"})
    assert (first.status_code, first.json()["because"]) == (202, "new prices")
    ask("POST", "/api/v1/cycles", {"because": "new prices"}, **{"idempotency-key": "monday"})
    assert len(ask("GET", "/api/v1/cycles").json()["cycles"]) == 1


def test_what_is_not_there_names_what_is(ask):
    answer = ask("GET", "/status")
    assert answer.status_code == 404
    assert answer.json()["error"]["hint"] == "did you mean '/api/v1/status'?"
    answer = ask("DELETE", "/api/v1/status")
    assert (answer.status_code, answer.json()["error"]["hint"]) == (405, "use GET")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/cycles/nope/approval", {"approved": True, "by": "ann"}, 404),
        ("/api/v1/cycles/nope/approval", {"approved": "yes", "by": "ann"}, 400),
        ("/api/v1/cycles/nope/approval", {"approved": True}, 400),
        ("/api/v1/cycles", {"becuase": "a slip"}, 400),
        ("/api/v1/cycles", {"because": "a\0b"}, 400),
        ("/api/v1/cycles", {"version": 0}, 400),
        ("/api/v1/cycles", ["now"], 400),
        ("/api/v1/cycles", {"because": "x" * 1_100_000}, 400),
    ],
)
def test_bad_requests_are_told_and_change_nothing(ask, path, body, status):
    answer = ask("POST", path, body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert ask("GET", "/api/v1/cycles").json() == {"cycles": []}


def test_a_foreign_page_or_name_is_refused(ask):
    assert ask("GET", "/api/v1/status", host="ml.example:8701").status_code == 200
    assert ask("GET", "/api/v1/status", host="evil.example").status_code == 403
    assert ask("GET", "/health", host="probe.example").status_code == 200
    assert ask("GET", "/nope", host="evil.example").status_code == 403
    for origin in ("http://evil.example", "http://127.0.0.1:3000", "null"):
        answer = ask("POST", "/api/v1/cycles", {}, origin=origin)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert ask("GET", "/api/v1/cycles").json() == {"cycles": []}
