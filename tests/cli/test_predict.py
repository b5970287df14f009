import polars as pl
import pyarrow.parquet as pq
from tests.cli.shell import shop


def test_a_file_is_answered_by_the_version_that_was_named(trained):
    shop(50, seed=1).drop("bought").write_csv(trained.folder / "new.csv")
    said = trained.ok("predict", "new.csv", "--model", "1", "-o", "out.parquet")
    assert "50 rows answered by" in said.out
    out = pl.read_parquet(trained.folder / "out.parquet")
    assert out.height == 50
    assert set(out["prediction"]) <= {"yes", "no"}
    assert pq.read_schema(trained.folder / "out.parquet").metadata[b"homeostat.version"] == b"1"


def test_a_bad_row_is_an_error_with_exit_code_2_and_no_output(trained):
    shop(50, seed=1).drop("bought").with_columns(price=pl.lit("dear")).write_csv(trained.folder / "new.csv")
    said = trained("predict", "new.csv", "--model", "1", "-o", "out.parquet", "--json")
    assert said.status == 2
    assert "'new.csv', row 1: field 'price'" in said.error["message"]
    assert not (trained.folder / "out.parquet").exists()


def test_what_is_not_there_is_told(trained):
    assert trained("predict", "old.csv", "--model", "1", "-o", "out.parquet").status == 2
    shop(5).write_csv(trained.folder / "new.csv")
    assert "known: here, ray" in trained("predict", "new.csv", "--model", "1", "-o", "o.parquet", "--on", "moon").err
