"""Every switch, in both positions: where AWS's sources disagree, a seller must be able to meet either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from test_behaviours import refusal
from test_control import CONTRACT

from marketplace_simulator.switches import Switches, choices


def turn(seller: Any, **positions: Any) -> None:
    answer = seller.do("PUT", "switches", positions)
    assert {name: answer[name] for name in positions} == positions


def test_every_switch_is_in_the_contract_with_its_positions_and_default(seller):
    described = yaml.safe_load(CONTRACT.read_text())["components"]["schemas"]["Switches"]["properties"]
    defaults = seller.do("GET", "switches")
    assert described.keys() == defaults.keys() == choices().keys()
    assert defaults == {**vars(Switches()), "calls_per_second": 0}
    for name, positions in choices().items():
        assert tuple(described[name].get("enum", ())) == positions
        assert described[name]["default"] == getattr(Switches(), name)
        assert described[name]["description"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"identical_resend": "perhaps"}, "/identical_resend"),
        ({"identical_resend": 1}, "/identical_resend"),
        ({"calls_per_second": -1}, "/calls_per_second"),
        ({"calls_per_second": True}, "/calls_per_second"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_switch_that_is_not_there_is_a_problem_and_turns_nothing(seller, body, place):
    before = seller.do("GET", "switches")
    answer = seller.control("PUT", "switches", {"month_end": "window_only", **body})
    assert (answer.status, answer.json["errors"][0]["path"]) == (400, place)
    assert seller.do("GET", "switches") == before


def test_reset_puts_the_switches_back(seller):
    turn(seller, identical_resend="duplicate_record")
    seller.do("POST", "reset")
    assert seller.do("GET", "switches")["identical_resend"] == "success"


@pytest.mark.parametrize("position", ["success", "duplicate_record"])
def test_behaviour_11_an_identical_resend_is_success_or_on_wish_a_duplicate(seller, position):
    bought = seller.buy(seller.product())
    turn(seller, identical_resend=position)
    record = seller.record(bought, 17)
    assert seller.status(record) == ["Success"]
    expected = "Success" if position == "success" else "DuplicateRecord"
    assert seller.status(record) == [expected]
    assert seller.quantities() == ["17"]


@pytest.mark.parametrize("position", ["absent", "first"])
def test_behaviour_12_a_duplicate_names_the_first_record_on_wish(seller, position):
    bought = seller.buy(seller.product())
    turn(seller, duplicate_record_id=position)
    (first,) = seller.meter(seller.record(bought, 1))
    (second,) = seller.meter(seller.record(bought, 2))
    assert second["Status"] == "DuplicateRecord"
    assert second.get("MeteringRecordId") == (first["MeteringRecordId"] if position == "first" else None)


def test_behaviour_19_product_code_with_licence_is_refused_or_on_wish_a_second_meter(seller):
    product = seller.product()
    bought, stranger = seller.buy(product), seller.buy(product)
    code = product["product_code"]
    record = seller.record(bought, 3)
    batch = seller.metering().batch_meter_usage
    assert seller.status(record) == ["Success"]
    assert refusal(batch, UsageRecords=[record], ProductCode=code)[0] == "InvalidProductCodeException"

    turn(seller, product_code_with_license="second_meter")
    assert seller.status(record, ProductCode=code) == ["Success"]
    assert seller.status(record) == ["Success"]
    assert [(row["license_arn"], row["quantity"]) for row in seller.bill()] == [
        (bought["license_arn"], "3"),
        (None, "3"),
    ]
    foreign = record | {"LicenseArn": stranger["license_arn"]}
    assert refusal(batch, UsageRecords=[foreign], ProductCode=code)[0] == "InvalidLicenseException"


@pytest.mark.parametrize(("position", "minutes"), [("4_hours", 240), ("1_hour", 60), ("30_minutes", 30)])
def test_behaviour_01_a_token_lives_as_long_as_the_switch_says(seller, position, minutes):
    bought = seller.buy(seller.product())
    turn(seller, token_life=position)
    token = seller.do("POST", f"agreements/{bought['agreement_id']}/tokens")["registration_token"]
    resolve = seller.metering().resolve_customer
    seller.advance(minutes * 60 - 1)
    assert resolve(RegistrationToken=token)["LicenseArn"] == bought["license_arn"]
    seller.advance(1)
    assert refusal(resolve, RegistrationToken=token)[0] == "ExpiredTokenException"


@pytest.mark.parametrize("position", ["closes_at_06_00", "window_only"])
def test_behaviour_10_last_month_closes_at_six_or_on_wish_only_after_a_day(seller, position):
    bought = seller.buy(seller.product())
    turn(seller, month_end=position)
    seller.set_now(datetime(2026, 12, 1, 6, 0, tzinfo=UTC))
    november = seller.record(bought, Timestamp=datetime(2026, 11, 30, 23, tzinfo=UTC))
    if position == "window_only":
        assert seller.status(november) == ["Success"]
    else:
        code, _ = refusal(seller.metering().batch_meter_usage, UsageRecords=[november])
        assert code == "TimestampOutOfBoundsException"


@pytest.mark.parametrize(("position", "hours"), [("24_hours", 24), ("6_hours", 6)])
def test_behaviour_09_the_window_is_as_long_as_the_switch_says(seller, position, hours):
    bought = seller.buy(seller.product())
    turn(seller, metering_window=position)
    seller.advance(30 * 3600)
    late = seller.record(bought, ago=timedelta(hours=hours))
    with pytest.raises(ClientError, match="TimestampOutOfBoundsException"):
        seller.meter(late)
    assert seller.status(seller.record(bought, ago=timedelta(hours=hours, seconds=-1))) == ["Success"]


@pytest.mark.parametrize("position", ["one_after_other", "refused"])
def test_one_slot_twice_in_one_batch(seller, position):
    bought = seller.buy(seller.product())
    turn(seller, same_slot_in_one_batch=position)
    records = [seller.record(bought, quantity) for quantity in (1, 1, 2)]
    if position == "refused":
        assert refusal(seller.metering().batch_meter_usage, UsageRecords=records) == (
            "ValidationException",
            400,
        )
        assert seller.bill() == []
    else:
        assert seller.status(*records) == ["Success", "Success", "DuplicateRecord"]
        assert seller.quantities() == ["1"]


@pytest.mark.parametrize("position", ["refused", "accepted"])
def test_the_future_is_refused_or_on_wish_accepted(seller, position):
    bought = seller.buy(seller.product())
    turn(seller, future_timestamps=position)
    ahead = seller.record(bought, ago=-timedelta(hours=5))
    if position == "accepted":
        assert seller.status(ahead) == ["Success"]
    else:
        assert refusal(seller.metering().batch_meter_usage, UsageRecords=[ahead])[0] == (
            "TimestampOutOfBoundsException"
        )


@pytest.mark.parametrize("position", ["not_subscribed", "invalid_license"])
def test_behaviour_16_usage_before_the_activation_is_refused_by_record_or_on_wish_whole(seller, position):
    product = seller.product()
    seller.set_now(datetime(2026, 11, 22, 20, 30, tzinfo=UTC))
    bought = seller.buy(product)
    turn(seller, usage_before_activation=position)
    early = seller.record(bought, Timestamp=datetime(2026, 11, 22, 19, 30, tzinfo=UTC))
    if position == "not_subscribed":
        assert seller.status(early) == ["CustomerNotSubscribed"]
    else:
        with pytest.raises(ClientError, match="InvalidLicenseException"):
            seller.meter(seller.record(bought), early)
        assert seller.bill() == []


@pytest.mark.parametrize("position", ["answered", "absent"])
def test_a_legacy_customer_resolves_with_a_licence_or_without(seller, position):
    bought = seller.buy(seller.product("legacy"))
    turn(seller, legacy_resolve_license=position)
    answer = seller.metering().resolve_customer(RegistrationToken=bought["registration_token"])
    assert answer.get("LicenseArn") == (bought["license_arn"] if position == "answered" else None)


@pytest.mark.parametrize("position", ["absent", "empty"])
def test_behaviour_03_the_missing_identifier_is_absent_or_an_empty_text(seller, position):
    bought = seller.buy(seller.product())
    turn(seller, empty_customer_identifier=position)
    answer = seller.metering().resolve_customer(RegistrationToken=bought["registration_token"])
    assert answer.get("CustomerIdentifier") == (None if position == "absent" else "")


@pytest.mark.parametrize("position", ["refused", "empty"])
def test_behaviour_07_an_unknown_product_has_no_entitlements(seller, position):
    turn(seller, entitlements_of_unknown_product=position)
    get = seller.client("marketplace-entitlement").get_entitlements
    if position == "refused":
        assert refusal(get, ProductCode="unknown") == ("InvalidParameterException", 400)
    else:
        assert "Entitlements" not in get(ProductCode="unknown")
