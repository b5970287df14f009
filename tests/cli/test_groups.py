"""A trait that the model must not see: from the training data and the labels into fairness and the gate, and never to the model."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from tests.cli.shell import shop

from homeostat.app.project import load
from homeostat.app.wiring import open_house, recording_of
from homeostat.core.columns import Kind
from homeostat.serve.labels import label_rows
from homeostat.watch.look import look
from homeostat.watch.reference import kept_reference
from homeostat.watch.stored import verdict_of

PROJECT = """
model: shop
task: binary
data: {source: shop.csv, target: bought, time: visited, exclude: [sex]}
gate: {slices: {protected: [sex], max_gap: 1.0}, infrastructure: false}
watch: {groups: {protected: [sex]}}
"""
START = datetime(2026, 1, 5, tzinfo=UTC)


def shop_with_sex(rows: int, seed: int) -> pl.DataFrame:
    frame = shop(rows, seed)
    return frame.with_columns(sex=pl.Series(np.random.default_rng(seed).choice(["f", "m"], rows, p=[0.4, 0.6])))


def test_fairness_by_a_column_that_only_labels_bring(shell):
    shop_with_sex(800, 0).write_csv(shell.folder / "shop.csv")
    (shell.folder / "homeostat.yaml").write_text(PROJECT)
    shell.ok("project", "check")
    shell.ok("train")
    shell.ok("models", "promote", "1")
    house = open_house(load(shell.folder), writer_id="w", actor="ann")
    with house.store.read() as tx:
        reference = kept_reference(tx, "shop", 1)
        report = tx.models.report(tx.models.get("shop", 1).report_id)
    assert "sex" not in reference.features.columns
    assert reference.groups.columns["sex"].kind is Kind.CATEGORY
    (gated,) = [one for one in report.body["results"] if one["check"] == "slices"]
    assert (gated["subject"], gated["details"]["kind"]) == ("sex", "protected")

    asked = shop_with_sex(400, 1)
    said = np.where(asked["sex"] == "f", "no", "yes").tolist()  # as unfair as can be
    answer = {"model": "shop", "row": 0, "version": 1, "route": "champion", "status": "ok", "latency_ms": 1.0}
    house.records.write(
        "predictions",
        [
            answer
            | {"request_id": f"r{n}", "received": START + n * timedelta(minutes=1), "prediction": said[n]}
            | {"features": row, "scores": [0.5, 0.5]}
            for n, row in enumerate(asked.select("price", "channel", "age").to_dicts())
        ],
    )

    def send(labels):
        rows = label_rows(
            labels,
            model="shop",
            signature=reference.signature,
            received=START + timedelta(hours=12),
            max_labels=1000,
            idempotency_key="one",
            new_id=str,
            recording=recording_of(house.place),
        )
        house.records.write("labels", rows)

    def seen(now):
        (found,) = look(
            store=house.store,
            records=house.records,
            model="shop",
            reference=reference,
            settings=house.project.watch,
            now=now,
        )
        return verdict_of(found)

    told = asked.select("sex", "bought").rows()
    send([{"request_id": f"r{n}", "groups": {"sex": told[n][0]}} for n in range(300)])
    early = seen(START + timedelta(days=1))
    assert early.notes[-1] == "'sex' is known of 300 of 400 rows; labels bring it"
    (one,) = early.fairness
    assert (one.column, sum(group.rows for group in one.groups)) == ("sex", 300)
    (gap,) = one.gaps
    assert (gap.measure, gap.value, gap.highest, gap.lowest) == ("demographic_parity", 1.0, "m", "f")

    send([{"request_id": f"r{n}", "value": bought, "groups": {"sex": sex}} for n, (sex, bought) in enumerate(told)])
    later = seen(START + timedelta(days=2))
    (one,) = later.fairness
    assert sum(group.labelled for group in one.groups) == 400
    assert {gap.measure for gap in one.gaps} == {"demographic_parity", "equalised_odds", "calibration"}
    assert {one.name for one in later.slices} == {"sex=f", "sex=m"}
