import logging

import pytest

from homeostat.app.logs import Fields, log_to_stderr
from homeostat.core.errors import InvalidInput


def line(name="homeostat.serve.app", **fields):
    record = logging.makeLogRecord(
        {"name": name, "levelname": "WARNING", "msg": "serve.request_failed", "args": (), **fields}
    )
    return Fields().format(record)


def test_the_fields_of_an_event_stand_behind_its_name():
    told = line(model="late", version=3, path="/models/{model}/predict", seconds=0.25)
    assert told == (
        "WARNING homeostat.serve.app serve.request_failed model=late version=3 path=/models/{model}/predict seconds=0.25"
    )
    assert line(_ray_timestamp_ns=1) == line()  # what other libraries put into every record


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no space left", '"no space left"'),
        ("x\nERROR homeostat.audit broken", '"x\\nERROR homeostat.audit broken"'),
        ("late version=9", '"late version=9"'),
        ('"', '"\\""'),
        ("", '""'),
        ("\x1b[2J", '"\\u001b[2J"'),
    ],
)
def test_what_a_client_wrote_is_one_value_of_one_line(value, told):
    assert line(why=value) == f"WARNING homeostat.serve.app serve.request_failed why={told}"


def test_other_libraries_are_told_as_they_are():
    assert line("uvicorn.error", color_message="x") == "WARNING uvicorn.error serve.request_failed"


def test_a_level_that_there_is_not_is_refused(monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_LOG", "loud")
    with pytest.raises(InvalidInput, match="names no level: 'LOUD'"):
        log_to_stderr()
