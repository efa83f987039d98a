"""Usage that names a customer only goes to the subscription that it is for, or is held in sight."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.awsrequest import AWSResponse
from house import CONCURRENT, CONTRACT, LEGACY, OLDEST, House, at
from wire import Call, Wire

from metering.catalogue import Choice, PricingModel, Product
from metering.choosing import Chosen, Customer, choose
from metering.holders import customers_usage, holder_of_customer
from metering.hour_fold import HourUsage
from metering.subscriptions import Subscription
from metering.tables.ledger_store import Overtaken

HELD = Product("74", PricingModel.SUBSCRIPTION, frozenset({"gpu"}))
FIRST = Subscription(
    "sub_b", "74", "concurrent_agreements", "active", active_since=datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
)
SECOND = replace(FIRST, subscription_id="sub_a", active_since=datetime(2026, 11, 2, tzinfo=UTC))
CUSTOMER = Customer("cus", ("sub_a", "sub_b"))
HOUR = "2026-11-22T10"


@pytest.mark.parametrize(
    ("subscriptions", "choice", "chosen"),
    [
        ([FIRST], Choice.HELD, Chosen("sub_b")),
        ([FIRST, SECOND], Choice.HELD, Chosen(held_because="several_subscriptions")),
        ([SECOND, FIRST], Choice.OLDEST, Chosen("sub_b")),
        ([SECOND, replace(FIRST, active_since=SECOND.active_since)], Choice.OLDEST, Chosen("sub_a")),
        ([], Choice.OLDEST, Chosen(held_because="no_active_subscription")),
        ([replace(FIRST, product_code="75")], Choice.HELD, Chosen(held_because="no_active_subscription")),
        ([replace(FIRST, status="pending")], Choice.HELD, Chosen(held_because="no_active_subscription")),
        ([replace(FIRST, status="failed")], Choice.HELD, Chosen(held_because="no_active_subscription")),
        ([replace(FIRST, active_since=None)], Choice.HELD, Chosen(held_because="no_active_subscription")),
        # It began in that hour; it begins after it; its last hour is that one; it was over before.
        (
            [replace(FIRST, active_since=datetime(2026, 11, 22, 10, 59, tzinfo=UTC))],
            Choice.HELD,
            Chosen("sub_b"),
        ),
        (
            [replace(FIRST, active_since=datetime(2026, 11, 22, 11, tzinfo=UTC))],
            Choice.HELD,
            Chosen(held_because="no_active_subscription"),
        ),
        (
            [replace(FIRST, status="ended", meter_until=datetime(2026, 11, 22, 10, 1, tzinfo=UTC)), SECOND],
            Choice.HELD,
            Chosen(held_because="several_subscriptions"),
        ),
        (
            [replace(FIRST, status="ended", meter_until=datetime(2026, 11, 22, 10, tzinfo=UTC)), SECOND],
            Choice.HELD,
            Chosen("sub_a"),
        ),
    ],
)
def test_the_choice(subscriptions: list[Subscription], choice: Choice, chosen: Chosen) -> None:
    assert choose(HOUR, CUSTOMER, subscriptions, replace(HELD, choice=choice)) == chosen


def test_without_a_customer_or_a_product_there_is_no_choice() -> None:
    assert choose(HOUR, None, [FIRST], HELD) == Chosen(held_because="customer_unknown")
    assert choose(HOUR, CUSTOMER, [FIRST], None) == Chosen(held_because="product_unknown")


def test_a_product_code_may_have_a_slash() -> None:
    usage = customers_usage(holder_of_customer("cus_a", "a/b"))
    assert usage == ("cus_a", "a/b")


def test_it_goes_to_the_only_subscription_with_its_tags(house: House) -> None:
    sub, other = house.buy(), house.buy(LEGACY)
    customer = house.register(sub, other)
    house.use(sub, "1", tags={"team": "b"})
    house.report(house.customers_event(customer, "2.5", tags={"team": "a"}))
    house.run(2)
    house.must_be_exact()
    # More of the same hour follows.
    house.report(house.customers_event(customer, "0.5"))
    house.clock.advance(hours=2)
    house.run(2)
    assert house.billed(sub) == "4"
    ((record,),) = house.aws.sent()
    assert [one["AllocatedUsageQuantityAsDecimal"] for one in record["UsageAllocations"]] == [
        "0.5",
        "2.5",
        "1",
    ]
    assert house.balance(holder_of_customer(customer, CONCURRENT)).accepted == 0
    (row,) = house.ledger.rows(sub)
    assert row.received == {holder_of_customer(customer, CONCURRENT): 3_000_000}
    house.must_be_exact()


def test_it_is_held_by_name_until_it_is_clear_whose_it_is(house: House) -> None:
    event = house.customers_event("cus_" + "q" * 26, "2")
    holder = holder_of_customer(event["customer_id"], CONCURRENT)
    house.report(event)
    house.clock.advance(hours=2)

    def held_because() -> str:
        house.run()
        house.must_be_exact()
        ((_, reason),) = house.balance(holder).reasons
        return reason

    assert held_because() == "customer_unknown"
    first, second, late = house.buy(), house.buy(), house.buy(since=at("22T11:00"))
    registered = {"customer_id": event["customer_id"]}
    house.register(late, **registered)
    assert held_because() == "no_active_subscription"
    house.register(first, second, late, **registered)
    assert held_because() == "several_subscriptions"
    # The other one turns out to have ended before.
    house.publish(second, status="ended", meter_until=at("22T09:00"))
    house.run(2)
    assert house.billed(first) == "2"
    assert house.balance(holder).reasons == {}
    house.must_be_exact()


def test_the_oldest_gets_it_where_the_catalogue_says_so(house: House) -> None:
    young, old = house.buy(OLDEST), house.buy(OLDEST, since=at("01T00:00"))
    customer = house.register(young, old)
    house.report(house.customers_event(customer, "2", OLDEST))
    house.clock.advance(hours=2)
    house.run(2)
    assert (house.billed(young), house.billed(old)) == ("0", "2")
    house.must_be_exact()


def test_a_correction_goes_along(house: House) -> None:
    sub = house.buy()
    customer = house.register(sub)
    house.use(sub, "5")
    house.report(house.customers_event(customer, "-3"))
    house.clock.advance(hours=2)
    house.run(2)
    assert house.billed(sub) == "2"
    house.must_be_exact()


def test_two_workers_never_move_the_same_usage_twice(house: House, wire: Wire) -> None:
    """Whoever is at it while another moves it writes nothing: at each of its calls in turn."""
    position = 0
    while True:
        sub = house.buy()
        customer = house.register(sub)
        house.report(house.customers_event(customer, "2"), house.event(sub, "1"))
        house.clock.advance(hours=2)
        if not wire.interrupt(position, house.new_cycle().run, around=house.run):
            break
        house.run(2)
        assert house.billed(sub) == "3", position
        house.must_be_exact()
        position = position * 2 + 1
    assert position > 4


def test_a_product_that_turned_into_a_contract_is_held(house: House) -> None:
    sub = house.buy(CONTRACT)
    customer = house.register(sub)
    holder = holder_of_customer(customer, CONCURRENT)
    house.report(house.customers_event(customer, "2"))
    house.clock.advance(hours=2)
    house.run(2)
    assert house.balance(holder).reasons == {("held", "no_active_subscription"): 2_000_000}
    house.must_be_exact()


def test_a_fold_in_between_is_not_forgotten_by_the_planner(house: House, wire: Wire) -> None:
    """What arrives does not make up for what was billed too much; while it arrives, more usage is folded."""
    sub, hour = house.buy(), "2026-11-22T10"
    customer = house.register(sub)
    house.use(sub, "10")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.ledger.book_fold(hour, {(sub, "gpu_hours"): HourUsage(5_000_000)}, 2)
    (row,) = house.ledger.rows(sub)
    house.ledger.clear_unbilled(row)
    holder = holder_of_customer(customer, CONCURRENT)
    house.ledger.book_fold(hour, {(holder, "gpu_hours"): HourUsage(2_000_000)}, 2)
    (given,) = house.ledger.rows(holder)
    assert row.unbilled == -5_000_000

    def fold_more(name: str, call: Call) -> AWSResponse:
        if name == "TransactWriteItems":
            wire.meddle = None
            house.ledger.book_fold(hour, {(sub, "gpu_hours"): HourUsage(20_000_000)}, 3)
        return call()

    wire.meddle = fold_more
    with pytest.raises(Overtaken):
        house.ledger.move(given, sub)
    house.ledger.move(given, sub)
    assert [one.unbilled for one in house.ledger.unbilled()[sub, "gpu_hours"]] == [12_000_000]
