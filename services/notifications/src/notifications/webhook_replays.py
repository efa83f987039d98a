"""All that happened in a range of time, sent again to one endpoint."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from notifications.webhook_ids import SHARDS

HOUR = timedelta(hours=1)


class ReplayState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # its endpoint was deleted or disabled


def homes(first: datetime) -> list[str]:
    """Where the events of one hour are kept."""
    return [f"{hour_of(first)}/{shard}" for shard in range(SHARDS)]


def hour_of(moment: datetime) -> str:
    """The hour in UTC, such as `2026-08-20T14`."""
    return moment.isoformat()[:13]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One replay and how far it has come.

    Attributes:
        since, until: the range; `until` itself is outside.
        event_types: only these; None: all that the endpoint wants to be told now.
        hour: all before it is done.
        shard, after: within that hour, the place to go on from.
        deliveries: how many were made so far.
    """

    replay_id: str
    endpoint_id: str
    since: datetime
    until: datetime
    event_types: tuple[str, ...] | None
    state: ReplayState = ReplayState.RUNNING
    hour: datetime
    shard: int = 0
    after: str | None = None
    deliveries: int = 0
    created_at: datetime
    finished_at: datetime | None = None
    revision: int = 1

    @property
    def home(self) -> str:
        """Where the next events are read."""
        return homes(self.hour)[self.shard]

    @property
    def done_until(self) -> datetime:
        """All events before this have their deliveries."""
        return self.until if self.state == ReplayState.DONE else max(self.hour, self.since)

    def covers(self, kind: str, happened_at: datetime) -> bool:
        wanted = self.event_types is None or kind in self.event_types
        # What happened since it began is told anyway.
        return wanted and self.since <= happened_at < self.until and happened_at <= self.created_at

    def advanced(self, made: int, last: str | None, now: datetime) -> "Replay":
        """After a page of events.

        Args:
            made: how many deliveries it led to.
            last: the page's last event; None where no page follows in this home.
        """
        further = replace(self, deliveries=self.deliveries + made, after=last, revision=self.revision + 1)
        if last is not None:
            return further
        if self.shard + 1 < SHARDS:
            return replace(further, shard=self.shard + 1)
        if self.hour + HOUR < self.until and self.hour + HOUR <= self.created_at:
            return replace(further, hour=self.hour + HOUR, shard=0)
        return replace(further, state=ReplayState.DONE, finished_at=now)

    def stopped(self, now: datetime) -> "Replay":
        return replace(self, state=ReplayState.STOPPED, finished_at=now, revision=self.revision + 1)


def replay(
    replay_id: str,
    endpoint_id: str,
    since: datetime,
    until: datetime,
    event_types: list[str] | None,
    now: datetime,
    kept: timedelta,
) -> Replay:
    """A replay that is about to begin.

    Args:
        kept: how long events are kept; looking further back would find nothing.
    """
    since = max(since, now - kept)
    return Replay(
        replay_id=replay_id,
        endpoint_id=endpoint_id,
        since=since,
        until=max(until, since),
        event_types=None if event_types is None else tuple(event_types),
        hour=since.replace(minute=0, second=0, microsecond=0),
        created_at=now,
    )
