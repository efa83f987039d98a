"""What each kind of message costs in DynamoDB's write units, counted from the requests that are sent."""

from datetime import timedelta

import boto3
import pytest
import samples
from conftest import World
from played_aws import entitlement
from usual_sizes import agreement_life, legacy_life, notice_of, renewal
from write_units import KB, WriteUnits, index_units, item_bytes, units

from notifications.tables.models import InboxRow, SubscriptionRow

CHANGE = 6
"""A message, a log entry and a row, of at most a KB each, in one transaction."""


@pytest.fixture
def counted(world: World) -> WriteUnits:
    # Whoever was assembled last gave the models its connection; transactions go through our own.
    connections = [world.worker.store._connection, InboxRow._get_connection().connection]
    clients = {id(one.client): one.client for one in connections if one}
    return WriteUnits(list(clients.values()), boto3.client("dynamodb", region_name="us-east-1"))


def apply(world: World, counted: WriteUnits, body: str) -> tuple[list[int], int]:
    """The units of the transactions that one message makes, and of all else but indexes."""
    before, plain = len(counted.transactions), counted.plain.total()
    with counted:
        world.apply(body)
    return counted.transactions[before:], counted.plain.total() - plain


@pytest.mark.parametrize(
    "life",
    [agreement_life(samples.CONCURRENT_CODE), agreement_life(samples.CONTRACT), legacy_life()],
    ids=["an agreement", "a contract", "a legacy buyer"],
)
def test_every_change_of_state(world: World, counted: WriteUnits, life: list[str]) -> None:
    versions = 0
    for body in life:
        (cost,), plain = apply(world, counted, body)
        changed = sum(int(row.version) for row in SubscriptionRow.scan(consistent_read=True)) > versions
        versions += changed
        assert (cost, plain) == (CHANGE if changed else 4, 0)
    assert versions == (4 if "Signature" in life[0] else 3)
    # The same again, and nothing at all is written.
    counted.transactions.clear()
    counted.indexes.clear()
    for body in life:
        assert apply(world, counted, body) == ([], 0)
    assert counted.total == 0


def test_what_indexes_cost(world: World, counted: WriteUnits) -> None:
    created, updated, ended, deprovisioned = agreement_life(samples.CONCURRENT_CODE)
    of_message = {("inbox", "of_subject"): 1, ("inbox", "of_day"): 1}
    found = {("subscriptions", name): 1 for name in ("of_agreement", "of_account", "to_ask_about")}
    untold = {("log", "untold"): 1}
    for body, more in (
        (created, {}),
        (updated, found | untold),
        (ended, untold | {("subscriptions", "in_last_hour"): 1}),
        (deprovisioned, untold | {("subscriptions", "in_last_hour"): 2}),
    ):
        counted.indexes.clear()
        apply(world, counted, body)
        assert {
            (table.removeprefix("test-").removeprefix("notifications-"), index): cost
            for (table, index), cost in counted.indexes.items()
        } == of_message | more


def test_a_notice(world: World, counted: WriteUnits) -> None:
    life = agreement_life(samples.CONCURRENT_CODE)
    world.apply(*life[:2])
    assert apply(world, counted, notice_of(life[0])) == ([4], 0)


def test_a_renewal_changes_two_subscriptions(world: World, counted: WriteUnits) -> None:
    costs = [apply(world, counted, body) for body in renewal(samples.CONCURRENT_CODE)]
    # With the other agreement's entry, and its row where it learns the link.
    assert costs == [([4], 0), ([6], 0), ([8], 0), ([10], 0), ([6], 0), ([8], 0)]


def test_what_is_no_news_to_us(world: World, counted: WriteUnits) -> None:
    assert apply(world, counted, agreement_life("of-somebody-else")[1]) == ([], 1)


def test_the_end_of_a_last_hour(world: World, counted: WriteUnits) -> None:
    world.apply(*agreement_life(samples.CONCURRENT_CODE))
    world.clock.advance(hours=3)
    with counted:
        assert world.worker.sweep(world.clock.now()) == 1
    assert (counted.transactions, counted.plain.total()) == ([4], 0)


def test_answers_of_aws(world: World, counted: WriteUnits) -> None:
    world.apply(*agreement_life(samples.CONTRACT)[:2])
    world.aws.sells(entitlement("seats", 20), entitlement("storage", 500))
    with counted:
        world.asker.ask_what_is_due()
    assert len(counted.transactions) == 1
    assert counted.transactions[0] <= CHANGE
    assert counted.plain.total() == 0
    # The same answer an hour later: only the time of it, and of the next question.
    counted.transactions.clear()
    world.clock.advance(seconds=timedelta(hours=1).total_seconds())
    with counted:
        world.asker.ask_what_is_due()
    assert counted.transactions == []
    assert counted.plain.total() <= 2


def test_telling(world: World, counted: WriteUnits) -> None:
    world.apply(*agreement_life(samples.CONCURRENT_CODE)[:2])
    with counted:
        world.tell()
    assert counted.transactions == []
    # What is kept for replays, and the mark.
    assert counted.plain == {"test-notifications-webhook-events": 1, "test-notifications-log": 1}
    assert counted.indexes == {("test-notifications-log", "untold"): 1}


# -- the rules -----------------------------------------------------------------------------------------------


def test_sizes() -> None:
    assert [units(size) for size in (1, KB, KB + 1, 3 * KB)] == [1, 1, 2, 3]
    assert item_bytes({"ab": {"S": "ü"}, "n": {"N": "-12.5"}, "b": {"B": b"123"}, "t": {"BOOL": True}}) == 15
    assert item_bytes({"l": {"L": [{"S": "ab"}]}, "m": {"M": {"k": {"NULL": True}}}}) == 7 + 7
    assert item_bytes({"s": {"SS": ["a", "bc"]}}) == 4


def test_indexes() -> None:
    small, other = {"k": {"S": "1"}, "v": {"S": "x"}}, {"k": {"S": "1"}, "v": {"S": "x" * 1100}}
    moved = {"k": {"S": "2"}, "v": {"S": "x"}}
    assert index_units(None, small, ["k"]) == index_units(small, None, ["k"]) == 1
    assert index_units(small, small, ["k"]) == index_units(None, None, ["k"]) == 0
    assert (index_units(small, other, ["k"]), index_units(small, moved, ["k"])) == (2, 2)
