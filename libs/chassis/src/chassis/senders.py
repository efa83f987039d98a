"""The address that a request came from, as far as it can be believed."""

import ipaddress

from starlette.datastructures import Headers
from starlette.types import Scope

# One buyer's provider hands out at least a /64, and each machine in it takes new addresses as it likes (RFC
# 8981): a limit per address would be none.
IPV6_PREFIX = 64


def client_address(scope: Scope, proxy_hops: int) -> str:
    """The address that a request came from, an IPv6 one as its /64.

    Args:
        scope: the request's ASGI scope. (Not WSGI's environment, where a header `X_Forwarded_For` of the
            client's own making is joined to the proxy's.)
        proxy_hops: how many proxies of ours each appended to X-Forwarded-For the address that they saw. The
            address is then that many places from the right: what is further left came with the request, and
            anyone can write it.

    Returns:
        The peer's own address where X-Forwarded-For has fewer places, or no address in that place: such a
        request did not come through all our proxies. `unknown` where the server knows no peer.
    """
    peer: str = (scope.get("client") or ("",))[0]
    if proxy_hops:
        forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        if len(forwarded) >= proxy_hops and (address := _address(forwarded[-proxy_hops])):
            return address
    return _address(peer) or peer or "unknown"


def _address(text: str) -> str | None:
    """`192.0.2.1`, `192.0.2.1:443`, `2001:db8::1` or `[2001:db8::1]:443` as one word for its sender."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
        address = address.ipv4_mapped
    return str(address)
