"""Which addresses webhooks may go to: the outside only, unless a setting says otherwise.

Whoever may name an address could else have us knock at doors of our own network: the metadata service of the
machine, a database, an admin page. A name is no protection, because DNS may say another address at each look;
so it is the address of each connection that is judged (`webhook_call.py`), and here is the judgement.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The same as the contract's pattern: whoever reads it knows what is taken. ASCII only (a name in another
# script is written as `xn--…`), no user name or password, no fragment.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!\"$-\[\]-~]*)?",
    re.ASCII,
)
_PORTS = {"https": 443, "http": 80}

# IANA's registries of special-purpose addresses, and what else is no place of the open Internet. Written out:
# what Python calls global changes from one release to the next.
_NOT_GLOBAL = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this network": Linux takes 0.0.0.0 for the machine itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT; some clouds have their own services there
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: the metadata services of the clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # for documentation, like 198.51.100.0/24 and 203.0.113.0/24
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # for benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # for documentation, like 3fff::/20
        "3fff::/20",
    )
]
_GLOBAL_IPV6 = IPv6Network("2000::/3")  # all that is given out; the rest is local, reserved or multicast
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")

# What WEBHOOKS_ALLOW_INSIDE opens without a list. Link-local is not among it: nobody's receiver lives there,
# and the metadata service does.
_INSIDE = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
]


class AddressRefused(Exception):
    """Nothing is sent there; the text says why, without the address."""


@dataclass(frozen=True)
class Target:
    """An endpoint's address in parts. `host` is a name or an IP address, without brackets."""

    scheme: str
    host: str
    port: int
    target: str


def parse(url: str) -> Target:
    """Read an endpoint's address.

    Raises:
        AddressRefused: it is none that we would send to.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise AddressRefused("It is no https address without user name, password and fragment.")
    port = int(parts["port"] or _PORTS[parts["scheme"]])
    if not 1 <= port <= 65535:
        raise AddressRefused("There is no such port.")
    host, target = parts["host"].strip("[]"), parts["target"] or "/"
    if parts["host"].startswith("[") and _address(host).version != 6:
        raise AddressRefused("In brackets stands an IPv6 address.")
    return Target(parts["scheme"], host, port, target if target.startswith("/") else f"/{target}")


@dataclass(frozen=True)
class AddressPolicy:
    """Where webhooks may go.

    Attributes:
        allow_inside: whether places that are not on the open Internet may be sent to at all.
        allowed_networks: with `allow_inside`, the only such places; none: this machine and private networks.
    """

    allow_inside: bool = False
    allowed_networks: tuple[Network, ...] = ()

    def check_url(self, url: str) -> Target:
        """What can be said before any look into DNS.

        Raises:
            AddressRefused: nothing is sent there.
        """
        target = parse(url)
        if target.scheme != "https" and not self.allow_inside:
            raise AddressRefused("It begins with http: what is sent could be read on the way. Use https.")
        return target

    def check_addresses(self, scheme: str, addresses: list[str]) -> None:
        """Whether a host with these IP addresses may be sent to. One that is refused spoils them all: who
        gives out a good address beside a bad one waits for us to take the bad one.

        Raises:
            AddressRefused: nothing is sent there.
        """
        for text in addresses:
            address = _address(text)
            if not self._may_go_to(address):
                raise AddressRefused("It leads to an address that is not on the open Internet.")
            if scheme != "https" and not _bare(address).is_loopback:
                raise AddressRefused("Without https it may lead to this very machine only.")

    def _may_go_to(self, address: Address) -> bool:
        if is_global(address):
            return True
        networks = self.allowed_networks or _INSIDE
        return self.allow_inside and any(_bare(address) in network for network in networks)


def is_global(address: Address) -> bool:
    """Whether an address is on the open Internet. An IPv6 address that carries an IPv4 address is as good as
    that one."""
    address = _bare(address)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_IPV6:
        return False
    return not any(address in network for network in _NOT_GLOBAL)


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a comma-separated list, such as `10.1.0.0/16,fd12::/64`.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _address(text: str) -> Address:
    try:
        # `fe80::1%eth0`: a zone names one of our own network cards.
        return ip_address(text.partition("%")[0])
    except ValueError:
        raise AddressRefused("It is no IP address.") from None


def _bare(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, where it does: mapped, by NAT64, by 6to4."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address
