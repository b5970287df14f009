from tests.watch.record_world import DAY, T0

from homeostat.watch.history import past_of
from homeostat.watch.windows import Window


def test_a_feature_named_as_the_answers_are_has_a_past_of_its_own(world):
    for day in range(22):
        world.label(world.day(day), T0 + (day + 0.5) * DAY)
    found = world.look(T0 + 22 * DAY)
    verdicts = [one.body["verdict"] for one in found]
    for verdict in verdicts:  # as if the column x were named `score`
        for drift in verdict["columns"]:
            drift["column"] = "score" if drift["column"] == "x" else drift["column"]
    _, past = past_of(found[:-1], Window(found[-1].window_start, found[-1].window_end), by_count=False)
    for one, name in ((past.columns, "columns"), (past.predictions, "predictions")):
        wanted = [drift["effect"] for verdict in verdicts[:-1] for drift in verdict[name] if drift["column"] == "score"]
        assert one["score"]["wasserstein"] == wanted
        assert len(wanted) == 21
