"""homeostat record: rows that a person wants gone, and those that are too old."""

from datetime import UTC, datetime, timedelta

from homeostat.app import compacting
from homeostat.app.project import load
from homeostat.app.record_key import find_or_make
from homeostat.app.wiring import open_house
from homeostat.serve.recording import hashed
from homeostat.testing.contracts.records import label, prediction

NAME = "customer-4711"


def house(shell):
    return open_house(load(shell.folder), writer_id="worker-0", actor="ann")


def test_erasing_a_key_is_audited_without_the_key(shell):
    shell.init()
    opened = house(shell)
    model = opened.project.model
    opened.records.write(
        "predictions", [prediction("r1", model=model, key=NAME), prediction("r2", model=model, key="b")]
    )
    opened.records.write("labels", [label("l1", model=model)])
    opened.records.close()
    said = shell.ok("record", "erase", "--key", NAME, "--json")
    assert said.json == {"predictions": 1, "labels": 1}
    assert house(shell).records.read("predictions", model)["request_id"].to_list() == ["r2"]
    with opened.store.read() as tx:
        (event,) = tx.audit.events(kinds=["record.erased"])
    assert event.subject == f"model:{model}"
    assert event.payload == {"predictions": 1, "labels": 1}
    shell.ok("audit", "verify")
    kept = [path for path in (shell.folder / ".homeostat").rglob("*") if path.is_file()]
    assert not [path for path in kept if NAME.encode() in path.read_bytes()]


def test_erasing_a_key_takes_its_hash_and_rows_from_before_it_was_hashed(shell):
    shell.init()
    opened = house(shell)
    model = opened.project.model
    mark = hashed(NAME, find_or_make(opened.place.state, is_shared=False))
    opened.records.write(
        "predictions",
        [prediction(str(n), model=model, key=key) for n, key in enumerate([NAME, mark, hashed(NAME, b"other"), None])],
    )
    opened.records.write("labels", [label("l", model=model, request_id=None, row=None, key=mark)])
    opened.records.close()
    assert shell.ok("record", "erase", "--key", NAME, "--json").json == {"predictions": 2, "labels": 1}
    assert house(shell).records.read("predictions", model)["request_id"].to_list() == ["2", "3"]


def test_compaction_drops_whole_days_that_are_too_old_and_says_so(shell):
    shell.init()
    settings = shell.folder / "homeostat.yaml"
    settings.write_text(settings.read_text() + "\nrecord: {keep: 2d}\n")
    opened = house(shell)
    model = opened.project.model
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    opened.records.write(
        "predictions",
        [
            prediction("old", model=model, received=today - timedelta(days=4)),
            prediction("new", model=model, received=today),
        ],
    )
    opened.records.close()
    compacting.compact(opened.records, settings)
    assert house(shell).records.read("predictions", model)["request_id"].to_list() == ["new"]
    with opened.store.read() as tx:
        (event,) = tx.audit.events(kinds=["record.expired"])
    assert event.payload["predictions"] == 1
    assert not list((shell.folder / ".homeostat" / "records" / "segments" / "predictions" / model).iterdir())
