"""Usage comes in: checked row by row, made durable, then acknowledged."""

from functools import cache
from typing import Any

from chassis.clock import Clock
from chassis.validation import compile_schema, mistakes
from metering import measures
from metering.books import Books
from metering.catalogue import Catalogue
from metering.usage_events import AgeLimits, Refusal, sort_out
from metering.usage_log import UsageLog

# A subscription's product never changes, so it is remembered; this many take some 20 MB.
MOST_REMEMBERED = 100_000


class Intake:
    """Takes batches of usage events.

    Args:
        event_schema: the contract's schema of one event.
        usage_log: where accepted events become durable.
        books: tells the product of a subscription.
        catalogue: our products.
        limits: of the events' age.
        clock: the one clock.
    """

    def __init__(
        self,
        event_schema: dict[str, Any],
        usage_log: UsageLog,
        books: Books,
        catalogue: Catalogue,
        limits: AgeLimits,
        clock: Clock,
    ) -> None:
        self._event = compile_schema(event_schema)
        self._usage_log = usage_log
        self._books = books
        self._catalogue = catalogue
        self._limits = limits
        self._clock = clock
        self._product_codes: dict[str, str] = {}

    def take(self, rows: list[Any]) -> tuple[int, list[Refusal]]:
        """Accept what is good of a batch, durably, and name the rest.

        Returns:
            how many events are durable now, and the refused ones.

        Raises:
            Unavailable, or an error of AWS: not all could be made durable; nothing may be acknowledged.
        """
        accepted, refused = sort_out(
            rows,
            lambda row, place: mistakes(self._event, row, place),
            cache(self._product_code_of),
            self._catalogue,
            self._limits,
            self._clock.now(),
        )
        if accepted:
            self._usage_log.append(accepted)
        measures.EVENTS.labels("accepted").inc(len(accepted))
        for refusal in refused:
            measures.EVENTS.labels(refusal.reason).inc()
        return len(accepted), refused

    def _product_code_of(self, subscription_id: str) -> str | None:
        known = self._product_codes.get(subscription_id)
        if known is None:
            subscription = self._books.subscription(subscription_id)
            if subscription is None:
                return None
            if len(self._product_codes) >= MOST_REMEMBERED:
                self._product_codes.clear()
            known = self._product_codes[subscription_id] = subscription.product_code
        return known
