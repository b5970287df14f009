import pytest

from homeostat.watch.events import BROKEN, DECAYED, DRIFTED, summary, told
from homeostat.watch.verdict import Cause, Verdict


def verdict(*flags, causes=()):
    return Verdict(
        state="alarm",
        summary="all in all",
        causes=list(causes),
        labels_come=True,
        decayed="decayed" in flags,
        drifted="drifted" in flags,
        broken="broken" in flags,
    )


@pytest.mark.parametrize(
    ("now", "before", "kinds"),
    [
        pytest.param(verdict(), None, [], id="nothing is wrong"),
        pytest.param(verdict("broken", "decayed"), None, [DECAYED, BROKEN], id="each in its order"),
        pytest.param(verdict("drifted"), verdict(), [DRIFTED], id="new since the window was judged before"),
        pytest.param(
            verdict("drifted", "decayed"), verdict("drifted"), [DECAYED], id="what was told is not told again"
        ),
        pytest.param(verdict(), verdict("drifted"), [], id="what is over is no event"),
    ],
)
def test_an_event_is_told_once_a_window(now, before, kinds):
    assert told(now, before) == kinds


def test_an_event_is_summed_up_by_its_own_causes():
    causes = [
        Cause(kind="performance", state="alarm", because="accuracy fell"),
        Cause(kind="predictions", state="warn", because="more say yes"),
        Cause(kind="drift", state="alarm", because="x moved"),
    ]
    found = verdict("decayed", "drifted", causes=causes)
    assert summary(DECAYED, found) == "accuracy fell"
    assert summary(DRIFTED, found) == "more say yes; x moved"
    assert summary("window.judged", found) == summary(BROKEN, found) == "all in all"
