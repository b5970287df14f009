import json
import socketserver
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.app.receiver import REACHABLE, receiver

from homeostat.app.channels import Channel, channel_of, send
from homeostat.app.webhooks import Deliverer
from homeostat.audit.log import record
from homeostat.core.errors import InvalidInput, NotAllowed, Unreachable
from homeostat.registry.addresses import OutboundRules, networks_of
from homeostat.testing.serving import NOW
from homeostat.watch import alerts

NOBODY = OutboundRules(schemes=("http",))
MESSAGE = {"title": "churn: a test", "text": "hello"}


def happen(store, word: str, *, is_told: bool = True, incident: str = "i1") -> None:
    payload = {
        "incident": incident, "kind": "performance", "severity": "high", "columns": ["price"], "because": "log loss rose",
        "is_told": is_told,
    }  # fmt: skip
    with store.write() as tx:
        record(tx, f"incident.{word}", subject="model:churn", actor="watch", time=NOW, payload=payload)


def turn(deliverer) -> None:
    while deliverer.look():
        deliverer.settle()


def deliveries(store, name: str = "ops"):
    with store.read() as tx:
        return list(reversed(tx.webhooks.deliveries(alerts.PREFIX + name)))


@contextmanager
def telling(store, clock, **channels: str):
    deliverer = Deliverer(store, clock, channels=channels, rules=REACHABLE, every_s=0.02)
    turn(deliverer)  # begins to listen
    try:
        yield deliverer
    finally:
        deliverer.stop()


def test_an_incident_is_told_once_when_it_opens_gets_worse_and_ends(store, clock):
    happen(store, "opened", incident="old")
    with receiver() as other, telling(store, clock, ops=other.url) as deliverer:
        for word in ("opened", "escalated", "resolved"):
            happen(store, word)
            turn(deliverer)
            turn(deliverer)
        happen(store, "reopened", is_told=False)
        happen(store, "opened", is_told=False)
        turn(deliverer)
    told = [json.loads(body) for _, _, body in other.got]
    assert [one["event"] for one in told] == ["incident.opened", "incident.escalated", "incident.resolved"]
    assert told[0]["title"] == "churn: performance incident, high"
    assert "log loss rose" in told[0]["text"]
    assert told[2]["title"] == "churn: performance incident is over"
    assert len({headers["x-homeostat-delivery-id"] for _, headers, _ in other.got}) == 3


def test_a_channel_that_fails_is_tried_again_after_a_restart_and_holds_up_no_other(store, clock):
    with receiver() as broken, receiver() as fine:
        broken.answer = lambda n: (503 if n == 1 else 200, {})
        with telling(store, clock, ops=broken.url, team=fine.url) as first:
            happen(store, "opened")
            turn(first)
        assert (len(broken.got), len(fine.got)) == (1, 1)
        assert deliveries(store)[0].state == "pending"
        clock.time += timedelta(minutes=1)
        with telling(store, clock, ops=broken.url, team=fine.url):
            pass
    assert deliveries(store)[0].state == "delivered"
    assert len(fine.got) == 1


def test_a_channel_without_an_address_fails_with_a_reason_and_the_others_are_told(store, clock, monkeypatch):
    monkeypatch.delenv("NO_SUCH_CHANNEL", raising=False)
    with receiver() as other, telling(store, clock, ops="$NO_SUCH_CHANNEL", team=other.url) as deliverer:
        happen(store, "opened")
        turn(deliverer)
    assert len(other.got) == 1
    (delivery,) = deliveries(store)
    assert (delivery.state, "NO_SUCH_CHANNEL" in delivery.error) == ("failed", True)


def test_apprise_sends_and_what_it_sends_arrives():
    with receiver() as other:
        answer = send(Channel(name="ops", url=f"json://127.0.0.1:{other.port}/x"), MESSAGE, "d1", rules=REACHABLE)
    assert answer.status == 200
    ((path, _, body),) = other.got
    assert path == "/x"
    assert json.loads(body)["title"] == "churn: a test"


def test_apprise_tells_what_the_receiver_answered():
    with receiver() as other:
        other.answer = lambda _n: (503, {})
        assert (
            send(Channel(name="ops", url=f"json://127.0.0.1:{other.port}/x"), MESSAGE, "d1", rules=REACHABLE).status
            == 503
        )


def test_a_redirect_is_not_followed():
    with receiver() as there, receiver() as other:
        other.answer = lambda _n: (302, {"location": there.url})
        assert (
            send(Channel(name="ops", url=f"json://127.0.0.1:{other.port}/x"), MESSAGE, "d1", rules=REACHABLE).status
            == 302
        )
    assert there.got == []


@pytest.mark.parametrize("kind", ["json", "http"])
def test_addresses_that_may_not_be_called_are_refused_whoever_calls(kind):
    with receiver() as other:
        with pytest.raises(NotAllowed, match="not a public one"):
            send(Channel(name="ops", url=f"{kind}://127.0.0.1:{other.port}/x"), MESSAGE, "d1", rules=NOBODY)
        assert other.got == []


def test_a_name_that_leads_to_a_private_address_is_refused_when_apprise_connects():
    with receiver() as other:
        with pytest.raises(NotAllowed, match="not a public one"):
            send(Channel(name="ops", url=f"json://localhost:{other.port}/x"), MESSAGE, "d1", rules=NOBODY)
        assert other.got == []


def test_a_scheme_that_is_not_allowed_is_refused():
    rules = OutboundRules(allowed=networks_of("127.0.0.1/32"))
    with receiver() as other:
        with pytest.raises(NotAllowed, match="not an allowed scheme"):
            send(Channel(name="ops", url=f"json://127.0.0.1:{other.port}/x"), MESSAGE, "d1", rules=rules)
        assert other.got == []


class Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        is_data = False
        for line in self.rfile:
            if is_data:
                self.server.got.append(line.decode())
                if line == b".\r\n":
                    is_data = False
                    self.wfile.write(b"250 taken\r\n")
                continue
            word = line[:4].upper()
            is_data = word == b"DATA"
            self.wfile.write(b"354 go on\r\n" if is_data else b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                return


def test_mail_arrives_and_a_private_mail_server_has_to_be_allowed():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.got = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"mailto://127.0.0.1:{server.server_address[1]}?from=a@example.org&to=b@example.org&mode=insecure"
        with pytest.raises(NotAllowed, match="not a public one"):
            send(Channel(name="mail", url=url), MESSAGE, "d1", rules=NOBODY)
        assert send(Channel(name="mail", url=url), MESSAGE, "d1", rules=REACHABLE).status == 200
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert "churn: a test" in "".join(server.got)


def test_an_address_is_told_by_nobody(store, clock, caplog, monkeypatch):
    monkeypatch.setenv("OPS_ALERTS", "json://user:SECRET@127.0.0.1:1/SECRET")
    with telling(store, clock, ops="$OPS_ALERTS", plain="http://127.0.0.1:1/SECRET", odd="SECRET") as deliverer:
        happen(store, "opened")
        turn(deliverer)
    told = [delivery for name in ("ops", "plain", "odd") for delivery in deliveries(store, name)]
    assert [delivery.state for delivery in told] == ["pending", "pending", "failed"]
    assert "SECRET" not in repr(told) + caplog.text + repr(channel_of("ops", "$OPS_ALERTS"))
    with store.read() as tx:
        assert "SECRET" not in repr(tx.audit.events())


def test_an_address_that_apprise_does_not_read_is_told_without_it():
    with pytest.raises(InvalidInput, match="apprise does not read") as caught:
        send(Channel(name="ops", url="nosuch://SECRET"), MESSAGE, "d1", rules=REACHABLE)
    assert "SECRET" not in str(caught.value)


def test_a_channel_that_hangs_is_ended():
    may_answer = threading.Event()
    with receiver() as other:
        other.answer = lambda _n: (200 if may_answer.wait(60) else 500, {})
        try:
            with pytest.raises(Unreachable, match="did not end within"):
                send(
                    Channel(name="ops", url=f"json://127.0.0.1:{other.port}/x?rto=60"),
                    MESSAGE,
                    "d1",
                    rules=REACHABLE,
                    timeout_s=3,
                )
        finally:
            may_answer.set()
