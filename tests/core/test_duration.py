from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.duration import Duration, size_bytes
from homeostat.core.errors import InvalidInput


@given(st.integers(0, 10**9))
def test_what_is_written_is_what_is_read(milliseconds):
    length = Duration(milliseconds=milliseconds)
    assert Duration.parse(str(length)) == length == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("text", ["", "7", "d", "7 days", "soon", "-3d", "1d x", "1e3s"])
def test_anything_else_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(InvalidInput, match="is not a duration") as caught:
        Duration.parse(text)
    assert "15min" in caught.value.hint


@pytest.mark.parametrize(("text", "size"), [("100", 100), ("4GB", 4 * 10**9), ("1.5 KiB", 1536), (" 2MB ", 2 * 10**6)])
def test_sizes_are_read_with_their_units(text, size):
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "4 gigs", "-1MB"])
def test_other_sizes_are_refused(text):
    with pytest.raises(InvalidInput, match="is not a size"):
        size_bytes(text)
