"""An inference process starts without what it needs for bulk and for reading tables only: that is a tenth of its start, and 20 MB."""

import subprocess
import sys

import pytest

NEEDED = [
    "app.inference",
    "app.following",
    "app.wiring",
    "serve.engine",
    "storage.records",
    "storage.tables.delta",
    "storage.sql.store",
]


@pytest.mark.parametrize("heavy", ["polars", "pandas", "pyarrow", "deltalake", "sklearn", "scipy", "mlflow", "dbos"])
def test_what_serves_does_not_import(heavy):
    imports = "; ".join(f"import homeostat.{name}" for name in NEEDED)
    code = f"import sys; {imports}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
