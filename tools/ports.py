"""Ports of the loopback address for the processes of a house, and how none is lost while its process is down.

Several houses stand on one machine at once. A killed process leaves its port free until it listens again:
another house, or anybody's outgoing connection, could take it meanwhile.

Standard library only.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterable

# Below the range from which Linux takes the ports of outgoing connections (32768 and up).
PORTS = range(20_000, 32_000)
HOST = "127.0.0.1"


class NoFreePort(RuntimeError):
    """All ports that were tried are taken."""


def free_port(avoid: Iterable[int] = ()) -> int:
    """A port that nobody listens on and nobody holds.

    Raises:
        NoFreePort: 200 of them were taken.
    """
    taken = set(avoid)
    for port in random.sample(PORTS, k=200):  # nosec B311 # a free port is no secret
        if port in taken:
            continue
        # Without SO_REUSEADDR, so that a held port counts as taken.
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind((HOST, port))
            return port
    raise NoFreePort(f"Found no free port on {HOST} in 200 tries.")


class HeldPorts:
    """Sockets that are bound and never listen.

    Linux lets a server with SO_REUSEADDR, which all of ours set, listen on a port that is held so; it gives
    the port to no outgoing connection, and to no `free_port`.
    """

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}

    def hold(self, ports: Iterable[int]) -> None:
        """Holds these too, from now until `release`. One that somebody listens on already is left to them:
        the process that is to have it will say so."""
        for port in set(ports) - self._sockets.keys():
            holder = socket.socket()
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind((HOST, port))
            except OSError:
                holder.close()
            else:
                self._sockets[port] = holder

    def release(self) -> None:
        """Holds none any more. Safe to repeat."""
        while self._sockets:
            self._sockets.popitem()[1].close()
