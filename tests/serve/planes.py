"""Routes of one model, and what its plane has recorded, for tests of what serves."""

import threading
from dataclasses import replace

from homeostat.core.records.routes import Route
from homeostat.testing import serving as fakes

CHAMPION = Route(model="m", generation=1, champion=1)
CANARY = Route(model="m", generation=2, champion=1, canary=2, canary_percent=100.0)
CHAMPION_AGAIN = replace(CHAMPION, generation=3)
SHADOW = Route(model="m", generation=2, champion=1, shadow=2)


def recorded(records, *columns):
    return records.read("predictions", "m").select(columns).rows()


class FailsLate(fakes.Hangs):
    """Raises when it is let go; what warmed it up was answered."""

    def predict_proba(self, frame):
        answer = super().predict_proba(frame)
        if self.asked > 1:
            raise ZeroDivisionError("late")
        return answer


def waiting_for(plane, late):
    """Ask what waits for a version; return the thread and where its answer appears, as soon as the version was asked."""
    late.go.clear()
    answers = []
    client = threading.Thread(target=lambda: answers.append(plane.answer("m", [fakes.ROW], request_id="r")))
    client.start()
    while not plane.run(asking(plane)):
        client.join(0.005)
    return client, answers


async def asking(plane):
    return sum(each.asking for each in plane.plane.switchboard.of("m").loaded.values())
