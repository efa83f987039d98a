"""A receipt that is applied together: nothing may show that it was, but the number of calls."""

import json
import random
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import boto3
import pytest
import samples
from conftest import World
from prometheus_client import REGISTRY
from samples import action, after, cancelled_life, license_updated, renewed_life
from test_crashes import together
from usual_sizes import agreement_life, legacy_life, notice_of
from write_units import WriteUnits

from chassis.queues import Message, Unreadable
from notifications.tables import unit_of_work
from notifications.tables.models import InboxRow, LogRow, SubscriptionRow
from notifications.tables.store import Overtaken

POISON = '{"detail-type": "License Updated - Manufacturer", "no": "id"}'
OTHERS = license_updated(after(5), "not-ours", product={"code": "of-somebody-else"})
UNKNOWN = samples.event("Something New - Manufacturer", after(0), "unknown")


def life_of(product_code: str, number: int) -> list[str]:
    """An agreement with a licence of its own."""
    arn = samples.ARN[:-32] + f"{number:032}"
    return [body.replace(samples.ARN, arn) for body in agreement_life(product_code)]


def as_messages(bodies: list[str]) -> list[Message]:
    return [
        Message(id=f"sqs-{number}", body=body, receipt=f"r-{number}", sent_at=samples.T0)
        for number, body in enumerate(bodies)
    ]


def by_themselves(world: World, messages: list[Message]) -> None:
    for message in messages:
        try:
            world.worker.handle(message)
        except Unreadable:
            continue


def by_receipt(world: World, messages: list[Message]) -> list[str]:
    """As the queue loop does; answers the bodies of those that were applied together."""
    done = world.worker.handle_together(messages)
    by_themselves(world, [message for message in messages if message not in done])
    return [message.body for message in done]


def tables() -> dict[str, list[str]]:
    """Everything that is kept, to the byte."""
    client = boto3.client("dynamodb", region_name="us-east-1")
    return {
        model.__name__: sorted(
            json.dumps(item, sort_keys=True, default=repr)
            for item in client.scan(TableName=model.Meta.table_name, ConsistentRead=True)["Items"]
        )
        for model in (InboxRow, LogRow, SubscriptionRow)
    }


def outcomes() -> dict[Any, float]:
    return {
        (sample.labels["source"], sample.labels["outcome"]): sample.value
        for metric in REGISTRY.collect()
        if metric.name == "marketplane_notifications"
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def counted(act: Callable[[], object]) -> dict[Any, float]:
    """What became of how many messages by it."""
    before = outcomes()
    act()
    return {key: value - before.get(key, 0) for key, value in outcomes().items() if value != before.get(key)}


@pytest.fixture
def always_the_same_signal_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.changes.uuid", SimpleNamespace(uuid4=lambda: UUID(int=7)))


def all_sorts_of_news() -> list[str]:
    """Lives of every kind, notices, copies, and what is none of it."""
    life = cancelled_life()
    one = [
        *life,
        *renewed_life(),
        *life_of(samples.CONTRACT, 1),
        *life_of(samples.CONCURRENT_CODE, 2),
        *legacy_life(),
        notice_of(life[0]),
        samples.advisory(after(70), "e5"),
        samples.advisory(after(70), "e6", to="Proposer"),
    ]
    return [*one, POISON, OTHERS, UNKNOWN, *one[::3]]


@pytest.mark.parametrize("seed", range(6))
def test_receipts_of_any_size_end_in_the_same_bytes(
    world: World, always_the_same_signal_id: None, seed: int
) -> None:
    chance = random.Random(seed)
    messages = as_messages(chance.sample(bodies := all_sorts_of_news(), len(bodies)))
    # Now and then the very same message again within its receipt.
    messages = [again for message in messages for again in [message] * chance.choice((1, 1, 1, 2))]
    receipts: list[list[Message]] = []
    while messages:
        size = chance.randint(1, 10)
        receipts.append(messages[:size])
        messages = messages[size:]
    minutes = [chance.randint(0, 50) for _ in receipts]

    def play(handle: Callable[[World, list[Message]], object]) -> tuple[Any, Any]:
        world.begin()

        def act() -> None:
            for receipt, pause in zip(receipts, minutes, strict=True):
                handle(world, receipt)
                world.clock.advance(minutes=pause)
                world.worker.sweep(world.clock.now())

        became = counted(act)
        return tables(), became

    one_by_one, together_ = play(by_themselves), play(by_receipt)
    assert together_ == one_by_one
    assert len(together_[0]["SubscriptionRow"]) == 6


def test_a_receipt_is_one_transaction(world: World, units: WriteUnits) -> None:
    lives = [life_of(samples.CONCURRENT_CODE, number) for number in range(3)]
    bodies = [body for step in zip(*lives, strict=True) for body in step][:10]
    with units:
        assert by_receipt(world, as_messages(bodies)) == bodies
    # Each message and each fact; each row once, however often it changed. (Six units a change, by itself.)
    assert units.transactions == [10 * 2 + 10 * 2 + 3 * 2]
    assert units.plain == {}
    assert world.counts() == {"InboxRow": 10, "LogRow": 10, "SubscriptionRow": 3, "untold": 7}


@pytest.fixture
def units(world: World) -> WriteUnits:
    return WriteUnits(
        [world.worker.store._connection.client], boto3.client("dynamodb", region_name="us-east-1")
    )


def test_what_was_received_is_not_written_again(world: World, units: WriteUnits) -> None:
    bodies = [*cancelled_life(), action("subscribe-success", after(), "m1")]
    world.apply(*bodies)
    before = tables()
    with units:
        became = counted(lambda: by_receipt(world, as_messages([*bodies, *bodies])))
    assert (units.total, tables()) == (0, before)
    assert became == {("eventbridge", "duplicate"): 8, ("sns", "duplicate"): 2}


def test_what_needs_no_transaction_is_left_to_itself(world: World, units: WriteUnits) -> None:
    """It would cost twice as much in one."""
    bodies = [UNKNOWN, cancelled_life()[0], OTHERS, POISON]
    with units:
        assert by_receipt(world, as_messages(bodies)) == [cancelled_life()[0]]
    assert (units.transactions, units.plain.total()) == ([4], 2)


def test_what_does_not_fit_into_one_transaction_is_left_to_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "MOST_ITEMS", 7)
    life = cancelled_life()
    # Message and fact, and from the second on a row too.
    assert by_receipt(world, as_messages(life)) == life[:2]
    assert (world.row().status, world.row().version) == ("ending", 3)


def test_a_decision_sees_those_before_it(world: World) -> None:
    """Also where it rests on other subjects: a renewal, all of it in one receipt, the last news first."""
    world.apply(*renewed_life())
    expected = [published_facts(arn) for arn in (samples.ARN_1, samples.ARN_2)]
    world.begin()
    bodies = renewed_life()[::-1]
    assert by_receipt(world, as_messages(bodies)) == bodies
    assert [published_facts(arn) for arn in (samples.ARN_1, samples.ARN_2)] == expected


def published_facts(arn: str) -> dict[str, Any]:
    (row,) = [row for row in SubscriptionRow.scan(consistent_read=True) if row.license_arn == arn]
    counted_up = {"version", "private_revision", "private_ask_at"}
    return {name: value for name, value in row.serialize().items() if name not in counted_up}


@pytest.fixture
def overtaken(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Another worker is quicker about these, once, after all was read."""

    def by(*bodies: str) -> None:
        write, other = world.worker.store.take_together, world.another_worker()

        def late(*arguments: Any) -> None:
            monkeypatch.setattr(world.worker.store, "take_together", write)
            world.apply(*bodies, worker=other)
            write(*arguments)

        monkeypatch.setattr(world.worker.store, "take_together", late)

    return by


def test_overtaken_about_one_all_are_decided_anew(world: World, overtaken: Callable[..., None]) -> None:
    first, second, third, _ = cancelled_life()
    bodies = [first, second, action("subscribe-success", after(), "m1")]
    overtaken(third)
    became = counted(lambda: by_receipt(world, as_messages(bodies)))
    assert became == {
        ("eventbridge", "waiting"): 2,
        ("eventbridge", "applied"): 1,
        ("sns", "applied"): 1,
    }
    assert (world.row().status, world.row().version) == ("ending", 1)
    assert world.row(samples.LEGACY_ID).status == "active"


def test_overtaken_again_and_again_each_goes_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def always(taken: list[Any], _now: Any) -> None:
        tries.append(len(taken))
        raise Overtaken

    monkeypatch.setattr("notifications.worker.applying.time.sleep", lambda _seconds: None)
    monkeypatch.setattr(world.worker.store, "take_together", always)
    messages = as_messages(cancelled_life())
    assert world.worker.handle_together(messages) == []
    assert tries == [4, 4, 4]
    assert set(world.counts().values()) == {0}
    by_receipt(world, messages)
    assert (world.row().status, world.row().version) == ("ending", 3)


def test_a_copy_that_another_took_meanwhile_counts_once(world: World, overtaken: Callable[..., None]) -> None:
    bodies = cancelled_life()[:2]
    overtaken(*bodies)
    became = counted(lambda: by_receipt(world, as_messages(bodies)))
    assert became[("eventbridge", "duplicate")] == 2
    assert (world.counts()["LogRow"], world.row().version) == (2, 1)


def test_nothing_is_counted_or_said_before_it_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: Any) -> None:
        raise ConnectionError("the table is away")

    monkeypatch.setattr(world.worker.store, "take_together", away)
    messages = as_messages([*cancelled_life(), samples.advisory(after(70), "e5")])

    def act() -> None:
        with pytest.raises(ConnectionError):
            world.worker.handle_together(messages)

    assert counted(act) == {}
    assert capsys.readouterr().out == ""
    assert set(world.counts().values()) == {0}


def test_a_message_that_always_fails_holds_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = world.worker._decide

    def fails(entry: Any, *more: Any) -> Any:
        if entry.notification_id == "bad":
            raise AssertionError("of a kind that was not thought of")
        return decide(entry, *more)

    monkeypatch.setattr(world.worker, "_decide", fails)
    world.send(*cancelled_life(), license_updated(after(3), "bad", agreement={"id": "agmt-2"}))
    world.work_off()
    assert (world.row().status, world.counts()["InboxRow"]) == ("ending", 4)
    left = world.sqs.get_queue_attributes(QueueUrl=world.queue.url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessagesNotVisible"] == "1"


@pytest.mark.parametrize("round_", range(4))
def test_two_workers_apply_receipts_that_share_everything(world: World, round_: int) -> None:
    first, second = world.another_worker(), world.another_worker()
    messages = as_messages([*cancelled_life(), *renewed_life()])

    def work(worker: Any) -> None:
        done = worker.handle_together(messages)
        for message in messages:
            if message not in done:
                worker.handle(message)

    together(partial(work, first), partial(work, second))
    counts = world.counts()
    assert (counts["InboxRow"], counts["SubscriptionRow"]) == (10, 3)
    assert (world.row().status, world.row().version) == ("ending", 3)
    for subject in ("agmt-EXAMPLE", "agmt-1", "agmt-2"):
        log = world.log(subject)
        assert [entry.number for entry in log] == list(range(1, len(log) + 1))


def test_threads_of_one_worker_take_turns(world: World) -> None:
    """Whatever they share, nobody is overtaken."""
    lives = [life_of(samples.CONCURRENT_CODE, number) for number in range(5)]
    receipts = [as_messages([life[step] for life in lives]) for step in range(4)]
    done: list[Message] = []

    def work(messages: list[Message]) -> None:
        done.extend(world.worker.handle_together(messages))

    together(*(partial(work, messages) for messages in receipts))
    assert len(done) == 20
    assert {row.status for row in SubscriptionRow.scan(consistent_read=True)} == {"ending"}


# -- what it reads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 3, 4, 6])
def test_logs_that_are_read_together_say_the_same(world: World, length: int) -> None:
    life = [*cancelled_life(), samples.advisory(after(70), "e5"), samples.amended(after(80), "e6")]
    world.apply(*life[:length], action("subscribe-success", after(), "m1"))
    store, subjects = world.worker.store, ["agmt-EXAMPLE", "nobody", samples.news_of(life[0]).subject]
    read = store.news_of_each(subjects)
    assert read == {subject: store.news_of(subject) for subject in subjects}
    assert read["agmt-EXAMPLE"][1] == length


def test_a_log_that_is_written_while_it_is_read_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entries are not read at one moment: the first was not there yet, the second is."""
    world.apply(*cancelled_life()[:2])
    store, read = world.worker.store, LogRow.batch_get
    monkeypatch.setattr(
        LogRow, "batch_get", lambda keys, **how: [row for row in read(keys, **how) if row.number != 1]
    )
    assert store.news_of_each(["agmt-EXAMPLE"]) == {"agmt-EXAMPLE": store.news_of("agmt-EXAMPLE")}
    assert store.news_of("agmt-EXAMPLE")[1] == 2
