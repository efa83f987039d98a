"""Usage by tags reaches AWS as usage allocations, whose sums are exact."""

from decimal import Decimal
from typing import Any

from house import LEGACY, House, at
from shelf_marketplace import Fault, Refused

from metering.tags import UNTAGGED


def sent_buckets(record: dict[str, Any]) -> dict[str, str]:
    """What AWS got, by tags in short; and that it adds up."""
    buckets = {
        ",".join(f"{tag['Key']}={tag['Value']}" for tag in one.get("Tags", [])): one[
            "AllocatedUsageQuantityAsDecimal"
        ]
        for one in record["UsageAllocations"]
    }
    assert len(buckets) == len(record["UsageAllocations"])
    assert sum(map(Decimal, buckets.values())) == Decimal(record["QuantityAsDecimal"])
    return buckets


def test_usage_is_allocated_by_its_tags(house: House) -> None:
    subs = [house.buy(), house.buy(LEGACY)]
    for sub in subs:
        house.use(sub, "0.1", tags={"team": "a", "env": "prod"})
        house.use(sub, "0.2", tags={"env": "prod", "team": "a"})
        house.use(sub, "5", tags={"team": "b"})
        house.use(sub, "0.000001")
    house.clock.advance(hours=2)
    house.run()
    for (record,) in house.aws.sent():
        assert sent_buckets(record) == {"": "0.000001", "env=prod,team=a": "0.3", "team=b": "5"}
    house.must_be_exact()


def test_without_tags_there_are_no_allocations(house: House) -> None:
    house.use(house.buy(), "1", tags={})
    house.clock.advance(hours=2)
    house.run()
    assert "UsageAllocations" not in house.aws.sent()[0][0]


def test_late_usage_takes_its_own_tags_along(house: House) -> None:
    sub = house.buy()
    house.use(sub, "3", tags={"team": "a"})
    house.clock.advance(hours=1, minutes=5)
    house.run()
    house.use(sub, "4", time=at("22T10:59"), tags={"team": "b"})
    house.use(sub, "2", time=at("22T10:59"), tags={"team": "a"})
    house.use(sub, "1")
    house.clock.advance(hours=1)
    house.run()
    assert [sent_buckets(record) for (record,) in house.aws.sent()] == [
        {"team=a": "3"},
        {"": "1", "team=a": "2", "team=b": "4"},
    ]
    house.must_be_exact()


def test_what_expires_goes_out_later_with_its_tags(house: House) -> None:
    sub = house.buy()
    house.use(sub, "3", tags={"team": "a"})
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(before=Refused("ThrottlingException")))
    house.run()
    house.clock.advance(hours=24)
    house.run(2)
    assert house.outcomes(sub) == ["expired", "billed"]
    assert sent_buckets(house.aws.sent()[-1][0]) == {"team=a": "3"}
    house.must_be_exact()


def test_what_goes_out_over_hours_is_allocated_whole(house: House) -> None:
    sub = house.buy()
    house.use(sub, "9999999999.999999", tags={"team": "a"})
    house.use(sub, "7", tags={"team": "b"})
    house.clock.advance(hours=3)
    house.run(3)
    assert [sent_buckets(record) for call in house.aws.sent() for record in call] == [
        {"team=a": "9999999999.999999"},
        {"team=b": "7"},
    ]
    house.must_be_exact()


def test_tags_that_find_no_room_go_out_untagged_and_that_is_said(house: House) -> None:
    sub = house.buy()
    for start in range(0, 3_000, 1_000):
        house.report(*[house.event(sub, "1", tags={"user": f"u{n}"}) for n in range(start, start + 1_000)])
    house.clock.advance(hours=2)
    house.run()
    ((record,),) = house.aws.sent()
    buckets = sent_buckets(record)
    assert len(buckets) == 2_500
    assert buckets[""] == "501"
    assert house.records(sub)[0].tags_left_out
    # Nothing of it is left to go out again.
    (row,) = house.ledger.rows(sub)
    assert row.unbilled_by_tags == {}
    assert UNTAGGED not in row.spent_tags
    house.must_be_exact()
