"""Meters running endpoints: for each hour that is over, and for the last part of each that has ended, one
usage event into the log that all usage goes into.

It is the first step of the metering cycle, before the fold, and takes the cycle's own moment. So:

- An hour that the planner seals because its end and the grace have passed was metered before the fold, for
  every endpoint that the turn saw: both judge by the same moment.
- The running hour of a subscription that ends is sealed at once, by a row that the planner reads later than
  the turn did. `Turn.may_be_used` therefore keeps it back while an endpoint of it is not metered to its end:
  one that the turn saw and did not settle itself, whoever may have settled it since (what that one emitted
  the fold has perhaps not read); or one that is there when the planner asks. One is created only in a
  transaction with its subscription's access, so after the planner has read that there is none, none can come.
  Any number of workers may be at it: each holds back by its own turn, which was before its own fold.

How a part is metered once, whoever dies or stands still, says `endpoint_life.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from metering import measures
from metering.each import Stop, never, try_each
from metering.endpoint_life import Circumstances, Endpoint, next_state
from metering.subscriptions import Subscription
from metering.tables.endpoint_store import EndpointStore
from metering.tables.published import Published
from metering.usage_columns import UsageColumns, columns_of

log = structlog.get_logger()

MOST_TOGETHER = 1_000
"""Parts that are put into the log with one write, which is a few segments."""


@dataclass
class Turn:
    """What came of one turn.

    Attributes:
        may_be_used: whether a subscription that ends may still be used by an endpoint that is not metered to
            its end.
        failures: what failed; the rest was done.
    """

    may_be_used: Callable[[str], bool] = lambda _: True
    failures: list[Exception] = field(default_factory=list)


class EndpointTracker:
    """Takes turns.

    Args:
        store: the endpoints.
        published: the subscriptions and customers.
        append: makes usage events durable.
    """

    def __init__(
        self, store: EndpointStore, published: Published, append: Callable[[UsageColumns], None]
    ) -> None:
        self._store = store
        self._published = published
        self._append = append

    def turn(self, now: datetime, stop: Stop = never) -> Turn:
        """Stop the endpoints whose subscription or customer has gone, let others go along to the subscription
        that has taken its place, and meter what is over. What was away for long is caught up with.

        Args:
            now: the cycle's moment.
            stop: see there; what is in hand is finished.
        """
        listed = self._store.unsettled()
        measures.ENDPOINTS.set(len(listed))
        turn = _Turn(self._store, self._published, self._append, now)
        failures = turn.take(listed, stop)
        # Who is not among them was settled here, or before this turn: either way before the fold.
        left = {one.subscription_id for one in turn.unsettled(listed)}
        return Turn(lambda name: name in left or bool(self._store.unsettled_of(name)), failures)


class _Turn:
    """One turn, with what it has read of the world."""

    def __init__(
        self,
        store: EndpointStore,
        published: Published,
        append: Callable[[UsageColumns], None],
        now: datetime,
    ) -> None:
        self._store = store
        self._published = published
        self._append = append
        self._now = now
        self._subscriptions: dict[str, Subscription | None] = {}
        self._gone: set[str] = set()
        self._seen: dict[str, Endpoint] = {}

    def take(self, listed: list[Endpoint], stop: Stop) -> list[Exception]:
        """Returns what failed."""
        self._look_up(listed)
        failures: list[Exception] = []
        due = [one for one in listed if one.is_claimed or self._next(one)]
        while due and not stop():
            together, due = due[:MOST_TOGETHER], due[MOST_TOGETHER:]
            claimed: list[Endpoint] = []
            failures += try_each(together, lambda one, into=claimed: into.extend(self._claim(one)))
            try:
                self._emit(claimed)
            except Exception as error:
                log.exception("Running time cannot be put into the usage log; it is tried again.")
                failures.append(error)
                break
            # Those that were away for long have more than one hour to go.
            failures += try_each(claimed, lambda one, into=due: into.extend(self._end_claim(one)))
        return failures

    def unsettled(self, listed: list[Endpoint]) -> list[Endpoint]:
        """Those that are not metered to their end, as this turn saw them last."""
        last = (self._seen.get(one.endpoint_id, one) for one in listed)
        return [one for one in last if not one.is_settled]

    def _look_up(self, listed: list[Endpoint]) -> None:
        """Read subscriptions and customers of all, many at a time."""
        wanted = {one.subscription_id for one in listed}
        following = self._read(wanted)
        self._read(following - wanted)
        customers = {one.owner for one in listed if one.owner.startswith("cus_")}
        if customers:
            there = self._published.customers(customers)
            self._gone = customers - {one.customer_id for one in there if not one.is_deleted}

    def _read(self, subscription_ids: Iterable[str]) -> set[str]:
        """Read subscriptions; answers what has taken their place."""
        wanted = set(subscription_ids)
        found = self._published.subscriptions(wanted) if wanted else []
        self._subscriptions |= dict.fromkeys(wanted) | {one.subscription_id: one for one in found}
        return {one.next_subscription_id for one in found if one.next_subscription_id}

    def _subscription(self, subscription_id: str) -> Subscription | None:
        if subscription_id not in self._subscriptions:
            self._read([subscription_id])
        return self._subscriptions[subscription_id]

    def _next(self, endpoint: Endpoint) -> Endpoint | None:
        subscription = self._subscription(endpoint.subscription_id)
        following = subscription and subscription.next_subscription_id
        around = Circumstances(
            subscription, self._subscription(following) if following else None, endpoint.owner in self._gone
        )
        return next_state(endpoint, around, self._now)

    def _claim(self, listed: Endpoint) -> list[Endpoint]:
        """Claim the next part of an endpoint, having stopped it where it is to be; it, where one is claimed,
        by us or by somebody before us."""
        endpoint = self._store.again(listed)
        self._seen[endpoint.endpoint_id] = endpoint
        while not endpoint.is_claimed:
            after = self._next(endpoint)
            if after is None:
                return []
            written = self._store.replace(endpoint, after)
            if written is None:  # Somebody was quicker: the next cycle looks again.
                return []
            if written.deleted_at and not endpoint.deleted_at:
                log.info(
                    "An endpoint is stopped.",
                    endpoint_id=written.endpoint_id,
                    subscription_id=written.subscription_id,
                    because=written.ended_because,
                )
            endpoint = self._seen[endpoint.endpoint_id] = written
        return [endpoint]

    def _emit(self, claimed: list[Endpoint]) -> None:
        events = [event for one in claimed if (event := one.claimed_usage)]
        if events:
            self._append(columns_of(events))
            measures.EVENTS.labels("accepted").inc(len(events))

    def _end_claim(self, endpoint: Endpoint) -> list[Endpoint]:
        """Note that a part is in the log; the endpoint, where more of it is due."""
        written = self._store.replace(endpoint, endpoint.metered())
        if written is None:  # Deleted or renamed meanwhile, or metered by another worker.
            return [endpoint]
        self._seen[endpoint.endpoint_id] = written
        if written.subscription_id != endpoint.subscription_id:
            log.info(
                "An endpoint goes along with its renewed subscription.",
                endpoint_id=written.endpoint_id,
                subscription_id=endpoint.subscription_id,
                to=written.subscription_id,
            )
        return [written] if self._next(written) else []
