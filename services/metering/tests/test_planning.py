"""What is billed, held, written off or left open: over any ledger, clock and subscription."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metering.catalogue import PricingModel, Product
from metering.hours import AwsWindow, after, end_of, hour_of, start_of
from metering.ledger import LedgerRow
from metering.planning import Limits, Plan, plan, unsealed_hours
from metering.quantities import LARGEST_RECORD
from metering.records import Source
from metering.subscriptions import Subscription

NOW = datetime(2026, 11, 22, 12, 10, tzinfo=UTC)
PRODUCT = Product("74", PricingModel.SUBSCRIPTION, frozenset({"gpu"}))
ACTIVE = Subscription(
    "sub",
    "74",
    "concurrent_agreements",
    "active",
    license_arn="arn:aws:license-manager::1:license:l-1",
    customer_aws_account_id="444455556666",
    active_since=datetime(2026, 11, 1, tzinfo=UTC),
)
LIMITS = Limits()


def row(hour: str, metered: int = 10, **more: Any) -> LedgerRow:
    return LedgerRow("sub", "gpu", hour, metered, **more)


def planned(
    *rows: LedgerRow,
    taken: tuple[str, ...] = (),
    subscription: Subscription | None = ACTIVE,
    product: Product | None = PRODUCT,
    now: datetime = NOW,
    limits: Limits = LIMITS,
) -> Plan:
    return plan(rows, set(taken), subscription, product, now, limits)


def slots(found: Plan) -> dict[str, list[Source]]:
    return {record.hour: list(record.sources) for record in found.records}


# Anything at all
# ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    now: datetime
    rows: list[LedgerRow]
    taken: set[str]
    subscription: Subscription | None
    product: Product | None
    limits: Limits


@st.composite
def cases(draw: st.DrawFn) -> Case:
    # Around a month's end, where the most rules meet.
    now = datetime(2026, 11, 29, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 4 * 24 * 60)))
    hours = [hour_of(now - timedelta(hours=ago)) for ago in range(-1, 50)]
    amounts = st.one_of(st.integers(0, 30), st.just(LARGEST_RECORD), st.just(3 * LARGEST_RECORD + 1))
    rows = []
    for hour in draw(st.lists(st.sampled_from(hours), unique=True, max_size=12)):
        metered = draw(amounts)
        allocated = draw(st.one_of(st.just(0), st.integers(0, metered), st.just(metered + 1)))
        rows.append(
            row(hour, metered, allocated=allocated, written_off={"corrected": draw(st.integers(0, 2))})
        )
    since = draw(st.one_of(st.none(), st.integers(-60, 60 * 60)))
    status = draw(st.sampled_from(["pending", "active", "active", "active", "ending", "ended", "failed"]))
    until = draw(st.one_of(st.none(), st.integers(-120, 120)))
    subscription = replace(
        ACTIVE,
        status=status,
        active_since=None if since is None else now - timedelta(minutes=since, seconds=7),
        meter_until=None if until is None else now + timedelta(minutes=until),
        customer_aws_account_id=draw(st.sampled_from(["444455556666", "444455556666", "444455556666", None])),
    )
    return Case(
        now,
        rows,
        set(draw(st.lists(st.sampled_from(hours), max_size=20))),
        draw(st.sampled_from([subscription, subscription, subscription, None])),
        draw(
            st.sampled_from(
                [
                    PRODUCT,
                    PRODUCT,
                    PRODUCT,
                    None,
                    replace(PRODUCT, pricing_model=PricingModel.CONTRACT),
                    replace(PRODUCT, dimensions=frozenset()),
                ]
            )
        ),
        Limits(
            grace=timedelta(minutes=draw(st.integers(0, 20))),
            window=AwsWindow(margin=timedelta(minutes=draw(st.integers(0, 10)))),
            most_sources=draw(st.integers(1, 4)),
        ),
    )


@given(cases())
@settings(max_examples=400)
def test_no_plan_breaks_a_rule(case: Case) -> None:
    found = plan(case.rows, case.taken, case.subscription, case.product, case.now, case.limits)
    unbilled = {one.hour: max(one.unbilled, 0) for one in case.rows}
    into_records: dict[str, int] = defaultdict(int)
    for record in found.records:
        for source in record.sources:
            into_records[source.hour] += source.quantity
    held = {one.hour for one, _ in found.held}
    written_off = {one.hour for one, _ in found.write_offs}

    # Never more than there is, and a row has one fate.
    assert all(quantity <= unbilled[hour] for hour, quantity in into_records.items())
    assert not held & written_off
    assert not (held | written_off) & set(into_records)
    assert all(unbilled[hour] > 0 for hour in held | written_off)
    assert len(held) == len(found.held)
    assert len(written_off) == len(found.write_offs)

    # A slot gets one record, and only a slot that is free, sealed and open at AWS.
    assert len({record.hour for record in found.records}) == len(found.records)
    subscription, limits = case.subscription, case.limits
    for record in found.records:
        assert subscription is not None
        assert record.hour not in case.taken
        assert may_be_sent(record.hour, subscription, case.now, limits)
        assert start_of(record.hour) <= record.timestamp < end_of(record.hour)
        assert limits.window.takes(record.timestamp, case.now)
        if subscription.active_since:
            assert record.timestamp >= subscription.active_since or record.timestamp == start_of(record.hour)
            assert end_of(record.hour) > subscription.active_since
        assert record.quantity == sum(source.quantity for source in record.sources)
        assert 0 < record.quantity <= LARGEST_RECORD
        assert 1 <= len(record.sources) <= limits.most_sources
        assert len({source.hour for source in record.sources}) == len(record.sources)
        assert all(source.quantity > 0 and source.hour <= record.hour for source in record.sources)
        assert record.identity.license_arn == subscription.license_arn

    # Nothing stays open that could have gone out.
    full = {
        record.hour
        for record in found.records
        if record.quantity == LARGEST_RECORD or len(record.sources) == limits.most_sources
    }
    for one in case.rows:
        if unbilled[one.hour] == into_records[one.hour] or one.hour in held | written_off:
            continue
        assert subscription is not None
        if not is_sealed(one.hour, subscription, case.now, limits):
            continue
        hour = one.hour
        while start_of(hour) <= case.now:
            assert (
                hour in case.taken
                or hour in full
                or not is_sealed(hour, subscription, case.now, limits)
                or not may_be_sent(hour, subscription, case.now, limits)
            ), (one, hour)
            hour = after(hour)

    # Who cannot be billed is held, and who is over is written off, wholly.
    everything = {hour for hour, quantity in unbilled.items() if quantity}
    if (
        subscription is None
        or subscription.status in ("pending", "failed")
        or case.product != PRODUCT
        or subscription.customer_aws_account_id is None
    ):
        assert held == everything
    elif subscription.final_hour_is_over(case.now):
        assert written_off == everything
    else:
        assert not written_off


def is_sealed(hour: str, subscription: Subscription, now: datetime, limits: Limits) -> bool:
    over = subscription.status in ("ending", "ended")
    return start_of(hour) <= now if over else end_of(hour) + limits.grace <= now


def may_be_sent(hour: str, subscription: Subscription, now: datetime, limits: Limits) -> bool:
    """AWS's own rules, written once more."""
    start, since = start_of(hour), subscription.active_since
    stamp = since if since and start < since < end_of(hour) else start
    month_began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    then = now + limits.window.margin
    young = then - stamp < timedelta(hours=24)
    month_open = stamp >= month_began or then < month_began + timedelta(hours=6)
    next_month = (month_began + timedelta(days=32)).replace(day=1)
    month_open = month_open and (stamp >= next_month or then < next_month + timedelta(hours=6))
    return is_sealed(hour, subscription, now, limits) and stamp <= now and young and month_open


@given(cases())
@settings(max_examples=150)
def test_cycle_after_cycle_everything_that_can_go_goes_once(case: Case) -> None:
    """Freeze what was planned and plan again, until there is no more: no sum passes what was metered."""
    rows = {one.hour: one for one in case.rows}
    taken = set(case.taken)
    before = {hour: one.allocated for hour, one in rows.items()}
    for _ in range(60):
        found = plan(rows.values(), taken, case.subscription, case.product, case.now, case.limits)
        if not found.records:
            break
        for record in found.records:
            assert record.hour not in taken
            taken.add(record.hour)
            for source in record.sources:
                one = rows[source.hour]
                rows[source.hour] = replace(one, allocated=one.allocated + source.quantity)
    else:
        raise AssertionError("Planning never came to an end.")
    for hour, one in rows.items():
        assert one.unbilled >= min(case_row(case, hour).unbilled, 0)
        assert one.allocated >= before[hour]


def case_row(case: Case, hour: str) -> LedgerRow:
    return next(one for one in case.rows if one.hour == hour)


# One by one
# -----------------------------------------------------------------------------------------------------


def test_an_hour_waits_for_its_end_and_the_grace() -> None:
    assert slots(planned(row("2026-11-22T11"))) == {"2026-11-22T11": [Source("2026-11-22T11", 10)]}
    at_five_past = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
    assert planned(row("2026-11-22T11"), now=at_five_past - timedelta(seconds=1)) == Plan()
    assert slots(planned(row("2026-11-22T11"), now=at_five_past))
    assert planned(row("2026-11-22T12"), row("2026-11-22T13")) == Plan()


def test_prior_art_05_late_usage_keeps_its_own_hour_while_that_is_free() -> None:
    assert slots(planned(row("2026-11-22T03"))) == {"2026-11-22T03": [Source("2026-11-22T03", 10)]}


def test_prior_art_05_late_usage_of_a_taken_hour_is_carried_forward() -> None:
    late = row("2026-11-22T09", 12, allocated=10)
    found = planned(late, row("2026-11-22T11"), taken=("2026-11-22T09", "2026-11-22T10"))
    assert slots(found) == {"2026-11-22T11": [Source("2026-11-22T09", 2), Source("2026-11-22T11", 10)]}


def test_late_usage_waits_where_every_hour_is_taken() -> None:
    late = row("2026-11-22T09", 12, allocated=10)
    assert planned(late, taken=("2026-11-22T09", "2026-11-22T10", "2026-11-22T11")) == Plan()


def test_usage_too_old_for_its_own_hour_goes_to_the_first_that_is_open() -> None:
    found = planned(row("2026-11-20T09"))
    # 24 hours ago less the margin: 12:15 yesterday is the edge, so 13:00 is the first whole hour.
    assert slots(found) == {"2026-11-21T13": [Source("2026-11-20T09", 10)]}


def test_last_months_usage_goes_to_this_month_after_six_on_the_first() -> None:
    first = datetime(2026, 12, 1, 5, 54, tzinfo=UTC)
    assert slots(planned(row("2026-11-30T23"), now=first)) == {"2026-11-30T23": [Source("2026-11-30T23", 10)]}
    assert slots(planned(row("2026-11-30T23"), now=first + timedelta(minutes=1))) == {
        "2026-12-01T00": [Source("2026-11-30T23", 10)]
    }


@pytest.mark.parametrize(
    ("subscription", "product", "reason"),
    [
        (None, None, "subscription_unknown"),
        (replace(ACTIVE, status="pending"), PRODUCT, "subscription_pending"),
        (replace(ACTIVE, status="failed"), PRODUCT, "subscription_failed"),
        (ACTIVE, None, "product_unknown"),
        (ACTIVE, replace(PRODUCT, pricing_model=PricingModel.CONTRACT), "not_metered"),
        (ACTIVE, replace(PRODUCT, dimensions=frozenset({"cpu"})), "unknown_dimension"),
        (replace(ACTIVE, customer_aws_account_id=None), PRODUCT, "identity_unknown"),
        (replace(ACTIVE, generation="legacy"), PRODUCT, "identity_unknown"),
    ],
)
def test_what_cannot_be_billed_is_held_by_name(
    subscription: Subscription | None, product: Product | None, reason: str
) -> None:
    one = row("2026-11-22T09")
    assert planned(one, subscription=subscription, product=product) == Plan(held=[(one, reason)])


def test_usage_before_activation_is_held() -> None:
    since = datetime(2026, 11, 22, 10, 20, 30, 123000, tzinfo=UTC)
    before = row("2026-11-22T09")
    found = planned(before, row("2026-11-22T10"), subscription=replace(ACTIVE, active_since=since))
    assert found.held == [(before, "before_activation")]
    assert slots(found) == {"2026-11-22T10": [Source("2026-11-22T10", 10)]}
    # AWS refuses a time before the activation.
    assert found.records[0].timestamp == since


def test_an_activation_on_the_hour_is_sent_as_the_hour() -> None:
    since = datetime(2026, 11, 22, 10, tzinfo=UTC)
    found = planned(row("2026-11-22T10"), subscription=replace(ACTIVE, active_since=since))
    assert found.records[0].timestamp == since


@pytest.mark.parametrize("status", ["ending", "ended"])
def test_the_running_hour_of_an_ending_subscription_is_sealed_at_once(status: str) -> None:
    over = replace(ACTIVE, status=status, meter_until=NOW + timedelta(hours=1))
    found = planned(row("2026-11-22T11"), row("2026-11-22T12"), subscription=over)
    assert list(slots(found)) == ["2026-11-22T11", "2026-11-22T12"]
    # What comes after has the next hour, once that has begun.
    more = row("2026-11-22T12", 12, allocated=10)
    assert planned(more, taken=("2026-11-22T12",), subscription=over) == Plan()
    found = planned(
        more, taken=("2026-11-22T12",), subscription=over, now=datetime(2026, 11, 22, 13, tzinfo=UTC)
    )
    assert slots(found) == {"2026-11-22T13": [Source("2026-11-22T12", 2)]}


def test_what_comes_after_the_final_hour_is_written_off() -> None:
    over = replace(ACTIVE, status="ended", meter_until=NOW)
    one = row("2026-11-22T11", 12, allocated=10)
    assert planned(one, subscription=over) == Plan(write_offs=[(one, "after_final_hour")])
    assert planned(one, subscription=replace(over, meter_until=NOW + timedelta(seconds=1))).write_offs == []


@example(1)
@given(st.integers(1, 5 * LARGEST_RECORD))
def test_more_than_one_record_can_carry_is_split_over_hours(quantity: int) -> None:
    found = planned(row("2026-11-22T05", quantity))
    assert sum(record.quantity for record in found.records) == quantity
    assert [record.quantity for record in found.records][:-1] == [LARGEST_RECORD] * (len(found.records) - 1)
    assert [record.hour for record in found.records] == [
        f"2026-11-22T{5 + n:02}" for n in range(len(found.records))
    ]


def test_a_record_has_no_more_sources_than_a_transaction_takes() -> None:
    old = [row(hour_of(NOW - timedelta(hours=30 + ago)), 1) for ago in range(100)]
    found = planned(*old)
    assert [len(record.sources) for record in found.records] == [90, 10]
    assert sum(record.quantity for record in found.records) == 100


def test_nothing_unbilled_plans_nothing() -> None:
    assert planned(row("2026-11-22T09", 10, allocated=10), row("2026-11-22T10", 5, allocated=7)) == Plan()
    assert planned() == Plan()


@given(
    st.timedeltas(timedelta(), timedelta(days=9)).map(lambda age: NOW - age),
    st.timedeltas(timedelta(), timedelta(hours=5)),
)
def test_the_hours_that_wait_are_those_that_are_not_sealed_for_a_subscription_that_goes_on(
    now: datetime, grace: timedelta
) -> None:
    limits = Limits(grace=grace)
    begun = [hour_of(now - timedelta(hours=age)) for age in range(12)]
    assert unsealed_hours(now, limits) == {hour for hour in begun if not is_sealed(hour, ACTIVE, now, limits)}
