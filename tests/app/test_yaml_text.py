from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from homeostat.app.export.configuration import in_a_container
from homeostat.app.yaml_text import read, write

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.from_regex(r"[-+]?[0-9.]{1,4}[eE][-+]?[0-9]{1,3}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize("number", ["1e-9", "0E0", "-2.5e3", "+.5E+2", "1.e1"])
def test_a_number_is_read_as_one_and_the_same_in_quotes_as_a_text(number):
    assert read(f"[{number}, '{number}']") == [float(number), number]


@given(VALUES, st.booleans())
@example("0E0", True)
@example({"1e9": ["1e-9", 1e-9]}, False)
def test_what_is_written_is_read_back(value, flow):
    assert read(write(value, flow=flow, unicode=False)) == value


def test_a_container_has_the_numbers_of_the_project(tmp_path: Path):
    file = tmp_path / "homeostat.yaml"
    file.write_text("model: sales\ndata: {target: '1e3'}\nserve: {tolerance: 1e-9}\n", encoding="utf-8")
    assert read(in_a_container(file)) == {
        "model": "sales",
        "data": {"target": "1e3"},
        "serve": {"tolerance": 1e-9, "host": "0.0.0.0"},
    }
