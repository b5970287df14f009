"""Calling out: one POST to an address that was checked and is then the one connected to."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from homeostat.core.errors import Unreachable
from homeostat.registry.addresses import OutboundRules, check_addresses, target_of

_MOST_ANSWER = 64 * 1024
Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: str
    retry_after_s: float | None = None


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, as digits; raise Unreachable where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the name '{host}' cannot be resolved: {error}") from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    rules: OutboundRules,
    timeout_s: float = 10.0,
    resolver: Resolve = resolve,
) -> Answer:
    """Return what the receiver answered, redirects included: they are not followed.

    The name is resolved once; all its addresses are checked, and the first is the one connected to, so that the name cannot come to mean
    another address in between. No proxy is asked. Raises InvalidInput or NotAllowed for a URL that may not be called, Unreachable where no
    answer comes in time: `timeout_s` is for all of it, so that a receiver that drips bytes holds nothing up.
    """
    import http.client
    import ssl

    target = target_of(url, rules)
    address = check_addresses(resolver(target.host, target.port), rules)
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout_s)
    late = threading.Event()
    timer: threading.Timer | None = None
    try:
        plain = socket.create_connection((address, target.port), timeout=timeout_s)
        timer = threading.Timer(timeout_s, _cut, (plain, late))
        timer.daemon = True
        timer.start()
        if target.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
        else:
            connection.sock = plain
        connection.request("POST", target.path, body=body, headers={"Host": target.authority, **headers})
        response = connection.getresponse()
        text = response.read(_MOST_ANSWER).decode("utf-8", "replace")
        if late.is_set():
            raise TimeoutError
        return Answer(status=response.status, body=text, retry_after_s=_seconds(response.getheader("Retry-After")))
    except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
        told = f"no answer within {timeout_s:g} s" if late.is_set() else f"{type(error).__name__}: {error}"
        raise Unreachable(f"{target.scheme}://{target.authority} cannot be reached: {told}") from error
    finally:
        if timer is not None:
            timer.cancel()
        connection.close()


def _cut(plain: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        plain.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdigit() and len(header) < 10 else None
