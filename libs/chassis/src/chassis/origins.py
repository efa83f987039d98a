"""Origins of browser applications, written as browsers write them: scheme, host and port (RFC 6454 §6.2).

What a browser sends as `Origin` is compared with these to the letter, so a spelling that no browser uses
would only look as if it let somebody in.
"""

import re
from ipaddress import ip_address

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_USUAL_PORTS = {"http": "80", "https": "443"}


def read_origins(text: str, *, http_anywhere: bool) -> tuple[str, ...]:
    """The origins of a comma-separated list, each once.

    Args:
        text: the list; empty for none.
        http_anywhere: whether plain http is taken for other hosts than this machine too.

    Raises:
        ValueError: one of them is none; the message says which and why.
    """
    named = dict.fromkeys(word for part in text.split(",") if (word := part.strip()))
    for origin in named:
        _check(origin, http_anywhere)
    return tuple(named)


def is_of_this_machine(host: str) -> bool:
    """Whether a host name or address leads to the machine that asks: loopback, `localhost` and what is below
    it (RFC 6761 §6.3)."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check(origin: str, http_anywhere: bool) -> None:
    if "*" in origin:
        raise ValueError(f"{origin!r} would let in sites that nobody has named: name each origin")
    found = _ORIGIN.fullmatch(origin)
    if found is None or int(found["port"] or 0) > 65535:
        raise ValueError(
            f"{origin!r} is no origin: write scheme://host[:port], in small letters and without a path"
        )
    if found["port"] == _USUAL_PORTS[found["scheme"]]:
        raise ValueError(f"{origin!r} names the port that browsers leave out: leave it out")
    if found["host"].startswith("["):
        _check_address(origin, found["host"])
    if found["scheme"] == "http" and not http_anywhere and not is_of_this_machine(found["host"]):
        raise ValueError(f"{origin!r} is http, which in production only this machine may be: use https")


def _check_address(origin: str, host: str) -> None:
    try:
        written = f"[{ip_address(host[1:-1])}]"
    except ValueError:
        raise ValueError(f"{origin!r} has no address between its brackets") from None
    if written != host:
        raise ValueError(f"{origin!r} is an address that browsers write {written}")
