"""Small stories that lead to the steps of the money path.

Each is played in three parts, one behind each `yield`: all that comes before; then what sets the steps going,
which whoever does it repeats until it is done; then the clock runs out, and AWS's bill and the books are what
they must be.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.faults.faulty_house import USAGE_QUEUE, FaultyHouse
from tests.faults.metered_products import CUT_OVER, WITH_CONSUMPTION, WITH_ZEROS
from tests.journeys.house import DIMENSION, DONE, GENERATIONS, UNTIL_ACTIVE, UNTIL_ENDING, Buyer, derived_id
from tools.story import LICENSED_PRODUCT

Story = Callable[[FaultyHouse], Iterator[None]]

LEGACY, LICENSED = GENERATIONS["legacy"], GENERATIONS["concurrent_agreements"]
RECORDS = "marketplane-metering-records"
HOURS = "marketplane-usage-hours"
SUBSCRIPTIONS = "marketplane-subscriptions"


def usual(house: FaultyHouse) -> Iterator[None]:
    """Usage of an hour is reported and billed, of both generations."""
    buyers = _active(house, LEGACY, LICENSED)
    house.begin_hour()
    yield
    house.report_until_taken([event for buyer in buyers for event in house.events(buyer, 3)])
    house.seal_hour()
    yield
    house.assert_adds_up(*buyers)


def late(house: FaultyHouse) -> Iterator[None]:
    """An hour that is billed gets late usage, and such as it has already."""
    late, doubling = buyers = _active(house, LEGACY, LICENSED)
    house.begin_hour()
    moment = house.now()
    doubled = house.events(doubling)
    house.report_until_taken([*house.events(late), *doubled])
    house.seal_hour()
    house.assert_adds_up(*buyers)
    house.begin_hour()
    yield
    house.report_until_taken([*house.events(late, at=moment), *doubled])
    house.seal_hour()
    yield
    house.assert_adds_up(*buyers)


def by_queue(house: FaultyHouse) -> Iterator[None]:
    """A message brings usage, some of it wrong."""
    (buyer,) = _active(house, LICENSED)
    queue, letters = house.engine.queue(USAGE_QUEUE), house.engine.queue(f"{USAGE_QUEUE}-dlq")
    letters.take()
    house.begin_hour()
    yield
    good = house.events(buyer)
    bad = {**good[0], "id": str(uuid.uuid4()), "quantity": "1e3"}
    queue.send(json.dumps({"events": [*good, bad]}))
    yield
    house.until(lambda: queue.depth() == 0, "an empty queue")
    house.seal_hour()
    house.assert_adds_up(buyer)
    buried = [json.loads(letter["Body"])["events"] for letter in letters.take()]
    assert buried
    assert all(events == [bad] for events in buried), buried


def of_a_customer(house: FaultyHouse) -> Iterator[None]:
    """Usage names a customer and not the subscription."""
    (buyer,) = _active(house, LEGACY)
    assert house.land("json", buyer).submit(buyer.email).status_code in DONE
    house.until_written(buyer, "welcome")
    customer_id = house.rows_of(buyer)[0]["customer_id"]
    house.begin_hour()
    yield
    whose = {"customer_id": customer_id, "product_code": buyer.product_code}
    events = [{**event, **whose} for event in house.events(buyer)]
    for event in events:
        del event["subscription_id"]
    house.report_until_taken(events)
    house.seal_hour()
    yield
    house.assert_adds_up(buyer)
    (left,) = house.ask("metering", "/v1/customer-balance", **whose)["dimensions"]
    assert (left["balanced"], left["accepted"], left["open"]) == (True, "0", "0")


def after_a_cut_over(house: FaultyHouse) -> Iterator[None]:
    """Usage is reported under the identity that AWS bills no more, and goes out under the other one."""
    old = house.buy_product(CUT_OVER)
    new = house.buy_product(LICENSED_PRODUCT, customer_aws_account_id=old.customer_aws_account_id)
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", old, new)
    house.until_answered(old, new)
    house.begin_hour()
    house.begin_hour()
    # As notifications would publish them of a listing that was switched; the simulator switches none.
    house.publish(old, customer_aws_account_id=old.customer_aws_account_id)
    house.publish(new, product_code=CUT_OVER)
    yield
    house.report_until_taken(house.events(old))
    house.seal_hour()
    yield
    new.used, old.used = old.used, {}
    house.assert_adds_up(new)
    assert house.bill(old) == []
    given = house.balance(old)
    assert (given["balanced"], given["accepted"], given["open"]) == (True, "0", "0")


def corrected(house: FaultyHouse) -> Iterator[None]:
    """Some of the usage is taken back."""
    (buyer,) = _active(house, LICENSED)
    house.begin_hour()
    yield
    events = house.events(buyer)
    back = {**events[0], "id": str(uuid.uuid4()), "quantity": "-0.5"}
    house.report_until_taken([*events, back])
    house.seal_hour()
    yield
    house.assert_adds_up(buyer, corrected="0.5")


def of_a_contract(house: FaultyHouse) -> Iterator[None]:
    """The contract pays for one unit of the usage."""
    buyer = house.buy_product(WITH_CONSUMPTION, entitlements={DIMENSION: 1})
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", buyer)
    house.until(lambda: house.subscription(buyer).get("entitlements"), "what the contract entitles to", buyer)
    house.begin_hour()
    yield
    house.report_until_taken(house.events(buyer))
    house.seal_hour()
    yield
    house.assert_adds_up(buyer, included="1")


def idle(house: FaultyHouse) -> Iterator[None]:
    """AWS is told of an hour without usage, just before it closes that hour."""
    (buyer,) = _active(house, WITH_ZEROS)
    hour = house.begin_hour()
    yield
    next_month = (hour.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
    closes = min(hour + timedelta(hours=24), next_month + timedelta(hours=6))
    house.set_clock(closes - timedelta(minutes=15))
    yield
    house.until(lambda: [one["outcome"] for one in house.records(buyer)][:1] == ["billed"], "the zero", buyer)
    told = {one["quantity"] for one in house.bill(buyer)}
    assert told == {"0"}, told
    assert len({record["hour"] for record in house.bill(buyer)}) == len(house.bill(buyer))
    # Else the next one's zeros were not the only ones.
    house.cancel(buyer)
    house.advance(UNTIL_ENDING)
    house.until_status("ending", buyer)


def after_the_end(house: FaultyHouse) -> Iterator[None]:
    """Usage is reported of a subscription of which AWS takes none any more."""
    (buyer,) = _active(house, LEGACY)
    house.report_until_taken(house.events(buyer))
    house.cancel(buyer)
    house.assert_adds_up(buyer)
    house.advance(timedelta(hours=2))
    house.until_status("ended", buyer)
    yield
    house.report_until_taken(house.events(buyer, 1, house.now() - timedelta(hours=2), "0.75"))
    yield
    house.assert_adds_up(buyer, after_final_hour="0.75")


def throttled(house: FaultyHouse) -> Iterator[None]:
    """AWS says that it is too much at first."""
    buyers = _active(house, LEGACY, LICENSED)
    house.begin_hour()
    for buyer in buyers:
        house.report(buyer)
    _until_folded(house, *buyers)
    house.aws_fails("throttling", "BatchMeterUsage", count=1)
    yield
    house.seal_hour()
    yield
    house.assert_adds_up(*buyers)


def never_sent(house: FaultyHouse) -> Iterator[None]:
    """AWS throttles until it has closed the hour; its usage goes out under a later one, and the hour of the
    log is done with."""
    (buyer,) = _active(house, LICENSED)
    hour = house.begin_hour()
    house.report(buyer)
    _until_folded(house, buyer)
    house.aws_fails("throttling", "BatchMeterUsage")
    house.seal_hour()
    _until_tried(house, buyer)
    yield
    house.advance(timedelta(hours=27))
    house.aws_is_well()
    yield
    house.assert_adds_up(buyer)
    assert sorted(record["outcome"] for record in house.records(buyer)) == ["billed", "expired"]
    house.until(lambda: f"{hour:%Y-%m-%dT%H}" not in _open_hours(house), "the hour's retirement")


def decided(house: FaultyHouse) -> Iterator[None]:
    """Nobody can say whether AWS has counted two records; a person knows."""
    again, off = buyers = _active(house, LEGACY, LICENSED)
    house.begin_hour()
    for buyer in buyers:
        house.report(buyer)
    _until_folded(house, *buyers)
    house.aws_fails("connection_reset", "BatchMeterUsage")
    house.seal_hour()
    _until_tried(house, *buyers)
    house.advance(timedelta(hours=25))
    house.until(lambda: all(_outcomes(house, one) == ["unknown"] for one in buyers), "the doubt", *buyers)
    house.aws_is_well()
    yield
    house.decide_until_done(house.records(again)[0], "bill_again")
    house.decide_until_done(house.records(off)[0], "write_off")
    yield
    house.assert_adds_up(again)
    house.assert_adds_up(off, decided_after_unknown=str(off.total))


def held(house: FaultyHouse) -> Iterator[None]:
    """A customer's usage could be for either of two subscriptions, and other usage is for one that nobody has
    heard of. A person says whose the one is, and that the other is nobody's."""
    first, second = _active(house, LICENSED, LICENSED)
    subject = f"person-{uuid.uuid4().hex}"
    for buyer in (first, second):
        landing = house.land("json", buyer)
        landing.sign_in(subject)
        assert landing.submit(buyer.email).status_code in DONE
        house.until_at_rest(buyer)
    whose = {
        "customer_id": house.rows_of(second)[0]["customer_id"],
        "product_code": LICENSED,
    }
    nobody = replace(first, subscription_id=derived_id(subject), identity={"license_arn": "none"}, used={})
    house.begin_hour()
    events = [{**event, **whose} for event in house.events(second)]
    for event in events:
        del event["subscription_id"]
    house.report_until_taken([*events, *house.events(nobody)])
    house.seal_hour()

    def is_held() -> bool:
        (row,) = house.ask("metering", "/v1/customer-balance", **whose)["dimensions"] or [{}]
        return row.get("held") == house.balance(nobody).get("held") == str(nobody.total)

    house.until(is_held, "all to be held", first, second)
    yield
    house.decide_held_until_done(whose | {"decision": "give", "to_subscription_id": second.subscription_id})
    house.decide_held_until_done({"subscription_id": nobody.subscription_id, "decision": "write_off"})
    yield
    house.assert_adds_up(second)
    house.assert_adds_up(nobody, decided_by_a_person=str(nobody.total))


def _active(house: FaultyHouse, *product_codes: str) -> list[Buyer]:
    """New buyers, active, in a house where nothing else is left to be metered."""
    house.rest("metering-worker")
    buyers = [house.buy_product(product_code) for product_code in product_codes]
    house.advance(UNTIL_ACTIVE)
    house.until_status("active", *buyers)
    house.until_nothing_is_metered()
    return buyers


def _until_folded(house: FaultyHouse, *buyers: Buyer) -> None:
    for buyer in buyers:
        house.until(lambda buyer=buyer: house.usage(buyer) == buyer.total, "the fold", buyer)


def _until_tried(house: FaultyHouse, *buyers: Buyer) -> None:
    """Until AWS has been asked in vain, for each of them."""
    ids = {buyer.subscription_id for buyer in buyers}

    def tried() -> bool:
        rows: list[dict[str, Any]] = house.engine.rows(RECORDS)
        return ids <= {row["subscription_id"] for row in rows if row.get("attempts", Decimal(0)) > 1}

    house.until(tried, "calls of AWS in vain", *buyers)


def _outcomes(house: FaultyHouse, buyer: Buyer) -> list[str]:
    return [record["outcome"] for record in house.records(buyer)]


def _open_hours(house: FaultyHouse) -> set[str]:
    return {row["hour"] for row in house.engine.rows(HOURS) if "open" in row}
