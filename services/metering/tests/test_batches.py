"""Which records share a call."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from metering.batches import ATTEMPTS_IN_COMPANY, RECORDS_PER_CALL, Calls
from metering.records import Identity, MeteringRecord, Source

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEGACY, LICENCE = (
    Identity("5legacy", customer_identifier="X01"),
    Identity("74", license_arn="arn:a:b", customer_aws_account_id="1"),
)


def record(
    number: int, identity: Identity = LICENCE, *, attempts: int = 0, in_doubt: bool = False
) -> MeteringRecord:
    return MeteringRecord(
        subscription_id=f"sub_{number}",
        dimension="gpu_hours",
        hour="2026-11-22T10",
        timestamp=NOON - timedelta(minutes=number),
        quantity=1,
        identity=identity,
        sources=(Source("2026-11-22T10", 1),),
        created_at=NOON,
        attempts=attempts,
        in_doubt=in_doubt,
    )


def list_of(
    records: list[MeteringRecord],
    deadline: Callable[[MeteringRecord], datetime],
    is_answered: Callable[[list[MeteringRecord]], bool] = lambda call: False,
) -> list[list[MeteringRecord]]:
    """All calls of a cycle."""
    calls, made = Calls(records, deadline), []
    for call in calls:
        made.append(call)
        calls.was_answered(is_answered(call))
    return made


def urgency(one: MeteringRecord) -> datetime:
    return one.timestamp


RECORDS = st.lists(
    st.builds(
        record,
        st.integers(0, 10_000),
        st.sampled_from(
            [LEGACY, LICENCE, replace(LICENCE, product_code="75"), replace(LEGACY, product_code="74")]
        ),
        attempts=st.integers(0, 6),
        in_doubt=st.booleans(),
    ),
    max_size=120,
    unique_by=lambda one: one.metering_record_id,
)


@given(RECORDS)
def test_every_record_is_in_one_call_of_its_own_kind(records: list[MeteringRecord]) -> None:
    calls = list_of(records, urgency)
    assert sorted(one.metering_record_id for call in calls for one in call) == sorted(
        one.metering_record_id for one in records
    )
    for call in calls:
        assert 1 <= len(call) <= RECORDS_PER_CALL
        assert len({(one.identity.product_code, one.identity.is_legacy) for one in call}) == 1
        assert [urgency(one) for one in call] == sorted(urgency(one) for one in call)


def test_prior_art_09_more_than_25_are_several_calls() -> None:
    assert [len(call) for call in list_of([record(number) for number in range(60)], urgency)] == [25, 25, 10]


def test_the_most_urgent_call_goes_first() -> None:
    calls = list_of([record(1), record(9, LEGACY), record(5)], urgency)
    assert [[one.subscription_id for one in call] for call in calls] == [["sub_9"], ["sub_5", "sub_1"]]


def test_who_is_in_doubt_again_and_again_goes_last_and_alone() -> None:
    suspect = record(9, attempts=ATTEMPTS_IN_COMPANY, in_doubt=True)
    calls = list_of([suspect, record(1), record(2)], urgency)
    assert [[one.subscription_id for one in call] for call in calls] == [["sub_2", "sub_1"], ["sub_9"]]


def test_of_the_suspects_neither_the_most_urgent_nor_the_least_tried_waits_for_long() -> None:
    """After an outage of hours in which AWS answered nothing usable, all are suspects; the oldest have been
    tried the most and have the least time."""
    tried = [record(number, attempts=ATTEMPTS_IN_COMPANY + number, in_doubt=True) for number in range(6)]
    calls = list_of(tried, urgency)
    assert [one.subscription_id for call in calls for one in call] == [
        f"sub_{number}" for number in (5, 0, 4, 1, 3, 2)
    ]


def suspects(numbers: Iterable[int], identity: Identity = LICENCE) -> list[MeteringRecord]:
    return [record(n, identity, attempts=ATTEMPTS_IN_COMPANY, in_doubt=True) for n in numbers]


def test_the_suspects_company_grows_while_aws_answers() -> None:
    calls = list_of(
        [*suspects(range(100)), *[record(n) for n in range(200, 300)]], urgency, lambda call: True
    )
    assert [len(call) for call in calls] == [25, 25, 25, 25, 1, 2, 4, 8, 16, 25, 25, 19]


def test_a_suspect_that_is_aws_s_trouble_holds_up_few_and_not_for_long() -> None:
    """However many it is in one call with, it is alone after a few cycles."""
    waiting, trouble, cycles = suspects(range(100)), 37, 0
    while len(waiting) > 1:
        cycles += 1
        answered: set[str] = set()

        def answers(call: list[MeteringRecord], answered: set[str] = answered) -> bool:
            names = {one.subscription_id for one in call}
            if f"sub_{trouble}" in names:
                return False
            answered |= names
            return True

        list_of(waiting, urgency, answers)
        waiting = [
            replace(one, attempts=one.attempts + 1) for one in waiting if one.subscription_id not in answered
        ]
    assert [one.subscription_id for one in waiting] == [f"sub_{trouble}"]
    assert cycles <= 5


def test_suspects_of_two_products_share_no_call() -> None:
    calls = list_of([*suspects(range(10)), *suspects(range(10, 20), LEGACY)], urgency, lambda call: True)
    assert all(len({one.identity.product_code for one in call}) == 1 for call in calls)
    assert sum(map(len, calls)) == 20


def test_prior_art_07_a_long_outage_makes_no_suspects() -> None:
    throttled = [record(number, attempts=400) for number in range(50)]
    assert [len(call) for call in list_of(throttled, urgency)] == [25, 25]


def test_25_of_our_longest_records_are_less_than_a_megabyte() -> None:
    longest = {
        "Timestamp": 1_800_000_000.123456,
        "Dimension": "d" * 255,
        "CustomerAWSAccountId": "9" * 255,
        "LicenseArn": "a" * 1200,
        "QuantityAsDecimal": "9" * 17,
    }
    assert len(str(longest).encode()) * RECORDS_PER_CALL < 1_000_000
