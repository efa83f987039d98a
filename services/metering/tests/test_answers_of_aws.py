"""Whatever BatchMeterUsage answers, or fails to answer: billed once, or named."""

from datetime import timedelta
from decimal import Decimal

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from house import CONCURRENT, LEGACY, OTHER, House, at
from shelf_marketplace import URL, Fault, Refused
from wire import Call, Wire, dynamodb_refuses

from metering import measures
from metering.sender import ProductStopped, SenderStopped
from metering.tables.models import RecordRow

LOST = ReadTimeoutError(endpoint_url=URL)
AWAY = EndpointConnectionError(endpoint_url=URL)


def one_hour_used(house: House, product_code: str = CONCURRENT) -> str:
    """A subscription with a quantity of 3 at 10 o'clock, and a clock at which the hour is sealed."""
    sub = house.buy(product_code)
    house.use(sub, "3")
    house.clock.advance(hours=1, minutes=5)
    return sub


# Lost answers
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product_code", [LEGACY, CONCURRENT])
@pytest.mark.parametrize(
    "fault", [Fault(after=LOST), Fault(after=Refused("InternalServiceErrorException", 500))]
)
def test_prior_art_01_a_lost_answer_is_asked_for_again_with_the_identical_record(
    house: House, product_code: str, fault: Fault
) -> None:
    sub = one_hour_used(house, product_code)
    house.aws.next_calls(fault)
    house.run()
    assert house.outcomes(sub) == ["planned"]
    assert house.records(sub)[0].in_doubt
    house.must_be_exact()
    # Another hour and more usage: the record stays what it was.
    house.use(sub, "4", time=at("22T10:59"))
    house.clock.advance(hours=2)
    house.run()
    first, second = house.aws.sent()
    assert first[0] == second[0]
    assert house.hours(sub) == {"22T10": "3", "22T11": "4"}
    assert house.outcomes(sub) == ["billed", "billed"]
    house.must_be_exact()


@pytest.mark.parametrize("fault", [Fault(before=LOST), Fault(before=Refused("ServiceUnavailable", 503))])
def test_what_failed_before_it_was_counted_is_counted_later(house: House, fault: Fault) -> None:
    sub = one_hour_used(house)
    house.aws.next_calls(fault, fault, fault)
    house.run(3)
    assert house.billed(sub) == "0"
    house.run()
    assert house.billed(sub) == "3"
    house.must_be_exact()


def test_prior_art_11_in_doubt_when_the_window_closes_a_person_must_look(house: House) -> None:
    sub = one_hour_used(house)
    house.aws.always = Fault(after=LOST)
    house.run()
    house.clock.advance(hours=23)
    house.aws.always = None
    house.run(2)
    assert house.outcomes(sub) == ["unknown"]
    assert house.records(sub)[0].reason == "window_closed"
    assert house.balance(sub).reasons == {("held", "unknown"): 3_000_000}
    # It was billed, and is not billed again.
    assert house.hours(sub) == {"22T10": "3"}
    house.must_be_exact()


def test_a_doubt_that_was_not_counted_is_not_released_either(house: House) -> None:
    sub = one_hour_used(house)
    house.aws.always = Fault(before=LOST)
    house.run()
    house.clock.advance(hours=23)
    house.aws.always = None
    house.run(2)
    assert house.outcomes(sub) == ["unknown"]
    assert house.billed(sub) == "0"
    house.must_be_exact()


@pytest.mark.parametrize(
    "fault",
    [Fault(before=Refused("ThrottlingException")), Fault(before=AWAY), Fault(unprocessed=lambda _: True)],
)
def test_never_sent_and_the_window_closed_it_is_released_and_billed_later(house: House, fault: Fault) -> None:
    sub = one_hour_used(house)
    house.aws.always = fault
    house.run(2)
    assert not house.records(sub)[0].in_doubt
    house.clock.advance(hours=23)
    house.aws.always = None
    house.run()
    assert house.outcomes(sub) == ["expired"]
    assert house.balance(sub).open == 3_000_000
    house.must_be_exact()
    house.run()
    assert house.outcomes(sub) == ["expired", "billed"]
    assert house.hours(sub) == {"22T11": "3"}
    house.must_be_exact()


def test_the_limits_of_tomorrow_expire_nothing_for_good(house: House) -> None:
    """AWS's window was six hours once. Were it again, we would learn it record by record, and bill it."""
    sub = one_hour_used(house)
    house.clock.advance(hours=10)
    house.aws.age = timedelta(hours=6)
    house.run(8)
    assert house.billed(sub) == "3"
    assert set(house.outcomes(sub)) == {"expired", "billed"}
    house.must_be_exact()


# Not now
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault(before=Refused("ThrottlingException")), Fault(before=AWAY)])
def test_prior_art_12_a_throttle_pauses_and_ends_nothing(house: House, fault: Fault) -> None:
    sub, other = house.buy(OTHER), one_hour_used(house)
    house.use(sub, "3", time=at("22T10:30"))
    house.aws.next_calls(fault)
    house.run()
    # One call, not one for each product: AWS has asked us to slow down.
    assert len(house.aws.requests) == 1
    assert house.outcomes(sub) == house.outcomes(other) == ["planned"]
    assert not any(record.in_doubt for record in house.records(sub) + house.records(other))
    house.run()
    assert (house.billed(sub), house.billed(other)) == ("3", "3")
    house.must_be_exact()


def test_prior_art_07_results_are_kept_after_each_call(house: House) -> None:
    """60 records, and every second call is throttled: each cycle still gets on."""
    subs = [house.buy() for _ in range(60)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    throttled = Fault(before=Refused("ThrottlingException"))
    house.aws.next_calls(Fault(), throttled, Fault(), throttled, Fault())
    done = []
    for _ in range(3):
        house.run()
        done.append(len(house.aws.slots))
    assert done == [25, 50, 60]
    house.must_be_exact()


@pytest.mark.parametrize(("hours", "outcome"), [(0, "billed"), (24, "unknown")])
def test_prior_art_08_what_aws_has_billed_never_ends_as_expired(
    house: House, wire: Wire, hours: int, outcome: str
) -> None:
    """The outcome is lost on its way to the books: in time it is asked for again, later a person decides."""
    sub = one_hour_used(house)
    answered = False

    def lose_outcomes(name: str, call: Call) -> AWSResponse:
        nonlocal answered
        if answered and name == "UpdateItem":
            return dynamodb_refuses("InternalServerError")
        answered |= name == "BatchMeterUsage"
        return call()

    wire.meddle = lose_outcomes
    house.run_and_fail()
    wire.meddle = None
    assert house.outcomes(sub) == ["planned"]
    house.clock.advance(hours=hours)
    house.run()
    assert house.outcomes(sub) == [outcome]
    assert house.billed(sub) == "3"
    house.must_be_exact()


# A fault of ours
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "DisabledApiException"])
def test_prior_art_02_a_fault_of_ours_stops_the_sender_and_touches_no_record(house: House, code: str) -> None:
    sub = one_hour_used(house)
    house.aws.always = Fault(before=Refused(code))
    for _ in range(4):
        failures = house.run_and_fail()
        assert isinstance(failures.exceptions[0], SenderStopped)
        assert measures.SENDER_STOPPED._value.get() == 1
    record = house.records(sub)[0]
    assert (record.outcome, record.in_doubt, record.reason) == ("planned", False, None)
    house.must_be_exact()
    house.aws.always = None
    house.run()
    assert measures.SENDER_STOPPED._value.get() == 0
    assert house.billed(sub) == "3"
    house.must_be_exact()


def test_prior_art_02_a_product_that_aws_does_not_know_stops_alone(house: House) -> None:
    """The delisted product has two calls of records; after the first refusal the second is not made."""
    delisted = [house.buy(LEGACY) for _ in range(30)]
    others = [house.buy(), house.buy(OTHER)]
    house.report(*[house.event(sub, "1") for sub in [*delisted, *others]])
    house.clock.advance(hours=1, minutes=5)
    dimensions = house.aws.products.pop(LEGACY)
    stopped = measures.PRODUCT_STOPPED.labels(LEGACY, "legacy")
    for _ in range(2):
        house.aws.requests.clear()
        failures = house.run_and_fail()
        assert [type(one) for one in failures.exceptions] == [ProductStopped]
        assert f"refuses product {LEGACY}" in str(failures.exceptions[0])
        assert (stopped._value.get(), measures.SENDER_STOPPED._value.get()) == (1, 0)
        assert [house.billed(sub) for sub in others] == ["1", "1"]
        assert sum("ProductCode" in request for request in house.aws.requests) == 1
    record = house.records(delisted[0])[0]
    assert (record.outcome, record.in_doubt, record.reason) == ("planned", False, None)
    house.must_be_exact()
    house.aws.products[LEGACY] = dimensions
    house.run()
    assert stopped._value.get() == 0
    assert {house.billed(sub) for sub in delisted} == {"1"}
    house.must_be_exact()


def test_a_fault_with_one_product_does_not_hide_one_of_all(house: House) -> None:
    house.report(house.event(house.buy(LEGACY), "1"), house.event(house.buy(), "1"))
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(
        Fault(before=Refused("InvalidProductCodeException")), Fault(before=Refused("AccessDeniedException"))
    )
    assert {type(one) for one in house.run_and_fail().exceptions} == {ProductStopped, SenderStopped}
    house.run()
    house.must_be_exact()


def test_prior_art_03_missing_credentials_are_no_success(house: House) -> None:
    sub = one_hour_used(house)
    house.aws.next_calls(Fault(before=NoCredentialsError()))
    house.run_and_fail()
    assert house.outcomes(sub) == ["planned"]
    house.run()
    assert house.billed(sub) == "3"


def test_after_a_day_of_access_denied_records_still_share_calls(house: House) -> None:
    subs = [house.buy() for _ in range(30)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    house.aws.always = Fault(before=Refused("AccessDeniedException"))
    for _ in range(5):
        house.run_and_fail()
    house.aws.always = None
    house.aws.requests.clear()
    house.run()
    assert [len(call) for call in house.aws.sent()] == [25, 5]
    house.must_be_exact()


# A record at fault
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["InvalidLicenseException", "InvalidUsageDimensionException", "ValidationException"]
)
def test_prior_art_06_one_poison_record_among_25_stands_alone(house: House, code: str) -> None:
    subs = [house.buy() for _ in range(25)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    house.aws.poison[house.identities[subs[7]]] = code
    house.run()
    assert [house.outcomes(sub) for sub in subs] == [["billed"]] * 7 + [["rejected"]] + [["billed"]] * 17
    assert house.records(subs[7])[0].reason == code
    assert house.balance(subs[7]).reasons == {("held", "rejected"): 1_000_000}
    # It is never sent again.
    calls = len(house.aws.requests)
    house.run(2)
    assert len(house.aws.requests) == calls
    house.must_be_exact()


def test_a_poison_record_in_a_legacy_call_stands_alone_too(house: House) -> None:
    subs = [house.buy(LEGACY) for _ in range(3)]
    for sub in subs:
        house.use(sub, "1")
    house.clock.advance(hours=1, minutes=5)
    house.aws.poison[house.identities[subs[1]]] = "InvalidCustomerIdentifierException"
    house.run()
    assert [house.outcomes(sub) for sub in subs] == [["billed"], ["rejected"], ["billed"]]
    house.must_be_exact()


def test_a_throttle_in_the_midst_of_splitting_loses_nothing(house: House) -> None:
    subs = [house.buy() for _ in range(25)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    house.aws.poison[house.identities[subs[20]]] = "InvalidLicenseException"
    house.aws.next_calls(Fault(), Fault(), Fault(before=Refused("ThrottlingException")))
    house.run(2)
    assert sum(outcome == "billed" for sub in subs for outcome in house.outcomes(sub)) == 24
    house.must_be_exact()


def test_a_record_that_breaks_its_calls_ends_up_alone(house: House) -> None:
    """AWS answers 500 whenever it is in the call: nobody can say which one it is until it goes by itself."""
    subs = [house.buy() for _ in range(5)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    bad = house.identities[subs[2]]
    count = house.aws._count

    def breaks(request: dict[str, list[dict[str, str]]], fault: Fault) -> object:
        if any(record["LicenseArn"] == bad for record in request["UsageRecords"]):
            raise Refused("InternalServiceErrorException", 500)
        return count(request, fault)

    house.aws._count = breaks  # type: ignore[method-assign, assignment]
    house.run(4)
    # By now they are suspects, and who was in its company goes before it the next time, or after it.
    house.run()
    assert [house.billed(sub) for sub in subs] == ["1", "1", "0", "1", "1"]
    house.must_be_exact()


def test_a_refusal_of_what_may_have_been_counted_does_not_say_that_nothing_is_billed(house: House) -> None:
    sub = one_hour_used(house)
    house.aws.next_calls(Fault(after=LOST))
    house.run()
    house.aws.poison[house.identities[sub]] = "InvalidLicenseException"
    house.run()
    assert house.outcomes(sub) == ["unknown"]
    assert house.records(sub)[0].reason == "InvalidLicenseException"
    assert house.billed(sub) == "3"
    house.must_be_exact()


def test_what_boto3_itself_refuses_is_a_record_at_fault(house: House) -> None:
    sub, fine = one_hour_used(house), house.buy()
    house.use(fine, "1", time=at("22T10:30"))
    house.cycle.fold_open_hours()
    house.cycle.plan_unbilled()
    row = RecordRow.get(sub, "gpu_hours#2026-11-22T10")
    # boto3 checks the least length of each member, and that only.
    row.update([RecordRow.customer_aws_account_id.set("")])
    house.run()
    assert house.outcomes(sub) == ["rejected"]
    assert house.records(sub)[0].reason == "ParamValidationError"
    assert house.billed(fine) == "1"
    house.must_be_exact()


# Statuses
# -------------------------------------------------------------------------------------------------------


def test_prior_art_03_unprocessed_is_not_success(house: House) -> None:
    subs = [house.buy() for _ in range(6)]
    house.report(*[house.event(sub, "1") for sub in subs])
    house.clock.advance(hours=1, minutes=5)
    house.aws.next_calls(Fault(unprocessed=lambda place: place % 2 == 0))
    house.run()
    outcomes = [outcome for sub in subs for outcome in house.outcomes(sub)]
    assert sorted(outcomes) == ["billed"] * 3 + ["planned"] * 3
    assert not any(
        record.in_doubt for sub in subs for record in house.records(sub) if record.outcome == "planned"
    )
    house.must_be_exact()
    house.run()
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


def test_a_buyer_that_aws_does_not_know_is_named(house: House) -> None:
    sub, fine = one_hour_used(house), house.buy()
    house.use(fine, "1", time=at("22T10:30"))
    del house.aws.buyers[house.identities[sub]]
    house.run()
    assert house.outcomes(sub) == ["not_subscribed"]
    assert house.balance(sub).reasons == {("held", "not_subscribed"): 3_000_000}
    assert house.billed(fine) == "1"
    house.must_be_exact()


def test_not_subscribed_after_a_lost_answer_is_in_doubt(house: House) -> None:
    """The first sending was counted in the last minute, the second came too late."""
    sub = one_hour_used(house)
    house.end(sub, at("22T11:10"))
    house.aws.next_calls(Fault(after=LOST))
    house.run()
    house.clock.advance(minutes=6)
    house.run()
    assert house.outcomes(sub) == ["unknown"]
    assert house.records(sub)[0].reason == "sent_before"
    assert house.billed(sub) == "3"
    house.must_be_exact()


def test_prior_art_03_another_quantity_in_our_slot_is_a_named_conflict(house: House) -> None:
    sub = one_hour_used(house)
    house.aws.slots[house.identities[sub], "gpu_hours", "2026-11-22T10"] = (Decimal(9), "someone else's")
    house.run()
    assert house.outcomes(sub) == ["duplicate_conflict"]
    assert house.records(sub)[0].reason is None
    assert house.balance(sub).conflicting == 3_000_000
    assert house.balance(sub).balanced


def test_should_aws_call_an_identical_record_a_duplicate_it_is_told_apart(house: House) -> None:
    """Its sources disagree on it. Whoever looks at the conflict must see that it may be with ourselves."""
    sub = one_hour_used(house)
    house.aws.identical_is_duplicate = True
    house.aws.next_calls(Fault(after=LOST))
    house.run(2)
    assert house.outcomes(sub) == ["duplicate_conflict"]
    assert house.records(sub)[0].reason == "sent_before"
    assert house.billed(sub) == "3"
    house.must_be_exact()


@pytest.mark.parametrize(
    "spoiled", [{"Results": []}, {}, {"Results": [{}]}, {"Results": [{"Status": "Success"}]}]
)
def test_an_answer_that_says_nothing_of_a_record_is_no_answer(
    house: House, spoiled: dict[str, object]
) -> None:
    sub = one_hour_used(house)
    count = house.aws._count

    def say_nothing(request: dict[str, object], fault: Fault) -> dict[str, object]:
        count(request, fault)
        return spoiled

    house.aws._count = say_nothing  # type: ignore[method-assign]
    house.run()
    assert house.outcomes(sub) == ["planned"]
    house.aws._count = count  # type: ignore[method-assign]
    house.run()
    assert house.outcomes(sub) == ["billed"]
    house.must_be_exact()


def test_a_status_that_is_new_to_us_is_no_success(house: House) -> None:
    sub = one_hour_used(house)
    slot = house.aws._slot
    house.aws._slot = lambda record: slot(record) | {"Status": "NewAtAws"}  # type: ignore[method-assign]
    house.run()
    assert house.outcomes(sub) == ["planned"]
    assert house.records(sub)[0].in_doubt
    house.must_be_exact()


def test_an_echo_with_a_rounded_time_is_still_an_answer(house: House) -> None:
    since = at("22T10:20") + timedelta(microseconds=500_500)
    sub = house.buy(since=since)
    house.clock.advance(minutes=30)
    house.use(sub, "3")
    house.clock.advance(hours=1)
    count = house.aws._count

    def rounding(request: dict[str, object], fault: Fault) -> dict[str, list[dict[str, dict[str, float]]]]:
        answer = count(request, fault)
        for result in answer["Results"]:
            result["UsageRecord"]["Timestamp"] = round(result["UsageRecord"]["Timestamp"])
        return answer

    house.aws._count = rounding  # type: ignore[method-assign, assignment]
    house.run()
    assert house.outcomes(sub) == ["billed"]


# Identities
# -----------------------------------------------------------------------------------------------------


def test_prior_art_15_the_two_generations_never_share_a_request(house: House) -> None:
    subs = [house.buy(code) for code in (LEGACY, CONCURRENT, OTHER) for _ in range(3)]
    for sub in subs:
        house.use(sub, "1")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert len(house.aws.requests) == 3
    for request in house.aws.requests:
        licences = ["LicenseArn" in record for record in request["UsageRecords"]]
        assert set(licences) == {"ProductCode" not in request}
        for record in request["UsageRecords"]:
            assert ("CustomerIdentifier" in record) != ("CustomerAWSAccountId" in record)
            assert "Quantity" not in record
    assert {house.billed(sub) for sub in subs} == {"1"}
    house.must_be_exact()


def test_prior_art_20_two_agreements_of_one_account_are_two_meters(house: House) -> None:
    first, second = house.buy(), house.buy()
    buyers = house.aws.buyers
    buyers[house.identities[second]].account = buyers[house.identities[first]].account
    house.publish(second)
    house.use(first, "1")
    house.use(second, "2")
    house.clock.advance(hours=1, minutes=5)
    house.run()
    assert (house.billed(first), house.billed(second)) == ("1", "2")
    house.must_be_exact()


def test_a_frozen_record_keeps_its_identity_though_the_licence_is_spelled_anew(house: House) -> None:
    sub = one_hour_used(house)
    house.aws.next_calls(Fault(after=LOST))
    house.run()
    house.publish(
        sub, license_arn="arn:aws:license-manager:us-east-1:2:license/" + house.identities[sub][-34:]
    )
    house.run()
    assert house.aws.requests[0] == house.aws.requests[1]
    house.must_be_exact()
