"""Which addresses this server may be asked to call: pure rules, so that they are checked the same way when a URL is given and when it is used."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from homeostat.core.errors import InvalidInput, NotAllowed

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST_URL = 2048
_PORTS = {"https": 443, "http": 80}
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_SEEMS_A_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRules:
    """Only addresses that are public to all, or in `allowed`; only these `schemes`."""

    allowed: tuple[Network, ...] = ()
    schemes: tuple[str, ...] = ("https",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL taken apart."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, rules: OutboundRules) -> Target:
    """Return the parts of a URL that may be called as far as can be told without asking for its address; else raise InvalidInput."""
    if len(url) > _MOST_URL or not url.isprintable() or not url.isascii() or " " in url or "\\" in url:
        raise InvalidInput(
            f"Invalid webhook URL: it must be at most {_MOST_URL} printable ASCII characters, without spaces and backslashes"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"Invalid webhook URL: {error}") from error
    if parts.scheme not in rules.schemes:
        raise InvalidInput(
            f"Invalid webhook URL scheme: '{parts.scheme}'. Allowed schemes are: {', '.join(rules.schemes)}.",
            hint="HOMEOSTAT_WEBHOOK_SCHEMES=https,http allows http too",
        )
    if not host:
        raise InvalidInput("Webhook URL must include a hostname")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("Webhook URL must not hold a user name or password", hint="the secret signs what is sent")
    if parts.fragment or port == 0:
        raise InvalidInput("Webhook URL must not have a fragment, and its port must not be 0")
    literal = _literal(host)
    if literal is not None:
        check_address(literal, rules)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme], path=path)


def check_addresses(addresses: Iterable[str], rules: OutboundRules) -> str:
    """Return the address to connect to; raise NotAllowed where any of those that a name has may not be called."""
    first = ""
    for text in addresses:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError as error:
            raise NotAllowed(f"'{text[:100]}' is no address") from error
        check_address(address, rules)
        first = first or text
    if not first:
        raise NotAllowed("the name has no address")
    return first


def check_address(address: Address, rules: OutboundRules) -> None:
    """Raise NotAllowed for an address that is not public, whatever form it hides in."""
    if any(address in network for network in rules.allowed if network.version == address.version):
        return
    for each in (address, *_hidden(address)):
        is_public = each.is_global and not (
            each.is_multicast or each.is_reserved or each.is_unspecified or each.is_link_local
        )
        if not is_public:
            raise NotAllowed(
                f"Webhook address {address} is not a public one: loopback, private, link-local and multicast addresses are refused",
                hint="HOMEOSTAT_WEBHOOK_ALLOW=10.1.2.0/24 allows a network of yours",
            )


def networks_of(text: str) -> tuple[Network, ...]:
    """Return the networks that a setting names, divided by commas."""
    try:
        return tuple(ipaddress.ip_network(each.strip(), strict=False) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise InvalidInput(
            f"HOMEOSTAT_WEBHOOK_ALLOW: {error}", hint="write networks: 127.0.0.1/32,10.0.0.0/8"
        ) from error


def _hidden(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address may lead to."""
    if not isinstance(address, ipaddress.IPv6Address):
        return []
    found: list[Address] = [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
    found += list(address.teredo or ())
    number = int(address)
    if any(address in network for network in _NAT64) or number >> 32 == 0:
        found.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return found


def _literal(host: str) -> Address | None:
    """The address that a host is written as, None for a name. Spellings that resolvers read differently are refused."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError as error:
        if _SEEMS_A_NUMBER.fullmatch(host) or ":" in host:
            raise InvalidInput(f"Webhook URL host '{host[:100]}' is not a canonical IP address") from error
        return None
