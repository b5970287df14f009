"""A process that sends one message through apprise and ends: `python -m homeostat.app.alert_child`, the message on stdin, the outcome on stdout.

apprise resolves names and connects by itself. An audit hook sees every connection that this process makes and refuses those that this
installation may not call, whatever name, redirect or plug-in led there; it refuses other programs too.
"""

import json
import sys
from typing import Any

from homeostat.core.errors import HomeostatError
from homeostat.registry.addresses import OutboundRules, check_addresses, networks_of

_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork")


class Guard:
    """Refuses connections by `rules`, and keeps what it refused."""

    def __init__(self, rules: OutboundRules) -> None:
        self.rules = rules
        self.refused: list[str] = []

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if event in _PROGRAMS:
            self._refuse("a channel that starts other programs is refused")
        if event in ("socket.connect", "socket.sendto"):
            address = given[1]
            if not isinstance(address, tuple):
                self._refuse("a channel on this machine's own sockets is refused")
            try:
                check_addresses([str(address[0])], self.rules)
            except HomeostatError as error:
                self._refuse(error.message)

    def _refuse(self, why: str) -> None:
        self.refused.append(why)
        raise ConnectionRefusedError(why)


def main() -> int:
    asked = json.load(sys.stdin)
    try:
        import apprise
        import requests
    except ImportError:
        return _tell("missing")
    rules = OutboundRules(allowed=networks_of(",".join(asked["allowed"])), schemes=tuple(asked["schemes"]))
    guard = Guard(rules)
    statuses: list[int] = []
    _watch_requests(requests, guard, statuses)
    asset = apprise.AppriseAsset(async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(asked["url"]):
        return _tell("unknown")
    sys.addaudithook(guard)
    is_sent = sender.notify(title=asked["title"], body=asked["text"])
    if guard.refused:
        return _tell("refused", why=guard.refused[0])
    if is_sent:
        return _tell("sent")
    return _tell("failed", status=next((status for status in reversed(statuses) if status >= 300), None))


def _watch_requests(requests: Any, guard: Guard, statuses: list[int]) -> None:
    """Keep what receivers answer, follow no redirects, and hold URLs to the schemes that are allowed."""
    plain = requests.Session.request

    def request(self: Any, method: str, url: str, **options: Any) -> Any:
        scheme = str(url).partition("://")[0]
        if scheme not in guard.rules.schemes:
            guard.refused.append(
                f"'{scheme}' is not an allowed scheme; HOMEOSTAT_WEBHOOK_SCHEMES=https,http allows http too"
            )
            raise requests.exceptions.InvalidSchema(scheme)
        found = plain(self, method, url, **{**options, "allow_redirects": False})
        statuses.append(found.status_code)
        return found

    requests.Session.request = request


def _tell(outcome: str, *, why: str = "", status: int | None = None) -> int:
    sys.stdout.write(json.dumps({"outcome": outcome, "why": why, "status": status}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
