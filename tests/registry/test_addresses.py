import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.errors import HomeostatError, InvalidInput, NotAllowed
from homeostat.registry.addresses import OutboundRules, check_addresses, networks_of, target_of

BOTH = OutboundRules(schemes=("https", "http"))
HERE = OutboundRules(schemes=("http",), allowed=networks_of("127.0.0.1/32, ::1/128"))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "2002:7f00:0001::",
        "2002:0a00:0001::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:0:7f00:1::",
        "fe80::1%eth0",
    ],
)
def test_an_address_that_is_not_public_is_refused_in_every_disguise(address):
    with pytest.raises(NotAllowed, match="not a public"):
        check_addresses([address], BOTH)


def test_one_bad_address_among_good_ones_is_enough():
    with pytest.raises(NotAllowed):
        check_addresses(["8.8.8.8", "127.0.0.1"], BOTH)


def test_a_public_address_is_the_one_to_connect_to():
    assert check_addresses(["8.8.8.8", "2606:4700:4700::1111"], BOTH) == "8.8.8.8"
    with pytest.raises(NotAllowed, match="no address"):
        check_addresses([], BOTH)


def test_a_network_that_is_allowed_is_allowed_and_no_other():
    assert check_addresses(["127.0.0.1"], HERE) == "127.0.0.1"
    assert check_addresses(["::1"], HERE) == "::1"
    for other in ("127.0.0.2", "10.0.0.1", "::ffff:127.0.0.1"):
        with pytest.raises(NotAllowed):
            check_addresses([other], HERE)


@given(st.ip_addresses())
def test_nothing_passes_that_the_standard_library_calls_private(address):
    try:
        check_addresses([str(address)], BOTH)
    except NotAllowed:
        return
    assert address.is_global
    assert not address.is_multicast


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "https://",
        "https:///path",
        "//example.com",
        "example.com",
        "https://user:secret@example.com/",
        "https://example.com/#here",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\r\nHost: other",
        "https://[::1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://ex\u0430mple.com/",
        "https://example.com/" + "a" * 3000,
    ],
)
def test_a_url_that_may_mean_something_else_is_refused(url):
    with pytest.raises(InvalidInput):
        target_of(url, OutboundRules())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]:80/", "http://169.254.169.254/latest", "https://10.1.1.1"]
)
def test_an_address_in_a_url_is_checked_at_once(url):
    with pytest.raises(NotAllowed):
        target_of(url, BOTH)


def test_http_needs_to_be_allowed():
    with pytest.raises(InvalidInput, match="scheme"):
        target_of("http://example.com", OutboundRules())
    assert target_of("http://example.com", BOTH).port == 80


def test_a_url_is_taken_apart():
    target = target_of("https://example.com:8443/a/b?x=1&y=2", OutboundRules())
    assert (target.host, target.port, target.path) == ("example.com", 8443, "/a/b?x=1&y=2")
    assert target.authority == "example.com:8443"
    assert target_of("https://example.com", OutboundRules()).path == "/"


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_refused(text):
    try:
        target_of(text, BOTH)
    except HomeostatError as error:
        assert error.http_status in (400, 403)  # noqa: PT017 - the property is about whichever way it goes


def test_a_setting_that_is_no_network_is_named():
    assert networks_of("") == ()
    assert networks_of("10.1.2.3/8")[0] == ipaddress.ip_network("10.0.0.0/8")
    with pytest.raises(InvalidInput, match="HOMEOSTAT_WEBHOOK_ALLOW"):
        networks_of("localhost")
