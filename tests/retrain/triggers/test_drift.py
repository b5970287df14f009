import pytest
from tests.retrain.situations import event, situation

from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.drift import TRIGGER


@pytest.mark.parametrize(
    ("setting", "labels_come", "fires"),
    [
        ("never", True, False),
        ("never", False, False),
        ("without_labels", True, False),
        ("without_labels", False, True),
        ("always", True, True),
        ("always", False, True),
    ],
)
def test_drift_counts_as_the_project_says(setting, labels_come, fires):
    drifted = situation(events=(event("drift.detected"),), labels_come=labels_come)
    assert (TRIGGER.fired(drifted, Triggers(drift=setting)) is not None) == fires
    assert TRIGGER.fired(situation(labels_come=labels_come), Triggers(drift=setting)) is None
