from pathlib import Path

from tests.retrain.situations import event, situation

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers import TRIGGERS, firings


def test_every_trigger_has_its_test_file():
    missing = [name for name in TRIGGERS if not (Path(__file__).parent / f"test_{name}.py").exists()]
    assert missing == []
    assert list(TRIGGERS) == sorted(TRIGGERS)


def test_the_weightiest_firing_comes_first():
    both = (event("drift.detected", seq=1), event("performance.decayed", seq=2))
    found = firings(situation(events=both, labelled_rows_since_training=9), Triggers(drift="always", new_rows=5))
    assert [firing.trigger for firing in found] == ["performance", "drift", "new_rows"]
