"""What is accepted at the door, and by what name the rest is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from metering.catalogue import Catalogue, PricingModel, Product
from metering.usage_events import AgeLimits, Form, Judge, Refusal, UsageEvent

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
CATALOGUE = Catalogue(
    {
        "metered": Product("metered", PricingModel.SUBSCRIPTION, frozenset({"gpu_hours"})),
        "other": Product("other", PricingModel.SUBSCRIPTION, frozenset({"tokens"})),
        "contract": Product("contract", PricingModel.CONTRACT, frozenset({"seats"})),
    }
)
PRODUCT_OF = {"sub_metered": "metered", "sub_contract": "contract", "sub_elsewhere": "not in our catalogue"}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "source": "gateway",
        "id": "1",
        "subscription_id": "sub_metered",
        "dimension": "gpu_hours",
        "quantity": "0.25",
        "time": "2026-11-22T10:15:00Z",
    } | changes


def judge(*rows: Any) -> tuple[list[UsageEvent], list[Refusal]]:
    def mistakes(one: Any, place: str) -> list[dict[str, str]]:
        whole = isinstance(one, dict) and row().keys() == one.keys()
        return [] if whole else [{"in": "body", "path": place, "reason": "it is not an event"}]

    limits = AgeLimits(oldest=timedelta(hours=24), ahead=timedelta(seconds=60))
    return Judge(PRODUCT_OF.get, CATALOGUE, limits, NOW).sort_out(
        list(rows), Form(mistakes, lambda rows: True), "/events"
    )


def test_a_good_event_is_accepted_whole() -> None:
    accepted, refused = judge(row())
    assert refused == []
    assert accepted == [
        UsageEvent(
            "gateway", "1", "sub_metered", "gpu_hours", 250_000, datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
        )
    ]
    assert accepted[0].hour == "2026-11-22T10"


@pytest.mark.parametrize(
    ("one", "reason", "path"),
    [
        ("not an object", "invalid_event", "/events/0"),
        (row(quantity="1.0000001"), "invalid_event", "/events/0/quantity"),
        (row(quantity=0.5), "invalid_event", "/events/0/quantity"),
        (row(time="yesterday"), "invalid_event", "/events/0/time"),
        (row(time="2026-11-22T10:15:00"), "invalid_event", "/events/0/time"),
        (row(time="0001-01-01T00:00:00+14:00"), "invalid_event", "/events/0/time"),
        (row(time="2026-11-22T10:31:00.000001Z"), "time_in_future", "/events/0/time"),
        (row(time="2026-11-21T10:29:59.999999Z"), "too_old", "/events/0/time"),
        (row(subscription_id="sub_contract", dimension="seats"), "not_metered", "/events/0/subscription_id"),
        (row(dimension="tokens"), "unknown_dimension", "/events/0/dimension"),
        (row(dimension="GPU_hours"), "unknown_dimension", "/events/0/dimension"),
        (row(subscription_id="sub_unheard", dimension="nothing"), "unknown_dimension", "/events/0/dimension"),
    ],
)
def test_a_refusal_has_a_name_and_a_place(one: Any, reason: str, path: str) -> None:
    accepted, refused = judge(one)
    assert accepted == []
    assert [(refusal.reason, refusal.path) for refusal in refused] == [(reason, path)]
    assert refused[0].detail


@pytest.mark.parametrize(
    "time",
    ["2026-11-22T10:31:00Z", "2026-11-21T10:30:00Z", "2026-11-22T16:00:00.5+05:30", "2026-11-22t10:15:00z"],
)
def test_the_limits_of_age_are_inside(time: str) -> None:
    assert len(judge(row(time=time))[0]) == 1


def test_a_nought_is_an_event() -> None:
    assert judge(row(quantity="0"))[0][0].quantity == 0


@pytest.mark.parametrize("sub", ["sub_unheard", "sub_elsewhere"])
def test_usage_of_a_subscription_not_known_yet_is_accepted(sub: str) -> None:
    accepted, refused = judge(row(subscription_id=sub, dimension="tokens"))
    assert len(accepted) == 1
    assert refused == []


def test_prior_art_06_a_good_event_is_never_refused_for_a_bad_neighbour() -> None:
    accepted, refused = judge(row(id="a"), row(id="b", quantity="x"), None, row(id="c"), {"id": 5})
    assert [event.id for event in accepted] == ["a", "c"]
    assert [(one.index, one.source, one.id) for one in refused[:2]] == [(1, "gateway", "b"), (2, None, None)]
    assert all(one.reason == "invalid_event" for one in refused)
