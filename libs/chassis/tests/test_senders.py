"""Where a request came from: never what the sender itself can write."""

from pathlib import Path
from typing import Any

import pytest
from sample.app import build

from chassis.auth import KeyRing
from chassis.senders import client_address
from chassis.settings import ChassisSettings

PEER = "192.0.2.1"


def address(hops: int, *forwarded: str, peer: str | None = PEER, header: str = "X-Forwarded-For") -> str:
    scope: dict[str, Any] = {"type": "http", "client": (peer, 4711) if peer is not None else None}
    # As a server hands them on: in lower case, one pair for each line.
    scope["headers"] = [(header.lower().encode(), value.encode("latin-1")) for value in forwarded]
    return client_address(scope, hops)


def test_without_proxies_it_is_the_peer_whatever_the_header_says() -> None:
    assert address(0) == address(0, "203.0.113.9") == address(0, "203.0.113.9, 203.0.113.8") == PEER


def test_with_proxies_it_is_so_many_places_from_the_right() -> None:
    forged = "198.51.100.1, 198.51.100.2"
    assert address(1, f"{forged}, 203.0.113.9") == "203.0.113.9"
    assert address(2, f"{forged}, 203.0.113.9, 10.0.0.2") == "203.0.113.9"
    assert address(3, f"{forged}, 203.0.113.9, 10.0.0.3, 10.0.0.2") == "203.0.113.9"


def test_several_header_lines_are_one_list_in_their_order() -> None:
    assert address(1, "198.51.100.1", "203.0.113.9") == "203.0.113.9"
    assert address(2, "198.51.100.1, 203.0.113.9", "10.0.0.2") == "203.0.113.9"


@pytest.mark.parametrize(
    "forwarded",
    [(), ("",), ("203.0.113.9",), ("unknown, 10.0.0.2",), (", 10.0.0.2",), ("_hidden, 10.0.0.2",)],
)
def test_what_did_not_come_through_all_our_proxies_has_the_peers_address(forwarded: tuple[str, ...]) -> None:
    assert address(2, *forwarded) == PEER


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X-Real-IP", "Forwarded-For"])
def test_no_other_header_counts(header: str) -> None:
    assert address(1, "203.0.113.9", header=header) == PEER


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9:51234 ", "203.0.113.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::ffff", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_addresses_are_read_in_all_their_forms(text: str, found: str) -> None:
    assert address(1, f"198.51.100.1, {text}") == found
    assert address(0, peer=text) == found


def test_an_ipv6_sender_does_not_become_another_by_changing_its_lower_half() -> None:
    assert address(0, peer="2001:db8::1") == address(0, peer="2001:db8::ffff:1:2:3")
    assert address(0, peer="2001:db8::1") != address(0, peer="2001:db8:0:1::1")


@pytest.mark.parametrize("peer", [None, ""])
def test_a_server_that_knows_no_peer_has_one_sender(peer: str | None) -> None:
    assert address(0, peer=peer) == address(1, peer=peer) == "unknown"


def test_a_handler_is_told_it_by_the_setting(keys: KeyRing, settings: ChassisSettings) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X_Forwarded_For": "198.51.100.2"}
    for hops, found in ((0, PEER), (1, "203.0.113.9"), (2, "198.51.100.1"), (3, PEER)):
        app = build(settings.model_copy(update={"proxy_hops": hops}), keys, [])
        with app.test_client(client=(PEER, 4711)) as client:
            assert client.get("/v1/senders", headers=forwarded).json() == {"address": found}


def test_the_real_server_leaves_it_to_the_setting(aws_env: str, launch: Any, tmp_path: Path) -> None:
    """uvicorn alone would believe a peer on loopback, and gunicorn whomever FORWARDED_ALLOW_IPS names."""
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    web = launch("web", ready="/healthz", WEB_WORKERS="1", FORWARDED_ALLOW_IPS="*")
    assert web.get("/v1/senders", forged) == (200, {"address": "127.0.0.1"})
    behind = launch("web", ready="/healthz", WEB_WORKERS="1", PROXY_HOPS="1")
    assert behind.get("/v1/senders", forged) == (200, {"address": "203.0.113.9"})
