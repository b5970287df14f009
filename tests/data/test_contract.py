import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.columns import Kind, Roles
from homeostat.core.duration import Duration
from homeostat.core.errors import InvalidInput
from homeostat.data.cast import conform
from homeostat.data.contract import Contract, apply_overrides, infer_contract
from homeostat.data.kinds import infer_kinds
from homeostat.data.look import look
from homeostat.data.settings import ColumnRule, ContractSettings
from homeostat.data.sources import read
from homeostat.data.validate import validate

SHARED = Path(__file__).parents[3] / "shared" / "data"
NOW = datetime(2024, 5, 1, tzinfo=UTC)
FLOATS = (
    st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"), 0.1]) | st.floats()
)
INTS = st.sampled_from([2**63 - 1, -(2**63), 0, 1, 2**53 + 1]) | st.integers(-(2**63), 2**63 - 1)
TEXTS = st.sampled_from(["", "NA", "a", "ü\u202e\0", "2020-01-01", "1", "true", "\n", "🙂", "01/02/2020"]) | st.text(
    max_size=8
)
TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def frames(draw):
    """A frame of nasty columns: nulls, NaN, infinities, huge integers, empty texts, unicode, constants."""
    rows = draw(st.integers(1, 30))
    columns = {}
    for n in range(draw(st.integers(1, 5))):
        values, dtype = draw(
            st.sampled_from(
                [
                    (FLOATS, pl.Float64),
                    (INTS, pl.Int64),
                    (TEXTS, pl.String),
                    (st.booleans(), pl.Boolean),
                    (TIMES, pl.Datetime("us", "UTC")),
                ]
            )
        )
        values = draw(st.sampled_from([values, st.none() | values, st.just(draw(values)), st.none()]))
        columns[f"c{n}"] = pl.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=dtype)
    return pl.DataFrame(columns)


@settings(max_examples=300, deadline=None)
@given(frames(), st.data())
def test_a_frame_satisfies_the_contract_inferred_from_it(frame, data):
    try:
        kinds = infer_kinds(frame)
        frame = conform(frame, kinds)
    except InvalidInput:  # dates that cannot be told apart are refused before there is a contract
        return
    names = st.sampled_from(frame.columns)
    roles = Roles(
        target=data.draw(names),
        time=data.draw(st.none() | names),
        key=tuple(data.draw(st.lists(names, unique=True, max_size=2))),
        exclude=tuple(data.draw(st.lists(names, unique=True, max_size=2))),
    )
    contract = infer_contract(frame, roles=roles, kinds=kinds)
    report = validate(frame, contract, now=NOW)
    assert report.passed, report
    again = Contract.from_json(json.loads(json.dumps(contract.to_json(), allow_nan=False)))
    assert again == contract
    assert validate(frame.reverse(), again, now=NOW).passed
    head = frame.head(data.draw(st.integers(1, frame.height)))
    broken = {(v.column, v.rule) for v in validate(head, contract, now=NOW).violations}
    assert all(rule in ("nulls", "categories") for _, rule in broken)  # only shares may differ in a part


def contract_of(frame, **roles):
    kinds = infer_kinds(frame)
    return infer_contract(conform(frame, kinds), roles=Roles(**{"target": frame.columns[-1], **roles}), kinds=kinds)


def test_an_empty_frame_has_a_contract_too():
    frame = pl.DataFrame({"x": [], "t": []}, schema={"x": pl.Float64, "t": pl.Datetime("us", "UTC")})
    assert validate(frame, contract_of(frame, time="t"), now=NOW).passed


def test_room_is_left_for_later_data_but_not_for_another_unit():
    contract = contract_of(pl.DataFrame({"t": [float(n % 30 - 5) for n in range(200)], "y": [0, 1] * 100}))
    assert (contract.columns["t"].min, contract.columns["t"].max) == (-5 - 4 * 29, 24 + 4 * 29)


def test_a_natural_zero_is_a_bound():
    contract = contract_of(pl.DataFrame({"rain": [0.0, 1.5, 0.0, 3.0], "y": [0, 1, 0, 1]}))
    assert contract.columns["rain"].min == 0
    assert contract.columns["rain"].max == 15


def test_columns_of_one_value_serial_numbers_keys_and_excluded_ones_have_no_bounds():
    n = 40
    frame = pl.DataFrame(
        {"one": [3] * n, "serial": range(n), "k": [7, *range(n - 1)], "out": [5, *range(n - 1)], "y": [0, 1] * (n // 2)}
    )
    contract = contract_of(frame, key=("k",), exclude=("out",))
    assert all(contract.columns[name].max is None for name in ("one", "serial", "k", "out"))
    assert contract.columns["y"].max is not None


def test_what_only_moves_on_with_time_has_no_bounds_whatever_the_order_of_the_rows():
    days = [NOW + timedelta(days=n) for n in range(60)]
    frame = pl.DataFrame(
        {"t": days, "month": [d.month for d in days], "name": [f"{d:%b}" for d in days], "y": [0, 1] * 30}
    )
    found = contract_of(frame.sample(fraction=1.0, shuffle=True, seed=0), time="t").columns
    assert (found["month"].max, found["name"].categories) == (None, None)
    assert found["y"].max is not None


@pytest.mark.parametrize(
    ("name", "target"),
    [("bike_sharing_hour.csv.gz", "cnt"), ("elec2.csv.gz", "class"), ("insects_gradual_balanced.csv.gz", "class")],
)
def test_real_data_that_drift_are_not_taken_for_broken(name, target):
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data here")
    frame = read(name, root=SHARED)
    found = look(frame, target=target)
    roles = Roles(target=target, time=found.time, key=found.key, exclude=found.exclude)
    first = frame.height // 6
    contract = infer_contract(conform(frame.head(first), found.kinds), roles=roles, kinds=found.kinds)
    for start in range(first, frame.height, 500):
        assert validate(frame.slice(start, 500), contract, now=NOW).passed


def test_one_key_column_with_repeats_is_not_unique():
    frame = pl.DataFrame({"a": [1, 1, 2], "b": [1, 2, 1], "y": [0, 1, 0]})
    assert not contract_of(frame, key=("a",)).key_unique
    assert contract_of(frame, key=("a", "b")).key_unique


def test_nulls_are_allowed_where_they_were_seen():
    contract = contract_of(pl.DataFrame({"x": [1, None, 4, 3], "y": [0, 1, 0, 1]}))
    assert contract.columns["x"].max_null_share == pytest.approx(0.75)
    assert contract.columns["y"].nullable is False


def test_new_categories_are_allowed_as_singletons_suggest():
    often = contract_of(pl.DataFrame({"c": ["a", "b"] * 50, "y": [0, 1] * 50})).columns["c"]
    rare = contract_of(
        pl.DataFrame({"c": ["a"] * 40 + [f"c{n}" for n in range(20)] + ["a"] * 40, "y": [0, 1] * 50})
    ).columns["c"]
    assert often.categories == ["a", "b"]
    assert often.max_new_category_share == pytest.approx(0.1)
    assert rare.max_new_category_share == pytest.approx(0.6)


def test_times_reach_back_by_the_length_of_the_history():
    days = [NOW + timedelta(days=n) for n in range(11)]
    contract = contract_of(pl.DataFrame({"t": days, "y": [0, 1] * 5 + [0]}), time="t")
    assert contract.not_before == NOW - timedelta(days=10)


def test_overrides_replace_what_they_name_and_leave_the_rest():
    contract = contract_of(
        pl.DataFrame({"x": [1.0, 3.0, None, 2.0], "c": ["a", "b", "a", "a"], "t": [NOW] * 4, "y": [0, 1, 0, 1]}),
        time="t",
    )
    given_settings = ContractSettings(
        columns={
            "x": ColumnRule(max=2.0, nullable=False),
            "c": ColumnRule(categories=["a"]),
            "y": ColumnRule(nullable=True),
        },
        min_rows=2,
        max_rows=5,
        freshness=Duration(days=1),
        allow_extra_columns=False,
    )
    found = apply_overrides(contract, given_settings)
    assert (found.columns["x"].max, found.columns["x"].min) == (2.0, contract.columns["x"].min)
    assert found.columns["c"].max_new_category_share == 0
    assert found.columns["y"].max_null_share == 1
    assert (found.min_rows, found.max_rows, found.freshness_s, found.allow_extra_columns) == (2, 5, 86400.0, False)
    assert apply_overrides(contract, ContractSettings()) == contract


def test_another_kind_drops_the_bounds_of_the_old_one():
    contract = contract_of(pl.DataFrame({"x": [1, 3, 2], "y": [0, 1, 0]}))
    found = apply_overrides(contract, ContractSettings(columns={"x": ColumnRule(kind=Kind.CATEGORY)}))
    assert (found.columns["x"].min, found.columns["x"].kind) == (None, Kind.CATEGORY)


@pytest.mark.parametrize(
    ("given_settings", "told"),
    [
        (ContractSettings(columns={"xx": ColumnRule(min=1)}), "names 'xx'"),
        (ContractSettings(columns={"x": ColumnRule(min=3, max=1)}), "`min` 3 is above `max` 1"),
        (ContractSettings(min_rows=5, max_rows=2), "`min_rows` 5 is above"),
        (ContractSettings(freshness=Duration(days=1)), "needs a time column"),
    ],
)
def test_overrides_that_cannot_be_are_refused(given_settings, told):
    contract = contract_of(pl.DataFrame({"x": [1, 3, 2], "y": [0, 1, 0]}))
    with pytest.raises(InvalidInput, match=told) as caught:
        apply_overrides(contract, given_settings)
    assert caught.value.hint


def test_a_contract_for_requests_has_only_rules_of_single_rows():
    contract = contract_of(pl.DataFrame({"id": [1, 2, 3], "x": [2, 1, 4], "y": [0, 1, 0]}), key=("id",))
    narrowed = contract.only(["x"])
    assert list(narrowed.columns) == ["x"]
    assert validate(pl.DataFrame({"x": [2]}), narrowed, now=NOW).passed
    assert not validate(pl.DataFrame({"x": [2000]}), narrowed, now=NOW).passed
