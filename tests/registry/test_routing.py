from datetime import UTC, datetime

import pytest

from homeostat.audit.log import verify
from homeostat.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.core.records.routes import Segment, Split
from homeostat.registry.card import card
from homeostat.registry.routing import promote, roll_back, send_traffic, set_rules, take_back
from homeostat.registry.versions import resolve
from homeostat.storage.sql.store import open_memory_store

NOW = datetime(2026, 1, 2, tzinfo=UTC)
WHO = {"model": "churn", "actor": "ann", "now": NOW}


@pytest.fixture
def store():
    opened = open_memory_store()
    with opened.write() as tx:
        for number, passed in ((1, True), (2, True), (3, False)):
            report = GateReport(
                report_id=f"r{number}", model="churn", run_id=f"run{number}", created=NOW, passed=passed, body={}
            )
            tx.models.add_report(report)
            tx.models.add(
                ModelVersion(
                    model="churn",
                    version=number,
                    run_id=f"run{number}",
                    created=NOW,
                    location=f"runs/{number}/model",
                    digests={},
                    signature={"task": "binary", "target": "left"},
                    lineage={},
                    report_id=f"r{number}",
                )
            )
    yield opened
    opened.close()


def champion(store) -> int | None:
    with store.read() as tx:
        route = tx.routes.get("churn")
        assert route is None or route.champion == tx.models.alias("churn", "champion")
        return route.champion if route else None


def test_promotion_moves_alias_route_and_log_together(store):
    route = promote(store=store, version=1, **WHO)
    assert (route.champion, route.generation, champion(store)) == (1, 1, 1)
    with store.read() as tx:
        assert [event.kind for event in tx.audit.events()] == ["alias.moved"]
    assert verify(store) == 1


def test_alias_does_not_move_when_the_report_failed(store):
    promote(store=store, version=1, **WHO)
    with pytest.raises(NotAllowed, match="did not pass the gate"):
        promote(store=store, version=3, **WHO)
    with pytest.raises(NotAllowed):
        send_traffic(store=store, canary=3, canary_percent=5, **WHO)
    assert champion(store) == 1
    assert verify(store) == 1


def test_force_goes_past_the_gate_and_is_kept(store):
    promote(store=store, version=3, force="the regulator asked", **WHO)
    with store.read() as tx:
        assert tx.audit.events()[-1].payload["force"] == "the regulator asked"


def test_a_promotion_retried_under_its_key_happens_once(store):
    promote(store=store, version=1, **WHO)
    promote(store=store, version=2, key="c1:promote", **WHO)
    promote(store=store, version=1, **WHO)
    promote(store=store, version=2, key="c1:promote", **WHO)
    assert champion(store) == 1


def test_rollback_puts_the_previous_champion_back(store):
    with pytest.raises(Conflict, match="no previous champion"):
        roll_back(store=store, reason="x", **WHO)
    promote(store=store, version=1, **WHO)
    promote(store=store, version=2, **WHO)
    assert roll_back(store=store, reason="complaints", **WHO).champion == 1


def test_a_second_rollback_goes_further_back_and_says_where_the_history_ends(store):
    for version in (1, 2):
        promote(store=store, version=version, **WHO)
    promote(store=store, version=3, force="in a hurry", **WHO)
    assert roll_back(store=store, reason="worse", **WHO).champion == 2
    assert roll_back(store=store, reason="that one too", **WHO).champion == 1
    with pytest.raises(Conflict, match="no champion older than version 1") as caught:
        roll_back(store=store, reason="and that one", **WHO)
    assert "models promote VERSION" in caught.value.hint
    assert champion(store) == 1


def test_history_goes_on_from_where_a_rollback_led(store):
    for version in (1, 2):
        promote(store=store, version=version, **WHO)
    roll_back(store=store, reason="worse", **WHO)
    promote(store=store, version=3, force="a new try", **WHO)
    assert roll_back(store=store, reason="worse still", **WHO).champion == 1
    with pytest.raises(Conflict):
        roll_back(store=store, reason="x", **WHO)


def test_a_champion_of_twice_is_gone_back_through_twice(store):
    for version in (1, 2, 1):
        promote(store=store, version=version, **WHO)
    promote(store=store, version=1, **WHO)
    assert [roll_back(store=store, reason="x", **WHO).champion for _ in range(2)] == [2, 1]
    with pytest.raises(Conflict):
        roll_back(store=store, reason="x", **WHO)


def test_a_rollback_passes_over_a_version_that_was_deleted(store):
    for version in (1, 2):
        promote(store=store, version=version, **WHO)
    promote(store=store, version=3, force="in a hurry", **WHO)
    with store.write() as tx:
        tx.models.delete("churn", 2, now=NOW)
    assert previous_of(store) is None
    assert roll_back(store=store, reason="x", **WHO).champion == 1


def test_a_model_of_another_name_keeps_its_previous_champion(store):
    for version in (1, 2):
        promote(store=store, version=version, **WHO)
    with store.write() as tx:
        tx.models.rename_model("churn", "leavers", now=NOW)
    renamed = {**WHO, "model": "leavers"}
    promote(store=store, version=3, force="in a hurry", **renamed)
    assert roll_back(store=store, reason="x", **renamed).champion == 2


def test_a_model_that_has_just_got_another_name_can_go_back(store):
    for version in (1, 2):
        promote(store=store, version=version, **WHO)
    with store.write() as tx:
        tx.models.rename_model("churn", "leavers", now=NOW)
    assert roll_back(store=store, reason="x", **{**WHO, "model": "leavers"}).champion == 1


def previous_of(store) -> int | None:
    with store.read() as tx:
        return tx.models.alias("churn", "previous")


def test_promotion_ends_the_canary(store):
    promote(store=store, version=1, **WHO)
    route = send_traffic(store=store, canary=2, canary_percent=10, **WHO)
    assert route.versions == (1, 2)
    assert promote(store=store, version=2, **WHO).versions == (2,)


def test_the_champion_cannot_be_its_own_canary(store):
    promote(store=store, version=1, **WHO)
    with pytest.raises(InvalidInput):
        send_traffic(store=store, canary=1, canary_percent=10, **WHO)


def test_where_there_is_no_champion_it_is_said_how_to_have_one(store):
    with store.read() as tx, pytest.raises(NotFound, match="no version of model 'churn' is champion yet") as caught:
        resolve(tx, "churn", "champion")
    assert "`homeostat models promote " in caught.value.hint


def test_versions_are_found_by_number_and_alias_and_missing_ones_say_what_there_is(store):
    promote(store=store, version=2, **WHO)
    with store.read() as tx:
        assert resolve(tx, "churn", "champion").version == resolve(tx, "churn", "2").version == 2
        with pytest.raises(NotFound, match="no alias 'chalenger'") as caught:
            resolve(tx, "churn", "chalenger")
        assert "champion -> 2" in caught.value.hint
        with pytest.raises(NotFound, match="no model 'chrun'") as caught:
            resolve(tx, "chrun", "champion")
        assert "churn" in caught.value.hint
        assert "version 2 (champion)" in card(tx, tx.models.get("churn", 2))


def back(store, version, key="k", reason="it does not load"):
    return take_back(store=store, version=version, reason=reason, key=key, **WHO)


def test_a_champion_that_is_taken_back_leaves_its_place_to_the_one_before(store):
    promote(store=store, version=1, **WHO)
    promote(store=store, version=2, **WHO)
    assert back(store, 2).versions == (1,)
    assert champion(store) == 1
    assert previous_of(store) is None
    generation = back(store, 2).generation
    assert back(store, 2).generation == generation
    assert [event.kind for event in events(store)].count("alias.rolled_back") == 1
    assert verify(store)


def test_the_first_champion_that_is_taken_back_leaves_none(store):
    promote(store=store, version=1, **WHO)
    assert back(store, 1).champion is None
    assert champion(store) is None
    promote(store=store, version=2, **WHO)
    assert champion(store) == 2


def test_a_canary_that_is_taken_back_leaves_the_champion(store):
    promote(store=store, version=1, **WHO)
    send_traffic(store=store, canary=2, canary_percent=10.0, **WHO)
    route = back(store, 2)
    assert (route.champion, route.canary, route.canary_percent) == (1, None, 0.0)
    assert events(store)[-1].kind == "route.changed"
    assert events(store)[-1].payload["because"] == "it does not load"


def events(store):
    with store.read() as tx:
        return tx.audit.events()


NORTH = Segment(when={"key": "north"}, version=2)


def test_rules_are_kept_as_they_were_given_and_told(store):
    promote(store=store, version=1, **WHO)
    given = set_rules(store=store, segments=[NORTH], split=Split(shares={1: 30.0, 2: 70.0}), because="trial", **WHO)
    with store.read() as tx:
        assert tx.routes.get("churn") == given
        assert tx.routes.all() == [given]
        told = tx.audit.events()[-1]
    assert (told.kind, told.payload["because"]) == ("route.changed", "trial")
    assert told.payload["split"]["shares"] == {"1": 30.0, "2": 70.0}
    assert told.payload["segments"] == [{"when": {"key": "north"}, "version": 2}]
    assert given.versions == (1, 2)


def test_a_version_that_did_not_pass_gets_no_segment_and_no_share(store):
    promote(store=store, version=1, **WHO)
    for rules in ({"segments": [Segment(when={"key": "a"}, version=3)]}, {"split": Split(shares={1: 50.0, 3: 50.0})}):
        with pytest.raises(NotAllowed, match="did not pass"):
            set_rules(store=store, **rules, **WHO)
        assert set_rules(store=store, force="a drill", **rules, **WHO).versions == (1, 3)
        set_rules(store=store, segments=[], split="none", **WHO)


def test_a_segment_by_a_feature_that_the_version_does_not_have_is_refused(store):
    promote(store=store, version=1, **WHO)
    with pytest.raises(InvalidInput, match="no feature 'regoin'"):
        set_rules(store=store, segments=[Segment(when={"regoin": "north"}, version=2)], **WHO)


def test_rules_need_a_champion(store):
    with pytest.raises(Conflict, match="no champion"):
        set_rules(store=store, segments=[NORTH], **WHO)


def test_a_promotion_ends_a_split_and_leaves_segments_of_others(store):
    promote(store=store, version=1, **WHO)
    set_rules(store=store, segments=[NORTH], split=Split(shares={1: 50.0, 2: 50.0}), **WHO)
    again = promote(store=store, version=1, **WHO)
    assert (again.segments, again.split) == ((NORTH,), None)
    assert promote(store=store, version=2, **WHO).segments == ()


def test_what_is_taken_back_leaves_its_segments_and_shares(store):
    promote(store=store, version=1, **WHO)
    set_rules(store=store, segments=[NORTH], split=Split(shares={1: 50.0, 2: 50.0}), **WHO)
    left = take_back(store=store, version=2, reason="it crashes", key="k", **WHO)
    assert (left.champion, left.versions, left.split) == (1, (1,), None)
