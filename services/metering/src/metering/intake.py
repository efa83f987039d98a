"""Usage comes in: checked against the contract and the catalogue, made durable, then acknowledged."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool

from chassis.clock import Clock
from chassis.validation import compile_schema, mistakes
from metering import measures
from metering.catalogue import Catalogue
from metering.group_commit import GroupCommit
from metering.holders import customers_usage
from metering.quick_reading import read_columns
from metering.tables.published import Published
from metering.usage_columns import UsageColumns, columns_of
from metering.usage_events import AgeLimits, Form, Judge, Refusal

# A subscription's product never changes, nor does the catalogue of a process; this many take some 20 MB.
MOST_REMEMBERED = 100_000


class Reading(NamedTuple):
    """A batch: what of it is accepted, once it is durable; and what is refused."""

    accepted: UsageColumns
    refused: list[Refusal]


class Intake:
    """Takes batches of usage events.

    Args:
        schemas: the contract's, by name: of `UsageEvent` and `UsageCloudEvent`.
        append: makes events durable: for who takes one batch at a time.
        group_commit: makes events of concurrent requests durable together.
        published: tells the product of a subscription.
        catalogue: our products.
        limits: of the events' age.
        clock: the one clock.
    """

    def __init__(
        self,
        schemas: Mapping[str, dict[str, Any]],
        append: Callable[[UsageColumns], None],
        group_commit: GroupCommit,
        published: Published,
        catalogue: Catalogue,
        limits: AgeLimits,
        clock: Clock,
    ) -> None:
        self.plain = _form(schemas["UsageEvent"])
        self.cloud_event = _form(schemas["UsageCloudEvent"], "/data")
        self._append = append
        self._group_commit = group_commit
        self._published = published
        self._catalogue = catalogue
        self._limits = limits
        self._clock = clock
        self._product_codes: dict[str, str] = {}
        self._taken: set[tuple[str, str]] = set()

    def take(self, rows: list[Any], form: Form) -> tuple[int, list[Refusal]]:
        """Accept what is good of a batch, durably, and name the rest.

        Args:
            rows: the batch as it came.
            form: `plain` or `cloud_event`.

        Returns:
            how many events are durable now, and the refused ones.

        Raises:
            Unavailable, or an error of AWS: not all could be made durable; nothing may be acknowledged.
        """
        reading = self._read(rows, form, "")
        if reading.accepted:
            self._append(reading.accepted)
        return _counted(reading)

    async def take_with_others(self, rows: list[Any], form: Form, place: str) -> tuple[int, list[Refusal]]:
        """The same, in one write with what comes at the same time.

        Args:
            rows, form: see `take`.
            place: of the batch in the body, as a JSON Pointer.
        """
        columns = self._read_quickly(rows, form, self._product_codes.__getitem__)
        if columns is not None:
            reading = Reading(columns, [])
        else:
            # Something is unusual, or a product is to be looked up: that may take its time.
            reading = await run_in_threadpool(self._read, rows, form, place)
        if reading.accepted:
            await self._group_commit.commit(reading.accepted)
        return _counted(reading)

    def _read(self, rows: list[Any], form: Form, place: str) -> Reading:
        product_code_of = cache(self._product_code_of)
        columns = self._read_quickly(rows, form, product_code_of)
        if columns is not None:
            return Reading(columns, [])
        judge = Judge(product_code_of, self._catalogue, self._limits, self._clock.now())
        accepted, refused = judge.sort_out(rows, form, place)
        return Reading(columns_of(accepted), refused)

    def _read_quickly(
        self, rows: list[Any], form: Form, product_code_of: Callable[[str], str | None]
    ) -> UsageColumns | None:
        """None where anything needs a closer look, or `product_code_of` raises KeyError."""
        if not form.all_fit(rows):
            return None
        now = self._clock.now()
        judge = Judge(product_code_of, self._catalogue, self._limits, now)
        plain = [form.members(row) for row in rows] if form.within else rows
        try:
            return read_columns(plain, partial(self._takes_all, judge), self._limits, now)
        except KeyError:
            return None

    def _takes_all(self, judge: Judge, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether usage of each holder and dimension is accepted. Where the product is known, it always is
        from then on; where it is not yet, any dimension is taken, and that is not to be remembered."""
        new = {pair for pair in pairs if pair not in self._taken}
        if not all(judge.takes(holder, dimension) for holder, dimension in new):
            return False
        if len(self._taken) + len(new) > MOST_REMEMBERED:
            self._taken.clear()
        self._taken.update(pair for pair in new if pair[0] in self._product_codes or customers_usage(pair[0]))
        return True

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


def _form(schema: dict[str, Any], within: str = "") -> Form:
    batch = compile_schema({"type": "array", "items": schema})
    return Form(partial(mistakes, compile_schema(schema)), batch.is_valid, within)


def _counted(reading: Reading) -> tuple[int, list[Refusal]]:
    accepted = len(reading.accepted)
    measures.EVENTS.labels("accepted").inc(accepted)
    for refusal in reading.refused:
        measures.EVENTS.labels(refusal.reason).inc()
    return accepted, reading.refused
