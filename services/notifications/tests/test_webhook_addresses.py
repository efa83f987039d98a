"""Where webhooks may go, address by address."""

import pytest

from notifications.webhook_addresses import AddressPolicy, AddressRefused, Target, networks, parse

OUTSIDE = ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001::200e"]
INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.127.255.255",
    "fd12:3456::1",
    "fc00::1",
]
NOWHERE = [
    "169.254.169.254",  # metadata
    "169.254.170.2",
    "fe80::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "2001:db8::1",
    "2001::1",  # Teredo
    "3fff::1",
    "100::1",
    "fec0::1",
    "5f00::1",
    "::7f00:1",  # IPv4-compatible, long out of use
    "64:ff9b:1::7f00:1",  # NAT64 of local use
]
CARRIED = [
    ("::ffff:{}", "mapped"),
    ("64:ff9b::{}", "by NAT64"),
]


def six_to_four(address: str) -> str:
    a, b, c, d = (int(part) for part in address.split("."))
    return f"2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"


OPEN = AddressPolicy()


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_open_internet(address: str) -> None:
    OPEN.check_addresses("https", [address])


@pytest.mark.parametrize("address", [*INSIDE, *NOWHERE])
def test_no_other_place(address: str) -> None:
    with pytest.raises(AddressRefused, match="not on the open Internet") as refused:
        OPEN.check_addresses("https", [address])
    assert address not in str(refused.value)


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in CARRIED] + ["6to4"])
def test_an_address_in_an_address_is_as_good_as_that_one(pattern: str) -> None:
    def carried(address: str) -> str:
        return six_to_four(address) if pattern == "6to4" else pattern.format(address)

    OPEN.check_addresses("https", [carried("8.8.8.8")])
    for address in [*INSIDE, *NOWHERE]:
        if ":" not in address:
            with pytest.raises(AddressRefused):
                OPEN.check_addresses("https", [carried(address)])
    AddressPolicy(allow_inside=True).check_addresses("https", [carried("127.0.0.1")])
    with pytest.raises(AddressRefused):
        AddressPolicy(allow_inside=True).check_addresses("https", [carried("169.254.169.254")])


def test_one_bad_address_spoils_the_good_ones_beside_it() -> None:
    for addresses in (["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"]):
        with pytest.raises(AddressRefused):
            OPEN.check_addresses("https", addresses)


@pytest.mark.parametrize("address", INSIDE)
def test_inside_by_a_setting(address: str) -> None:
    AddressPolicy(allow_inside=True).check_addresses("https", [address])


@pytest.mark.parametrize("address", NOWHERE)
def test_nowhere_not_even_by_that_setting(address: str) -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy(allow_inside=True).check_addresses("https", [address])


def test_only_the_networks_that_are_named() -> None:
    policy = AddressPolicy(allow_inside=True, allowed_networks=networks("10.1.0.0/16, fd12::/64"))
    policy.check_addresses("https", ["10.1.2.3", "fd12::5", "8.8.8.8", "::ffff:10.1.2.3"])
    for address in ("10.2.0.1", "127.0.0.1", "fd13::1", "169.254.169.254"):
        with pytest.raises(AddressRefused):
            policy.check_addresses("https", [address])
    # Whoever names it means it.
    linked = AddressPolicy(allow_inside=True, allowed_networks=networks("169.254.7.0/24"))
    linked.check_addresses("https", ["169.254.7.1"])
    with pytest.raises(AddressRefused):
        linked.check_addresses("https", ["169.254.169.254"])


def test_http_goes_to_this_machine_only_and_by_a_setting_only() -> None:
    inside = AddressPolicy(allow_inside=True)
    inside.check_url("http://localhost:8080/x")
    inside.check_addresses("http", ["127.0.0.1", "::1"])
    for address in ("10.0.0.1", "8.8.8.8"):
        with pytest.raises(AddressRefused, match="this very machine only"):
            inside.check_addresses("http", [address])
    with pytest.raises(AddressRefused, match="begins with http"):
        OPEN.check_url("http://hooks.seller.example/")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.seller.example", Target("https", "hooks.seller.example", 443, "/")),
        (
            "https://hooks.seller.example:8443/a/b?c=d",
            Target("https", "hooks.seller.example", 8443, "/a/b?c=d"),
        ),
        ("https://hooks.seller.example?c=d", Target("https", "hooks.seller.example", 443, "/?c=d")),
        ("https://[2606:2800::1]:1/x", Target("https", "2606:2800::1", 1, "/x")),
        ("http://127.0.0.1/", Target("http", "127.0.0.1", 80, "/")),
        ("https://xn--bcher-kva.example/%C3%BC", Target("https", "xn--bcher-kva.example", 443, "/%C3%BC")),
        # The resolver knows these for 127.0.0.1, and it is what the resolver says that is judged.
        ("https://2130706433/", Target("https", "2130706433", 443, "/")),
        ("https://0x7f.1/", Target("https", "0x7f.1", 443, "/")),
    ],
)
def test_an_address_in_parts(url: str, target: Target) -> None:
    assert parse(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.seller.example",
        "ftp://hooks.seller.example/",
        "https://",
        "https:///x",
        "https://user@hooks.seller.example/",
        "https://user:pass@hooks.seller.example/",
        "https://hooks.seller.example#x",
        "https://hooks.seller.example/#x",
        "https://hooks.seller.example\\@inside/",
        "https://hooks.seller.example/a b",
        "https://hooks.seller.example/\r\nHost: x",
        "https://hooks.seller.example/\n",
        " https://hooks.seller.example/",
        "https://hooks.seller.example:0/",
        "https://hooks.seller.example:65536/",
        "https://hooks.seller.example:x/",
        "https://[::1/",
        "https://[1.2.3]/",
        "https://bücher.example/",
        "https://a%2eb.example/",
        "HTTPS://hooks.seller.example/",
    ],
)
def test_what_is_no_address_to_send_to(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse(url)


def test_networks() -> None:
    assert networks("") == ()
    assert [str(one) for one in networks("10.0.0.0/8,,::1/128 ")] == ["10.0.0.0/8", "::1/128"]
    for text in ("x", "10.0.0.1/8"):
        with pytest.raises(ValueError, match=r"x|host bits"):
            networks(text)
