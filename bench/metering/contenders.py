"""Who is measured beside whom: metering, servers of the same make that do nothing, and the peers' way.

After each window it is counted whether what was acknowledged is there: a figure of anything else is none.
"""

from __future__ import annotations

from contextlib import ExitStack

import peers
from house import SERVER_PROCESSES, House, no_op
from measured import Window, measure

from tools.stack import ACCOUNT, REGION, ROOT

# Its environment has uvloop; it is the server's own.
PYTHON_OF_LOAD = str(ROOT / ".venv" / "metering" / "bin" / "python")
MOST_EVENTS = 600_000
"""Of a window, so that what is made beforehand stays within some 150 MB."""
FIRST_GUESS = 100_000
MOST_OF_A_PEER = 6_000
PEERS_TABLE = "peers-usage"


class Contenders:
    """All of them on one engine.

    Args:
        at: where.
        connections: of each, in all.
        until_the_end: stops the no-ops.
    """

    def __init__(self, at: House, connections: int, until_the_end: ExitStack) -> None:
        self._at = at
        self._connections = connections
        self.servers = {
            "metering": at.metering,
            "no-op": until_the_end.enter_context(no_op(at, "no-op", looks_at_rows=True)),
            "blind no-op": until_the_end.enter_context(no_op(at, "blind-no-op", looks_at_rows=False)),
        }
        self.peers = {
            "PutItem": (connections // SERVER_PROCESSES, True),
            "PutItem, unchecked": (connections // SERVER_PROCESSES, False),
        }
        """Threads in each process, and whether boto3 checks what it sends."""
        peers.create_table(at.tables, PEERS_TABLE)
        self._events = self._items = 0
        self._highest: dict[tuple[str, int], float] = {}

    def post(self, name: str, events: int, seconds: float, pace: float = 0.0) -> Window:
        """Post usage to one of the servers for a while; see load.py.

        Raises:
            RuntimeError: something was acknowledged that is not in the log, or is there that was not sent.
        """
        server = self.servers[name]
        job = {
            "port": server.port,
            "key": self._at.key,
            "events": events,
            "connections": self._connections,
            "seconds": seconds,
            "most": self._enough(name, events, seconds),
            "pace": pace,
        }
        watched = {"server": server.pid, "engine": self._at.engine_pid}
        window = measure("load.py", [job], watched, PYTHON_OF_LOAD)
        kept = self._at.events_in_log()
        if kept != (window.events if name == "metering" else 0):
            raise RuntimeError(f"{name} acknowledged {window.events} events, and {kept} are in the log.")
        self._events += kept
        self._at.empty()
        known = self._highest.get((name, events), 0.0)
        self._highest[name, events] = max(known, window.requests_per_second)
        return window

    def put(self, name: str, seconds: float) -> Window:
        """Put items as the peers do, in as many processes as a server has; see peers.py.

        Raises:
            RuntimeError: the table does not have as many items as were acknowledged.
        """
        threads, validates = self.peers[name]
        job = {
            "endpoint": self._at.stack.urls["engine"],
            "table": PEERS_TABLE,
            "region": REGION,
            "account": ACCOUNT,
            "threads": threads,
            "validates": validates,
            "seconds": seconds,
            "most": MOST_OF_A_PEER,
        }
        window = measure("peers.py", [job] * SERVER_PROCESSES, {"engine": self._at.engine_pid})
        kept = peers.count(self._at.tables, PEERS_TABLE)
        if kept != window.events:
            raise RuntimeError(f"{window.events} items were put, and {kept} are in the table.")
        self._items += kept
        self._at.empty(PEERS_TABLE)
        return window

    def _enough(self, name: str, events: int, seconds: float) -> int:
        """Requests for a window in which the server is half as quick again as it ever was: to make them takes
        longer than to answer them."""
        highest = self._highest.get((name, events))
        if highest is None:
            return min(FIRST_GUESS // events, 4000)
        return min(int(highest * seconds * 1.5) + self._connections, MOST_EVENTS // events)

    @property
    def checked(self) -> str:
        return (
            f"Counted in the tables: {self._events:,} events and {self._items:,} items, each as many as were "
            "acknowledged; the no-ops left none."
        )
