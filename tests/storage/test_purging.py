"""Rows that are taken out of the record are gone from the disk, and no others."""

from datetime import timedelta

import pytest

from homeostat.core.errors import Conflict
from homeostat.storage.records import FileRecords
from homeostat.storage.segments import segments
from homeostat.testing.contracts.records import NOW, label, prediction

SUBJECT = "zz-subject-4711"


def opened(folder, **other):
    return FileRecords(folder, writer_id="worker-0", **other)


def filled(folder):
    """Three compactions: the subject in each, others beside it."""
    for number in range(3):
        writer = opened(folder)
        writer.write(
            "predictions",
            [
                prediction(f"s{number}", key=SUBJECT, features=f'{{"name": "{SUBJECT}"}}'),
                prediction(f"o{number}", key=f"a-{number}", received=NOW + timedelta(days=number)),
                prediction(f"n{number}"),
            ],
        )
        writer.write(
            "labels",
            [
                label(f"ls{number}", request_id=f"s{number}"),
                label(f"lo{number}", request_id=f"o{number}"),
                label(f"lk{number}", request_id=None, row=None, key=SUBJECT),
                label(f"lx{number}", request_id=None, row=None, key="a-0"),
            ],
        )
        writer.close()
        opened(folder).compact()


def test_an_erased_key_is_nowhere_on_the_disk_and_the_rest_stays(tmp_path):
    filled(tmp_path)
    before = set(tmp_path.rglob("*.parquet"))
    assert any(SUBJECT.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert opened(tmp_path).erase("m", [SUBJECT]) == {"predictions": 3, "labels": 6}
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not before & set(left)
    assert not [path for path in left if SUBJECT.encode() in path.read_bytes()]
    found = opened(tmp_path)
    assert set(found.read("predictions", "m")["request_id"]) == {f"{kind}{n}" for kind in "on" for n in range(3)}
    assert set(found.read("labels", "m")["label_id"]) == {f"{kind}{n}" for kind in ("lo", "lx") for n in range(3)}
    assert opened(tmp_path).erase("m", [SUBJECT]) == {"predictions": 0, "labels": 0}


def test_the_record_goes_on_after_an_erasure_and_shows_nothing_twice(tmp_path):
    filled(tmp_path)
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("before", key="b")])
    writer.seal()
    writer.erase("m", [SUBJECT])
    writer.write("predictions", [prediction("after", key="b")])
    writer.close()
    assert opened(tmp_path).compact() == 1
    ids = opened(tmp_path).read("predictions", "m")["request_id"].to_list()
    assert sorted(ids) == sorted({*ids})
    assert {"before", "after", "o0", "n2"} <= set(ids)


def test_nothing_is_erased_while_a_server_writes_rows_of_the_key(tmp_path):
    filled(tmp_path)
    writer = opened(tmp_path)
    writer.write("labels", [label("late", request_id="s1")])
    with pytest.raises(Conflict, match="nothing was erased"):
        opened(tmp_path).erase("m", [SUBJECT])
    assert "s1" in opened(tmp_path).read("predictions", "m")["request_id"].to_list()
    writer.close()
    assert opened(tmp_path).erase("m", [SUBJECT]) == {"predictions": 3, "labels": 7}


def test_a_segment_that_nobody_writes_to_any_more_is_closed_by_its_age(tmp_path):
    writer = opened(tmp_path, segment_age=timedelta(0))
    writer.write("predictions", [prediction("r1", key=SUBJECT)])
    (segment,) = segments(tmp_path / "segments" / "predictions" / "m")
    for _ in range(1000):
        if opened(tmp_path).is_due():
            break
        writer._closed_for_good.wait(0.02)
    assert segment.exists()
    assert opened(tmp_path).erase("m", [SUBJECT]) == {"predictions": 1, "labels": 0}
    assert not segment.exists()
    writer.close()


def test_rows_before_a_moment_go_and_those_at_it_stay(tmp_path):
    filled(tmp_path)
    records = opened(tmp_path)
    assert records.drop_before("m", NOW + timedelta(days=1)) == {"predictions": 7, "labels": 12}
    assert records.read("predictions", "m")["request_id"].to_list() == ["o1", "o2"]
    assert records.drop_before("m", NOW) == {"predictions": 0, "labels": 0}


def test_another_model_s_rows_are_left_alone(tmp_path):
    filled(tmp_path)
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("other", model="n", key=SUBJECT)])
    writer.close()
    opened(tmp_path).erase("m", [SUBJECT])
    assert opened(tmp_path).read("predictions", "n")["request_id"].to_list() == ["other"]
