import sqlite3

import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.sources import read
from homeostat.testing.contracts.sources import SourceContract


def make(folder, *statements):
    connection = sqlite3.connect(folder / "t.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return "sqlite:///t.db"


class TestSql(SourceContract):
    name = "sql"

    def write(self, frame, folder):
        uri = make(folder, "create table t (n integer, x real, word text)")
        connection = sqlite3.connect(folder / "t.db")
        connection.executemany("insert into t values (?, ?, ?)", frame.rows())
        connection.commit()
        connection.close()
        return uri, "select * from t -- all; of it\n;"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (None, "needs a query"),
        ("  ", "needs a query"),
        ("delete from t", "not a select"),
        ("select 1; drop table t", "more than one"),
        ("with x as (select 1) insert into t select 1", "'insert'"),
        ("select a from nowhere", "no such table: nowhere"),
        ("select n, n from t", "column 'n' more than once"),
    ],
)
def test_what_is_not_one_select_of_named_columns_is_refused(tmp_path, query, told):
    uri = make(tmp_path, "create table t (n)", "insert into t values (1)")
    with pytest.raises(InvalidInput, match=told) as caught:
        read(uri, query=query, root=tmp_path)
    assert caught.value.hint
    assert read(uri, query="select count(*) as rows from t", root=tmp_path)["rows"].to_list() == [1]


def test_words_that_write_are_harmless_in_texts_and_quoted_names(tmp_path):
    uri = make(tmp_path, 'create table t ("update" text)', "insert into t values ('12:30 drop; %s')")
    frame = read(uri, query="""select "update" as u from t where "update" like '%drop;%' """, root=tmp_path)
    assert frame["u"].to_list() == ["12:30 drop; %s"]


def test_a_column_of_several_types_becomes_text(tmp_path):
    uri = make(tmp_path, "create table t (n, m)", "insert into t values (1, 1), ('x', 2.5), (null, null)")
    frame = read(uri, query="select * from t", root=tmp_path)
    assert frame.to_dict(as_series=False) == {"n": ["1", "x", None], "m": [1.0, 2.5, None]}


def test_an_absent_database_is_not_created(tmp_path):
    make(tmp_path)
    with pytest.raises(InvalidInput, match="no database file") as caught:
        read("sqlite:///tt.db", query="select 1", root=tmp_path)
    assert caught.value.hint == "did you mean 't.db'?"
    assert not (tmp_path / "tt.db").exists()


def test_a_password_is_not_shown(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        read("mysql+nodriver://me:secret@host/db", query="select 1", root=tmp_path)
    assert "secret" not in caught.value.message + caught.value.hint


def test_a_missing_driver_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="driver"):
        read("mysql://me:secret@host/db", query="select 1", root=tmp_path)
