"""What every record of predictions and labels must do."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeostat.core.errors import InvalidInput
from homeostat.core.ports.record_log import RecordLog

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def prediction(request_id: str, **other: Any) -> dict[str, Any]:
    row = {"model": "m", "request_id": request_id, "row": 0, "received": NOW, "version": 1, "route": "champion"}
    return {**row, "status": "ok", "latency_ms": 1.0, "features": "{}", "prediction": 1, "scores": [0.4, 0.6], **other}


def label(label_id: str, **other: Any) -> dict[str, Any]:
    return {"model": "m", "request_id": "r1", "row": 0, "value": 1, "received": NOW, "label_id": label_id, **other}


class RecordsContract:
    """Inherit, and return the record under test from `records`; every call with one folder opens the same record anew."""

    def records(self, folder: Path) -> RecordLog:
        raise NotImplementedError

    def test_what_was_written_is_read_by_another_opening(self, tmp_path: Path) -> None:
        self.records(tmp_path).write("predictions", [prediction("r1"), prediction("r1", row=1)])
        frame = self.records(tmp_path).read("predictions", "m")
        assert frame["request_id"].to_list() == ["r1", "r1"]
        assert frame["row"].to_list() == [0, 1]
        assert frame["received"].to_list() == [NOW, NOW]
        assert frame["scores"].to_list() == [[0.4, 0.6]] * 2
        assert frame["error"].to_list() == [None, None]

    def test_a_model_without_rows_gives_an_empty_table_with_all_columns(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [prediction("r1")])
        for kind in ("predictions", "labels"):
            empty = records.read(kind, "other")
            assert empty.height == 0
            assert "received" in empty.columns
        assert records.read("predictions", "other").columns == records.read("predictions", "m").columns

    def test_a_share_is_the_same_in_every_call_and_within_any_greater_share(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        names = [f"r{n}" for n in range(2_000)]
        records.write("predictions", [prediction(name, row=row) for name in names for row in (0, 1)])
        for _ in ("in segments", "in tables"):
            drawn = {share: records.read("predictions", "m", share=share) for share in (0.1, 0.5, 1.0)}
            known = {share: set(frame["request_id"]) for share, frame in drawn.items()}
            assert known[0.1] < known[0.5] < known[1.0] == set(names)
            assert 120 < len(known[0.1]) < 280  # 200, within six standard deviations
            assert drawn[0.1].height == 2 * len(known[0.1])
            records.close()
            records.compact()

    def test_a_share_has_all_rows_of_a_key_or_none(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [prediction(f"r{n}", key=f"k{n % 200}") for n in range(2_000)])
        drawn = records.read("predictions", "m", share=0.5)
        assert 50 < drawn["key"].n_unique() < 150
        assert set(drawn["key"].value_counts()["count"]) == {10}

    def test_labels_of_some_predictions_name_their_request_or_key(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [prediction("r1", key="k1"), prediction("r2")])
        told: list[tuple[str | None, str | None]] = [
            ("r1", None),
            (None, "k1"),
            ("r2", None),
            (None, "k2"),
            ("r1", "k2"),
        ]
        records.write("labels", [label(f"l{n}", request_id=of, key=key) for n, (of, key) in enumerate(told)])
        predictions = records.read("predictions", "m")
        for _ in ("in segments", "in tables"):
            for chosen, ids in (
                (predictions.head(1), ["l0", "l1", "l4"]),
                (predictions.tail(1), ["l2"]),
                (predictions.clear(), []),
            ):
                assert records.read("labels", "m", of=chosen)["label_id"].to_list() == ids
            records.close()
            records.compact()

    def test_some_columns_are_those_of_the_same_rows(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [prediction("r2"), prediction("r1", prediction=0), prediction("r2")])
        some = records.read("predictions", "m", columns=["prediction", "received"])
        assert some.equals(records.read("predictions", "m").select("received", "prediction"))
        assert some["prediction"].to_list() == [1, 0]

    def test_rows_are_counted_about(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        assert records.count("predictions", "m") == 0
        early, late = NOW, NOW + timedelta(days=1)
        for received in (early, late):
            records.write("predictions", [prediction(f"{received}{n}", received=received) for n in range(300)])
        assert 100 < records.count("predictions", "m") < 1_200
        unmoved = records.unmoved_bytes()
        records.close()
        records.compact()
        assert records.unmoved_bytes() < unmoved
        assert records.count("predictions", "m") == 600
        assert records.count("predictions", "m", since=late) == 300
        assert records.count("labels", "m") == 0

    def test_the_stamp_changes_with_every_write_and_only_then(self, tmp_path: Path) -> None:
        writer, reader = self.records(tmp_path), self.records(tmp_path)
        stamps = [reader.stamp("m")]
        for write in (("predictions", prediction("r1")), ("predictions", prediction("r2")), ("labels", label("l1"))):
            writer.write(write[0], [write[1]])
            stamps.append(reader.stamp("m"))
            assert self.records(tmp_path).stamp("m") == stamps[-1]
        assert len(set(stamps)) == len(stamps)
        writer.write("labels", [label("l2", model="other")])
        assert reader.stamp("m") == stamps[-1]

    def test_writing_nothing_is_nothing(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [])
        assert not records.is_due()
        assert records.unmoved_bytes() == 0
        assert records.compact() == 0

    def test_rows_come_in_order_of_receipt_and_within_an_instant_in_order_of_writing(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("labels", [label("late", received=NOW + timedelta(seconds=2), value=3)])
        for number in range(20):
            records.write("labels", [label(f"l{number}", value=number)])
            if number % 7 == 0:
                records.compact()
        assert records.read("labels", "m")["label_id"].to_list() == [*(f"l{n}" for n in range(20)), "late"]

    def test_since_leaves_out_what_was_received_before(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        times = [NOW + timedelta(seconds=n) for n in range(4)]
        records.write("predictions", [prediction(f"r{n}", received=time) for n, time in enumerate(times)])
        assert records.read("predictions", "m", since=times[2])["request_id"].to_list() == ["r2", "r3"]
        assert records.read("predictions", "m", since=times[3] + timedelta(seconds=1)).height == 0
        assert records.read("predictions", "m", since=times[1], until=times[2])["request_id"].to_list() == ["r1", "r2"]

    def test_an_id_that_comes_twice_is_shown_once_and_the_first_stands(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [prediction("r1", prediction=1), prediction("r1", route="shadow", version=2)])
        records.compact()
        records.write("predictions", [prediction("r1", prediction=0, version=5)])
        records.write("labels", [label("a", value=1), label("a", value=0)])
        shown = records.read("predictions", "m")
        assert shown.select("route", "version", "prediction").rows() == [("champion", 1, 1), ("shadow", 2, 1)]
        assert records.read("labels", "m")["value"].to_list() == [1]

    def test_every_revision_of_a_label_is_kept(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("labels", [label("a", value=1)])
        records.write("labels", [label("b", value=0)])
        assert records.read("labels", "m")["value"].to_list() == [1, 0]

    def test_models_do_not_see_each_other(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        records.write("predictions", [prediction("r1"), prediction("r2", model="n"), prediction("r3")])
        records.compact()
        assert records.read("predictions", "m")["request_id"].to_list() == ["r1", "r3"]
        assert records.read("predictions", "n")["request_id"].to_list() == ["r2"]

    @pytest.mark.parametrize(
        ("values", "back"),
        [
            ([1, 0, None], [1, 0, None]),
            ([True, False], [True, False]),
            ([1, 2.5], [1.0, 2.5]),
            ([3.0, 1e300], [3.0, 1e300]),
            (["yes", 'n"o\n', ""], ["yes", 'n"o\n', ""]),
            (["1", "2"], ["1", "2"]),
            (["true", "false"], ["true", "false"]),
            ([float("nan"), 1.5], [None, 1.5]),
        ],
    )
    def test_values_come_back_as_what_they_were(self, tmp_path: Path, values: list[Any], back: list[Any]) -> None:
        records = self.records(tmp_path)
        records.write("labels", [label(f"l{n}", value=value) for n, value in enumerate(values)])
        assert records.read("labels", "m")["value"].to_list() == back

    @pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "a\0b", "a" * 101, None, 7])
    def test_a_name_that_is_no_model_is_refused_everywhere(self, tmp_path: Path, name: Any) -> None:
        records = self.records(tmp_path / "in")
        with pytest.raises(InvalidInput, match="model"):
            records.write("predictions", [prediction("r1"), prediction("r2", model=name)])
        with pytest.raises(InvalidInput, match="model"):
            records.read("predictions", name)
        assert records.read("predictions", "m").height == 0

    def test_what_does_not_fit_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)
        with pytest.raises(InvalidInput, match="'colour'"):
            records.write("predictions", [prediction("r1"), prediction("r2", colour="red")])
        with pytest.raises(InvalidInput, match="time zone"):
            records.write("predictions", [prediction("r1"), prediction("r2", received=datetime(2024, 1, 1))])  # noqa: DTZ001
        with pytest.raises(InvalidInput, match="received"):
            records.write("predictions", [prediction("r1", received=None)])
        with pytest.raises(InvalidInput, match="'thoughts'"):
            records.write("thoughts", [prediction("r1")])
        assert records.read("predictions", "m").height == 0

    def test_threads_write_at_once_and_nothing_is_lost(self, tmp_path: Path) -> None:
        records = self.records(tmp_path)

        def write(thread: int) -> None:
            for number in range(50):
                records.write("predictions", [prediction(f"{thread}-{number}")])

        threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        records.compact()
        for thread in threads:
            thread.join()
        assert set(records.read("predictions", "m")["request_id"]) == {f"{t}-{n}" for t in range(8) for n in range(50)}

    def test_compacting_changes_nothing_that_is_read(self, tmp_path: Path) -> None:
        first = self.records(tmp_path)
        first.write("predictions", [prediction(f"r{n}") for n in range(10)])
        before = first.read("predictions", "m")
        other = self.records(tmp_path)
        other.compact()
        other.compact()
        assert first.read("predictions", "m").equals(before)
