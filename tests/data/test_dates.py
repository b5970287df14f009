from datetime import UTC, datetime

import polars as pl
import pytest

from homeostat.data.dates import FORMATS, formats_of, parse


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_recognised_by_what_it_writes(form):
    moments = [datetime(2013, 1, 25, 13, 45, tzinfo=UTC), datetime(2014, 12, 31, 1, 0, tzinfo=UTC)]
    written = pl.Series([m.strftime(form.replace("%.f", "").replace("%#z", "+0100")) for m in moments])
    assert form in formats_of(written)


def test_a_zone_is_turned_into_utc_and_no_zone_means_utc():
    assert parse(pl.Series(["2013-01-01T01:00:00+01:00"]), "%Y-%m-%dT%H:%M:%S%.f%#z")[0] == datetime(
        2013, 1, 1, tzinfo=UTC
    )
    assert parse(pl.Series(["2013-01-01"]), "%Y-%m-%d")[0] == datetime(2013, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "texts", [["abc"], [], ["12", "13"], ["2013-01-01", "soon"], ["1-2-3-4"], ["10.0.0.1", "10.0.0.2"]]
)
def test_other_texts_are_no_dates(texts):
    assert formats_of(pl.Series(texts, dtype=pl.String)) == {}


def test_several_formats_are_told_apart_best_first():
    forms = formats_of(pl.Series(["2013-01-25", "2013-01-26", "25/01/2013", None, "Jan 27, 2013"]))
    assert next(iter(forms)) == "%Y-%m-%d"
    assert set(forms) == {"%Y-%m-%d", "%d/%m/%Y", "%b %d, %Y"}
