"""`homeostat models adopt` at the command line."""

from datetime import UTC, datetime

import pytest

from homeostat.core.records.registry import ModelVersion

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def registered(shell):
    """A version that a client registered under another name, and one without files."""
    shell.init()
    store = shell.store
    with store.write() as tx:
        for number, digests in ((1, {"MLmodel": "0" * 64}), (2, {})):
            tx.models.add(
                ModelVersion(
                    model="by-hand",
                    version=number,
                    run_id="",
                    created=NOW,
                    location="artifacts/1/m" if digests else "",
                    digests=digests,
                    signature={"declared": {}},
                    lineage={},
                    source="models:/m-1",
                    user="ada",
                )
            )
        tx.models.set_alias("by-hand", "best", 1)
    store.close()
    return shell


def test_a_cycle_is_asked_for_with_a_copy_in_the_projects_model(registered):
    said = registered.ok("models", "adopt", "by-hand@best", "--json").json
    assert (said["trigger"], said["state"]) == ("manual", "running")
    assert "registered by ada" in said["because"]
    store = registered.store
    with store.read() as tx:
        copy = tx.models.get(said["model"], said["options"]["version"])
        kinds = [event.kind for event in tx.audit.events()]
    store.close()
    assert copy.source == "models:/by-hand/1"
    assert kinds[-3:] == ["registered_model.created", "model_version.registered", "cycle.requested"]
    refused = registered("models", "adopt", "by-hand@1", "--json")
    assert refused.status == 6  # one cycle at a time
    store = registered.store
    with store.read() as tx:
        assert len(tx.models.versions(said["model"])) == 1
    store.close()


@pytest.mark.parametrize(
    ("which", "status", "words"),
    [
        ("by-hand@2", 3, "has no package on this server"),
        ("by-hand@9", 3, "no version 9"),
        ("by-hand@none", 3, "no alias 'none'"),
        ("nobody@1", 3, "no model 'nobody'"),
    ],
)
def test_what_cannot_be_adopted_is_told(registered, which, status, words):
    said = registered("models", "adopt", which, "--json")
    assert said.status == status
    assert words in said.error["message"]


def test_waiting_needs_a_server(registered):
    said = registered("models", "adopt", "by-hand@1", "--wait", "--json")
    assert said.status == 5
    assert "no server is up" in said.error["message"]
    store = registered.store
    with store.read() as tx:
        assert tx.models.models() == ["by-hand"]  # nothing was copied
    store.close()
