"""Channels: where alerts go. Their addresses may hold secrets, so that nothing here tells more of one than its name and scheme."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from homeostat.app.outbound import Answer, Resolve, post, resolve
from homeostat.core.errors import InvalidInput, MissingExtra, NotAllowed, Unreachable
from homeostat.core.values import Json
from homeostat.registry.addresses import OutboundRules

TIMEOUT_S = 60.0
_PLAIN = ("http", "https")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A name and an address: https:// for a webhook, and what apprise knows: mailtos://, slack://, workflows:// (Teams) and others."""

    name: str
    url: str = field(repr=False)

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0].lower()


def channel_of(name: str, text: str, environ: Mapping[str, str] = os.environ) -> Channel:
    """Return the channel that homeostat.yaml names; raise InvalidInput for an address that is none, or a variable that is not set."""
    url = text
    if text.startswith("$"):
        variable = text.removeprefix("$").strip("{}")
        url = environ.get(variable, "")
        if not url:
            raise InvalidInput(
                f"alert channel '{name}' is in the environment variable {variable}, which is not set",
                hint=f"set {variable} to the channel's address, or take the channel out of homeostat.yaml",
            )
    if "://" not in url or not url.isprintable():
        raise InvalidInput(
            f"the address of alert channel '{name}' is no URL",  # it may hold a secret: it is not repeated
            hint="write https://..., mailtos://..., slack://..., workflows://..., or $NAME for an environment variable",
        )
    return Channel(name=name, url=url)


def send(
    channel: Channel,
    message: Json,
    delivery_id: str,
    *,
    rules: OutboundRules,
    resolver: Resolve = resolve,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Send one message and return what the receiver answered.

    Raises InvalidInput or NotAllowed for an address that may not be called, MissingExtra without apprise where it is needed, Unreachable where
    no answer comes. None of them repeats the address.
    """
    if channel.scheme in _PLAIN:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "homeostat-alert",
            "X-Homeostat-Delivery-Id": delivery_id,
        }
        return post(
            channel.url,
            json.dumps(message).encode(),
            headers,
            rules=rules,
            timeout_s=min(10.0, timeout_s),
            resolver=resolver,
        )
    return _through_apprise(channel, message, rules=rules, timeout_s=timeout_s)


def _through_apprise(channel: Channel, message: Json, *, rules: OutboundRules, timeout_s: float) -> Answer:
    """Send in a child process: a channel that hangs can be ended, and every connection it makes is checked (`app.alert_child`)."""
    asked = {
        "url": channel.url,
        "title": message["title"],
        "text": message["text"],
        "allowed": [str(network) for network in rules.allowed],
        "schemes": list(rules.schemes),
    }
    environ = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    command = [sys.executable, "-P", "-m", "homeostat.app.alert_child"]
    try:
        ended = subprocess.run(  # noqa: S603 - ourselves
            command, input=json.dumps(asked).encode(), capture_output=True, timeout=timeout_s, check=False, env=environ
        )
        found = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"alert channel '{channel.name}' did not end within {timeout_s:g} s") from None
    except ValueError:  # what the child said may hold the address
        raise Unreachable(f"alert channel '{channel.name}' could not be used") from None
    match found["outcome"]:
        case "sent":
            return Answer(status=200, body="")
        case "missing":
            raise MissingExtra(f"alert channel '{channel.name}' needs apprise, which is not installed", extra="alerts")
        case "unknown":
            raise InvalidInput(
                f"alert channel '{channel.name}' has an address that apprise does not read",
                hint="its documentation tells how the address of a service is written",
            )
        case "refused":
            raise NotAllowed(f"alert channel '{channel.name}': {found['why']}")
        case _:
            if found["status"]:
                return Answer(status=int(found["status"]), body="")
            raise Unreachable(f"alert channel '{channel.name}' did not take the message")
