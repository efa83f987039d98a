"""What is held is shown with its reason; a person may decide about it, and nothing is billed twice."""

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from house import CONCURRENT, LEGACY, OTHER, SWITCHED, House, at
from pynamodb.exceptions import PynamoDBException
from shelf_marketplace import URL
from wire import Call, Wire

from metering.held_decisions import HeldDecision, Wish
from metering.held_usage import MOST_DECIDED, Decided, HeldUsage
from metering.tables.decision_store import DecisionStore

NOBODY = "sub_" + "z" * 26


@pytest.fixture
def decisions(house: House) -> DecisionStore:
    return DecisionStore(house.connection)


@pytest.fixture
def desk(house: House, decisions: DecisionStore) -> HeldUsage:
    return HeldUsage(house.ledger, house.statements, decisions, house.published, house.clock)


def give(holder: str, to: str, **more: str) -> Wish:
    return Wish(holder, HeldDecision.GIVE, "The buyer says so.", "the console", to=to, **more)


def write_off(holder: str, **more: str) -> Wish:
    return Wish(holder, HeldDecision.WRITE_OFF, "A trial run of ours.", "the console", **more)


def left(result: Decided) -> list[str]:
    assert result.decided == []
    return [one.reason for one in result.left]


def held(desk: HeldUsage, limit: int = 100) -> list[tuple[str, str, int]]:
    return [(one.row.holder, one.reason, one.row.unbilled) for one in desk.page(None, limit)[0]]


def customer_of_two(house: House) -> tuple[str, str, str]:
    """A customer with two subscriptions, and held usage of ten and eleven o'clock; the holder's name."""
    subs = house.buy(), house.buy()
    customer = house.register(*subs)
    house.report(
        house.customers_event(customer, "1"), house.customers_event(customer, "2", time=at("22T09:30"))
    )
    house.clock.advance(hours=1, minutes=5)
    house.run(2)
    return f"{customer}/{CONCURRENT}", *subs


def test_what_is_held_is_listed_with_its_reason(house: House, desk: HeldUsage) -> None:
    holder, sub, _ = customer_of_two(house)
    unknown, early = house.buy(known=False), house.buy(since=at("22T11:00"))
    house.report(house.event(unknown, "3"), house.event(early, "4", time=at("22T10:30")))
    house.use(sub, "5")
    house.run()
    assert sorted(held(desk)) == sorted(
        [
            (holder, "several_subscriptions", 2_000_000),
            (holder, "several_subscriptions", 1_000_000),
            (unknown, "subscription_unknown", 3_000_000),
            (early, "before_activation", 4_000_000),
        ]
    )


def test_the_list_pages(house: House, desk: HeldUsage) -> None:
    customer_of_two(house)
    for number in range(3):
        house.use(house.buy(known=False), str(number + 1))
    house.run()
    whole = desk.page(None, 100)[0]
    pages, after, more = [], None, True
    while more:
        page, more = desk.page(after, 2)
        pages += page
        after = (page[-1].row.holder, page[-1].row.dimension, page[-1].row.hour)
    assert (pages, len(whole)) == (whole, 5)


def test_a_customers_usage_is_given_to_the_subscription_that_a_person_names(
    house: House, desk: HeldUsage, decisions: DecisionStore
) -> None:
    holder, sub, other = customer_of_two(house)
    result = desk.decide(give(holder, sub))
    assert [(one.hour, one.quantity, one.held_because) for one in result.decided] == [
        ("2026-11-22T09", 2_000_000, "several_subscriptions"),
        ("2026-11-22T10", 1_000_000, "several_subscriptions"),
    ]
    assert (result.left, result.more, held(desk)) == ([], False, [])
    house.run()
    assert (house.hours(sub), house.hours(other)) == ({"22T09": "2", "22T10": "1"}, {})
    house.must_be_exact()
    assert house.new_auditor().audit() == set()
    kept, _ = decisions.page(holder, 10, None)
    assert [(one.to, one.reason, one.by, one.at) for one in kept] == [
        (sub, "The buyer says so.", "the console", house.clock.now())
    ] * 2
    assert decisions.page(None, 10, None)[0] == kept


def test_once_more_it_changes_nothing(house: House, desk: HeldUsage) -> None:
    holder, sub, other = customer_of_two(house)
    desk.decide(give(holder, sub))
    assert desk.decide(give(holder, other)) == Decided()
    house.run()
    assert (house.billed(sub), house.billed(other)) == ("3", "0")
    house.must_be_exact()


def test_of_some_hours_only(house: House, desk: HeldUsage) -> None:
    holder, sub, other = customer_of_two(house)
    assert desk.decide(give(holder, sub, dimension="requests")) == Decided()
    assert desk.decide(give(holder, sub, first_hour="2026-11-22T11")) == Decided()
    assert len(desk.decide(give(holder, sub, first_hour="2026-11-22T10")).decided) == 1
    desk.decide(give(holder, other, last_hour="2026-11-22T09"))
    house.run()
    assert (house.hours(sub), house.hours(other)) == ({"22T10": "1"}, {"22T09": "2"})
    house.must_be_exact()


def test_to_whom_a_customers_usage_is_not_given(house: House, desk: HeldUsage) -> None:
    holder, *theirs = customer_of_two(house)
    strangers, late, elsewhere = house.buy(), house.buy(since=at("22T11:00")), house.buy(OTHER)
    house.register(*theirs, late, elsewhere, customer_id=holder.partition("/")[0])
    assert left(desk.decide(give(holder, NOBODY))) == ["subscription_unknown"] * 2
    assert left(desk.decide(give(holder, strangers))) == ["not_the_customers"] * 2
    assert left(desk.decide(give(holder, late))) == ["not_active_in_hour"] * 2
    assert left(desk.decide(give(holder, elsewhere))) == ["another_product"] * 2
    house.must_be_exact()


def test_a_subscriptions_own_usage_is_given_to_nobody(house: House, desk: HeldUsage) -> None:
    unknown, early, other = house.buy(known=False), house.buy(since=at("22T11:00")), house.buy()
    house.report(house.event(unknown, "3"), house.event(early, "4"))
    house.run()
    for holder in (unknown, early):
        assert left(desk.decide(give(holder, other))) == ["not_of_a_cut_over"]
    house.must_be_exact()


def test_usage_that_came_too_late_for_a_legacy_identity_goes_to_its_licence(
    house: House, desk: HeldUsage
) -> None:
    """Who they are AWS's news of legacy products does not say; a person does."""
    legacy, licence = house.buy(SWITCHED, legacy=True), house.buy(SWITCHED)
    stranger, another = house.buy(LEGACY), house.buy(SWITCHED, legacy=True)
    house.clock.advance(hours=2, minutes=10)
    house.use(legacy, "1.5")
    house.clock.advance(hours=1)
    house.run()
    assert held(desk) == [(legacy, "after_cut_over", 1_500_000)]
    assert left(desk.decide(give(legacy, stranger))) == ["another_product"]
    assert left(desk.decide(give(legacy, another))) == ["same_identity"]
    assert [one.quantity for one in desk.decide(give(legacy, licence)).decided] == [1_500_000]
    house.run()
    assert (house.hours(licence), house.hours(legacy)) == ({"22T12": "1.5"}, {})
    house.must_be_exact()
    assert house.new_auditor().audit() == set()


def test_what_is_never_billed_is_written_off_in_sight(house: House, desk: HeldUsage) -> None:
    early = house.buy(since=at("22T11:00"))
    house.use(early, "4", tags={"team": "research"})
    house.clock.advance(hours=3)
    house.run()
    house.use(early, "2", time=at("22T12:30"))
    house.clock.advance(hours=1)
    (decided,) = desk.decide(write_off(early)).decided
    assert (decided.quantity, decided.to) == (4_000_000, None)
    house.run()
    assert house.balance(early).reasons == {("written_off", "decided_by_a_person"): 4_000_000}
    assert house.hours(early) == {"22T12": "2"}
    house.must_be_exact()
    assert house.new_auditor().audit() == set()


def test_late_usage_of_a_decided_hour_is_held_anew(house: House, desk: HeldUsage) -> None:
    holder, sub, _ = customer_of_two(house)
    desk.decide(give(holder, sub))
    customer = holder.partition("/")[0]
    house.report(house.customers_event(customer, "4", time=at("22T09:40")))
    house.run()
    assert held(desk) == [(holder, "several_subscriptions", 4_000_000)]
    desk.decide(write_off(holder))
    house.run()
    assert (house.billed(sub), held(desk)) == ("3", [])
    house.must_be_exact()


def test_what_another_changes_in_between_is_left(house: House, desk: HeldUsage, wire: Wire) -> None:
    """The person read the row before late usage was booked."""
    holder, sub, _ = customer_of_two(house)
    customer = holder.partition("/")[0]
    late = house.customers_event(customer, "4", time=at("22T09:40"))
    done = False

    def meddle(name: str, call: Call) -> AWSResponse:
        nonlocal done
        if name == "TransactWriteItems" and not done:
            done = True
            house.report(late)
            house.new_cycle().fold_open_hours()
        return call()

    wire.meddle = meddle
    result = desk.decide(give(holder, sub))
    assert [(one.reason, one.row.hour) for one in result.left] == [("just_changed", "2026-11-22T09")]
    assert [one.quantity for one in result.decided] == [1_000_000]
    wire.meddle = None
    assert [one.quantity for one in desk.decide(give(holder, sub)).decided] == [6_000_000]
    house.run()
    assert house.billed(sub) == "7"
    house.must_be_exact()


@pytest.mark.parametrize("made", [False, True], ids=["never made", "answer lost"])
@pytest.mark.parametrize("position", [0, 1])
def test_a_decision_whose_write_fails_is_made_once(
    house: House, desk: HeldUsage, wire: Wire, position: int, made: bool
) -> None:
    holder, sub, _ = customer_of_two(house)
    transactions = 0

    def meddle(name: str, call: Call) -> AWSResponse:
        nonlocal transactions
        transactions += name == "TransactWriteItems"
        if name == "TransactWriteItems" and transactions == position + 1:
            if made:
                call()
                raise ReadTimeoutError(endpoint_url=URL)
            raise EndpointConnectionError(endpoint_url=URL)
        return call()

    wire.meddle = meddle
    with pytest.raises(PynamoDBException):
        desk.decide(give(holder, sub))
    wire.meddle = None
    desk.decide(give(holder, sub))
    house.run()
    assert (house.billed(sub), held(desk)) == ("3", [])
    house.must_be_exact()


def test_no_more_at_once_than_is_said(house: House, desk: HeldUsage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_DECIDED == 500
    monkeypatch.setattr("metering.held_usage.MOST_DECIDED", 1)
    holder, sub, _ = customer_of_two(house)
    assert [desk.decide(give(holder, sub)).more for _ in range(3)] == [True, False, False]
    house.run()
    assert house.billed(sub) == "3"
