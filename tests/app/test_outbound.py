import socket
import threading
import time

import pytest
from tests.app.receiver import receiver

from homeostat.app.outbound import post
from homeostat.core.errors import NotAllowed, Unreachable
from homeostat.registry.addresses import OutboundRules, networks_of

HERE = OutboundRules(schemes=("http", "https"), allowed=networks_of("127.0.0.1/32"))


def test_what_is_sent_arrives_and_the_answer_comes_back():
    with receiver() as other:
        answer = post(f"{other.url}?a=1", b"{}", {"X-A": "b"}, rules=HERE)
    assert (answer.status, answer.body) == (200, "ok")
    path, headers, body = other.got[0]
    assert (path, body, headers["x-a"], headers["host"]) == ("/hook?a=1", b"{}", "b", f"127.0.0.1:{other.port}")


def test_a_name_is_resolved_once_and_what_was_checked_is_what_is_called():
    asked = []

    def resolver(host, port):
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with receiver() as other:
        post(f"http://rebinding.example:{other.port}/x", b"{}", {}, rules=HERE, resolver=resolver)
    assert asked == [("rebinding.example", other.port)]
    assert other.got[0][1]["host"] == f"rebinding.example:{other.port}"


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], []])
def test_a_name_that_leads_inside_is_not_connected_to(addresses):
    with receiver() as other:
        with pytest.raises(NotAllowed):
            post(
                f"http://inside.example:{other.port}/",
                b"{}",
                {},
                rules=OutboundRules(schemes=("http",)),
                resolver=lambda _host, _port: addresses,
            )
        assert other.got == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status):
    with receiver() as other:
        other.answer = lambda _n: (status, {"location": other.url})
        assert post(other.url, b"{}", {}, rules=HERE).status == status
        assert len(other.got) == 1


def test_no_proxy_is_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with receiver() as other:
        assert post(other.url, b"{}", {}, rules=HERE).status == 200


def test_nobody_there_is_unreachable():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        with pytest.raises(Unreachable, match="cannot be reached"):
            post(f"http://127.0.0.1:{port}/", b"", {}, rules=HERE)


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 200 OK\r\nX-A: b\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx"]
)
def test_a_receiver_that_drips_is_given_up_in_time(says):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        done = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(says)
                    while not done.wait(0.05):
                        connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(Unreachable):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, rules=HERE, timeout_s=0.5)
        assert time.monotonic() - began < 5
        done.set()
        thread.join()


def test_a_receiver_that_is_no_tls_server_is_unreachable_by_https():
    with receiver() as other, pytest.raises(Unreachable, match=r"SSL|TLS"):
        post(other.url.replace("http:", "https:"), b"{}", {}, rules=HERE)


def test_an_endless_answer_is_cut():
    with receiver() as other:
        other.answer = lambda _n: (200, {"content-length": "2", "retry-after": "7"})
        answer = post(other.url, b"{}", {}, rules=HERE)
    assert answer.retry_after_s == 7
