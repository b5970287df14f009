import string
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.shell import shop

from homeostat.app.init import draft, model_name, stored_source, window_of, write
from homeostat.app.project import load, parse
from homeostat.core.columns import Task
from homeostat.core.errors import Conflict, InvalidInput

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    shop().write_csv(tmp_path / "shop.csv")
    return tmp_path


def test_the_draft_is_a_project_that_decodes_to_itself(folder):
    made = draft("shop.csv", target="bought", root=folder)
    path = write(made, folder, force=False)
    assert load(path).project == made.project == parse(made.text)
    assert made.project.task is Task.BINARY
    assert made.project.data.time == "visited"
    assert made.project.model == "shop"
    assert set(made.features) == {"price", "channel", "age"}
    assert made.project.watch.window is not None
    assert [found.name for found in folder.iterdir() if found.name.startswith(".")] == []


def test_nothing_is_written_over_a_file_that_is_there(folder):
    made = draft("shop.csv", target="bought", root=folder)
    (folder / "homeostat.yaml").write_text("mine")
    with pytest.raises(Conflict, match="exists already"):
        write(made, folder, force=False)
    assert (folder / "homeostat.yaml").read_text() == "mine"
    write(made, folder, force=True)
    assert parse((folder / "homeostat.yaml").read_text()) == made.project


def test_without_a_time_column_windows_are_counted_in_rows(folder):
    shop().drop("visited").write_csv(folder / "shop.csv")
    made = draft("shop.csv", target="bought", root=folder)
    assert made.project.data.time is None
    assert made.project.watch.window is None
    assert made.project.watch.window_rows == 200


def test_a_time_column_of_numbers_is_refused_with_what_to_write(folder):
    shop().with_columns(pl.col("visited").dt.epoch("s")).write_csv(folder / "shop.csv")
    with pytest.raises(InvalidInput, match="'visited' is integer, not dates") as caught:
        draft("shop.csv", target="bought", time="visited", root=folder)
    assert "2024-01-31" in caught.value.hint


def test_a_target_alone_is_refused(folder):
    shop().select("bought").write_csv(folder / "alone.csv")
    with pytest.raises(InvalidInput, match="no column is left") as caught:
        draft("alone.csv", target="bought", root=folder)
    assert caught.value.hint


def test_a_model_name_that_cannot_be_is_refused(folder):
    with pytest.raises(InvalidInput, match="cannot be a model's name"):
        draft("shop.csv", target="bought", root=folder, model="../shop")


@given(st.text(max_size=60))
def test_every_source_gives_a_model_name_that_the_project_takes(source):
    name = model_name(source)
    assert name[0] in string.ascii_letters
    assert parse(f"model: '{name}'\ntask: binary\ndata: {{source: a.csv, target: y}}\n").model == name


def test_a_source_inside_the_project_is_kept_relative(tmp_path):
    assert stored_source(str(tmp_path / "data" / "a.csv"), tmp_path) == "data/a.csv"
    assert stored_source("data/../a.csv", tmp_path) == "a.csv"
    assert stored_source("../a.csv", tmp_path) == str(tmp_path.parent / "a.csv")
    assert stored_source("s3://bucket/a.csv", tmp_path) == "s3://bucket/a.csv"
    assert stored_source("sqlite:///shop.db", tmp_path) == "sqlite:///shop.db"


@given(st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=20_000)), st.integers(20, 10**9))
def test_windows_hold_enough_rows_where_a_usual_length_can(span, rows):
    window = window_of(span, rows)
    assert timedelta(minutes=15) <= window <= timedelta(days=364)
    assert rows * (window / span) >= 119 or window == timedelta(days=364)


@pytest.mark.parametrize(
    ("name", "target", "task", "excluded"),
    [
        ("bike_sharing_hour.csv.gz", "cnt", Task.REGRESSION, {"casual", "registered"}),
        ("german_credit.csv.gz", "class", Task.BINARY, set()),
        ("elec2.csv.gz", "class", Task.BINARY, set()),
        ("insects_gradual_balanced.csv.gz", "class", Task.MULTICLASS, set()),
    ],
)
def test_real_data_give_a_project(name, target, task, excluded, tmp_path):
    if not DATA.exists():
        pytest.skip("no ../shared/data here")
    made = draft(str(DATA / name), target=target, root=tmp_path)
    assert made.project.task is task
    assert set(made.project.data.exclude) >= excluded
    assert parse(made.text) == made.project
