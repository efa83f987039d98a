"""Usage comes in: checked row by row, made durable, then acknowledged."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from chassis.clock import Clock
from chassis.validation import compile_schema, mistakes
from metering import measures
from metering.catalogue import Catalogue
from metering.tables.published import Published
from metering.usage_events import AgeLimits, Form, Judge, Refusal
from metering.usage_log import UsageLog

# A subscription's product never changes, so it is remembered; this many take some 20 MB.
MOST_REMEMBERED = 100_000


class Intake:
    """Takes batches of usage events.

    Args:
        schemas: the contract's, by name: of `UsageEvent` and `UsageCloudEvent`.
        usage_log: where accepted events become durable.
        published: tells the product of a subscription.
        catalogue: our products.
        limits: of the events' age.
        clock: the one clock.
    """

    def __init__(
        self,
        schemas: Mapping[str, dict[str, Any]],
        usage_log: UsageLog,
        published: Published,
        catalogue: Catalogue,
        limits: AgeLimits,
        clock: Clock,
    ) -> None:
        self.plain = Form(partial(mistakes, compile_schema(schemas["UsageEvent"])))
        self.cloud_event = Form(partial(mistakes, compile_schema(schemas["UsageCloudEvent"])), "/data")
        self._usage_log = usage_log
        self._published = published
        self._catalogue = catalogue
        self._limits = limits
        self._clock = clock
        self._product_codes: dict[str, str] = {}

    def take(self, rows: list[Any], form: Form, place: str = "") -> tuple[int, list[Refusal]]:
        """Accept what is good of a batch, durably, and name the rest.

        Args:
            rows: the batch as it came.
            form: `plain` or `cloud_event`.
            place: of the batch in the body, as a JSON Pointer.

        Returns:
            how many events are durable now, and the refused ones.

        Raises:
            Unavailable, or an error of AWS: not all could be made durable; nothing may be acknowledged.
        """
        judge = Judge(cache(self._product_code_of), self._catalogue, self._limits, self._clock.now())
        accepted, refused = judge.sort_out(rows, form, place)
        if accepted:
            self._usage_log.append(accepted)
        measures.EVENTS.labels("accepted").inc(len(accepted))
        for refusal in refused:
            measures.EVENTS.labels(refusal.reason).inc()
        return len(accepted), refused

    def _product_code_of(self, subscription_id: str) -> str | None:
        known = self._product_codes.get(subscription_id)
        if known is None:
            subscription = self._published.subscription(subscription_id)
            if subscription is None:
                return None
            if len(self._product_codes) >= MOST_REMEMBERED:
                self._product_codes.clear()
            known = self._product_codes[subscription_id] = subscription.product_code
        return known
