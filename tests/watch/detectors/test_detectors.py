"""The plug-ins: each has a test file of its own, and a name that a setting may give."""

from pathlib import Path

import pytest

from homeostat.core.errors import NotFound
from homeostat.watch.detectors import DETECTORS, detector


def test_every_detector_has_a_test():
    here = Path(__file__).parent
    assert [name for name in DETECTORS if not (here / f"test_{name}.py").exists()] == []


def test_every_file_name_is_the_detectors_name():
    assert set(DETECTORS) == {"adwin", "cusum", "ddm", "eddm", "ewma", "hddm_w", "kswin", "page_hinkley"}


def test_an_unknown_name_is_answered_with_a_near_one():
    with pytest.raises(NotFound, match="no detector 'adwim'") as caught:
        detector("adwim")
    assert "adwin" in caught.value.hint
