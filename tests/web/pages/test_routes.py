"""The pages: what they show, what they say where there is nothing, and that nothing from the data is markup."""

import asyncio
import re

import httpx
import pytest
from tests.web.pages.world import EVIL, START, keep, of_numbers, of_scores, open_incident, open_project, window

from homeostat.core.records.registry import ModelVersion
from homeostat.web.control import build_door
from homeostat.web.pages.render import address

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def house(tmp_path):
    opened = open_project(tmp_path)
    yield opened
    opened.store.close()


def get(house, path, *, host="127.0.0.1:8701", **headers):
    async def once():
        transport = httpx.ASGITransport(app=build_door(house), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.get(path, headers={**BROWSER, **headers})

    return asyncio.run(once())


def page(house, path, **headers):
    answer = get(house, path, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "<script" not in answer.text.lower()
    assert not re.search(r"\sstyle=|\son\w+=", answer.text)
    addresses = re.findall(r"""(?:href|src)="([^"]*)""", answer.text)
    assert all(one.startswith(("/", "?", "#", "data:,", "watch.json", "http://127.0.0.1:")) for one in addresses), (
        addresses
    )
    return answer.text


def test_the_address_of_the_server_is_a_page_that_says_what_to_do_first(house):
    text = page(house, "/")
    assert "no version is champion yet" in text
    assert "homeostat train" in text
    assert "http://127.0.0.1:8700/" in text
    assert 'href="/models/late/watch"' in text


def test_the_page_of_a_model_says_what_is_not_there_yet(house):
    text = page(house, "/models/late/watch")
    assert text.count("Nothing yet") == 3
    assert text.count("None yet") == 2
    assert "<svg" not in text


def test_calibration_is_on_the_page_of_the_model(house):
    keep(house, *(window(day, of_scores(day, gap=0.2 * (day > 2)), value=0.5 + day / 100) for day in range(6)))
    text = page(house, "/models/late/watch")
    assert '<svg class="reliability"' in text
    assert "Probability of the answer &#39;yes&#39;." in text
    assert "calibration error of each window" in text
    assert text.count('<svg class="chart"') == 3
    assert "Of 2,400 labelled answers of version 1" in text
    assert page(house, "/models/late/watch?last=2").count('<time datetime="2026-01-0') < text.count("<time datetime=")


def test_its_json_twin_says_the_same(house):
    keep(house, *(window(day, of_scores(day), value=0.5) for day in range(3)))
    found = get(house, "/models/late/watch.json?last=2").json()
    assert [one["start"][:10] for one in found["windows"]] == ["2026-01-02", "2026-01-03"]
    assert found["together"]["labelled"] == 800
    assert sum(found["together"]["reliability"]["counts"]) == 800
    assert f"{found['together']['calibration_error']:.1%}" in page(house, "/models/late/watch?last=2")


def test_a_model_of_numbers_says_how_far_it_was_off(tmp_path):
    house = open_project(tmp_path, task="regression")
    keep(house, *(window(day, of_numbers(0.25), value=0.3, metric="mae") for day in range(2)))
    text = page(house, "/models/late/watch")
    house.store.close()
    assert "were 0.25 too high on average" in text
    assert "reliability" not in text


def test_windows_without_labels_or_answers_are_shown_too(house):
    keep(house, window(0, None), window(1, None, state="unknown"))
    text = page(house, "/models/late/watch")
    assert "No window has enough labels" in text
    assert "unknown" in text


def test_nothing_from_the_data_is_markup(house):
    keep(
        house,
        window(0, of_scores(0, positive=EVIL), state="alarm", value=0.5, summary=EVIL, column=EVIL),
    )
    open_incident(house, because=EVIL)
    for path in ("/", "/models/late/watch"):
        assert "&lt;script&gt;" in page(house, path)


def test_a_model_may_be_called_anything(house):
    name = "a/b ?#<i>.json"
    with house.store.write() as tx:
        tx.models.add(
            ModelVersion(
                model=name,
                version=1,
                run_id="r",
                created=START,
                location="runs/r/model",
                digests={},
                signature={},
                lineage={},
            )
        )
    keep(house, window(0, of_scores(0), model=name))
    assert address(name) in page(house, "/")
    assert "a/b ?#&lt;i&gt;.json" in page(house, address(name))
    assert get(house, f"{address(name)}.json").json()["status"]["model"] == name


@pytest.mark.parametrize("last", ["0", "-1", "501", "x", "1e2", "٣", "9" * 5000, ""])
def test_a_number_of_windows_that_is_none_is_told(house, last):
    answer = get(house, f"/models/late/watch?last={last}")
    assert answer.status_code == 400
    assert "last is no number from 1 to 500" in answer.text


def test_errors_are_pages_for_browsers_and_json_for_programs(house):
    answer = get(house, "/models/lat/watch")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "no model &#39;lat&#39;" in answer.text
    assert "did you mean &#39;late&#39;?" in answer.text
    answer = get(house, "/statuss")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert 'href="/"' in answer.text
    for path in ("/models/lat/watch", "/statuss"):
        answer = get(house, path, accept="*/*")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert get(house, "/models/lat/watch.json").json()["error"]["code"] == "not_found"


def test_a_foreign_name_gets_no_page(house):
    assert get(house, "/", host="evil.example").status_code == 403


def test_the_style_sheet_is_served_from_here(house):
    answer = get(house, "/pages/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in answer.text
    assert "@import" not in answer.text


def test_a_server_that_listens_everywhere_links_to_itself_by_the_name_it_was_asked_by(tmp_path):
    house = open_project(tmp_path, host="0.0.0.0")
    text = get(house, "/", host="192.0.2.7:8701").text
    house.store.close()
    assert "http://192.0.2.7:8700/" in text
    assert "0.0.0.0" not in text
