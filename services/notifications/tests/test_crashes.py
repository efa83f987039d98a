"""Killed at any step, the worker repeats without effect and loses nothing; poison harms no other message."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
import samples
from conftest import World
from samples import action, after, cancelled_life, created, deprovisioned, ended, license_updated

from chassis.queues import Message, handle_batch
from notifications.changes import Outcome
from notifications.inbox import Entry
from notifications.renewals import join
from notifications.subject_log import entries_of_news
from notifications.tables.models import LogRow
from notifications.tables.rows import published
from notifications.tables.store import AlreadyReceived, Decision, Overtaken
from notifications.tables.webhook_rows import shown


def test_killed_after_the_transaction_before_the_message_is_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch, crash: Callable[..., Any]
) -> None:
    world.send(*cancelled_life()[:2])
    messages = world.queue.receive(wait_seconds=0)
    with monkeypatch.context() as killed:
        killed.setattr(world.queue, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            handle_batch(world.queue, messages, world.worker.handle)

    counts, row = world.counts(), published(world.row())
    for message in messages:  # SQS would wait for the visibility time-out
        world.sqs.change_message_visibility(
            QueueUrl=world.queue.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
        )
    again = world.queue.receive(wait_seconds=0)
    assert {message.receive_count for message in again} == {2}
    handle_batch(world.queue, again, world.worker.handle)
    assert (world.counts(), published(world.row())) == (counts, row)
    world.work_off()
    assert world.queue.receive(wait_seconds=0) == []


def test_killed_before_the_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch, crash: Callable[..., Any]
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(world.worker.store, "take", crash)
        with pytest.raises(KeyboardInterrupt):
            world.apply(*cancelled_life()[:1])
    assert set(world.counts().values()) == {0}
    world.apply(*cancelled_life())
    assert world.row().status == "ending"


def test_killed_after_the_transaction_before_anybody_is_told(world: World) -> None:
    world.apply(*cancelled_life()[:2])
    assert world.signals() == []
    # The next process finds the mark.
    world.tell()
    assert [signal["type"] for signal in world.signals()] == ["subscription.activated"]
    assert world.counts()["untold"] == 0


def test_a_poison_message_goes_to_the_dead_letters_whole_and_harms_no_other(world: World) -> None:
    poison = '{"detail-type": "License Updated - Manufacturer", "no": "id"}'
    world.send(
        cancelled_life()[0],
        poison,
        cancelled_life()[1],
        "not json",
        action("subscribe-success", after(), "m"),
    )
    world.work_off()
    assert world.row().status == "active"
    assert world.row(samples.LEGACY_ID).status == "active"
    letters = world.dead_letters()
    assert sorted(letter.body for letter in letters) == sorted([poison, "not json"])
    reasons = " ".join(letter.attributes["reason"]["StringValue"] for letter in letters)
    assert "not JSON" in reasons
    assert "EventBridgeEvent does not fit" in reasons
    assert world.counts()["InboxRow"] == 3


def test_a_table_that_is_away_leaves_the_message_on_the_queue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send(cancelled_life()[1])
    with monkeypatch.context() as away:
        away.setattr(LogRow.Meta, "table_name", "not-there")
        (message,) = world.queue.receive(wait_seconds=0)
        handle_batch(world.queue, [message], world.worker.handle)
    assert set(world.counts().values()) == {0}
    assert world.dead_letters() == []
    world.sqs.change_message_visibility(
        QueueUrl=world.queue.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
    )
    world.work_off()
    assert world.row().status == "active"


def together(*calls: Callable[[], None]) -> None:
    """Run calls at the same moment; the first error is raised."""
    start = Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        start.wait()
        call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(run, call) for call in calls]:
            done.result()


@pytest.mark.parametrize("round_", range(4))
def test_two_workers_apply_the_same_news(world: World, round_: int) -> None:
    first, second = world.another_worker(), world.another_worker()
    for body in cancelled_life():
        together(partial(world.apply, body, worker=first), partial(world.apply, body, worker=second))
    assert world.counts() == {"InboxRow": 4, "LogRow": 4, "SubscriptionRow": 1, "untold": 3}
    assert (world.row().status, world.row().version) == ("ending", 3)


@pytest.mark.parametrize("round_", range(4))
def test_four_workers_apply_different_news_of_one_subject(world: World, round_: int) -> None:
    """The end must count though no row was there when its worker looked."""
    workers = [world.another_worker() for _ in range(4)]
    lives = zip(workers, cancelled_life(), strict=True)
    together(*(partial(world.apply, body, worker=worker) for worker, body in lives))
    row = world.row()
    assert (row.status, row.access, row.end_reason) == ("ending", "denied", "CANCELLED")
    assert (row.active_since, row.ended_at) == (after(61), after(95))
    assert row.meter_until == after(hours=1, seconds=126)
    assert [entry.number for entry in world.log()] == [1, 2, 3, 4]


def test_a_worker_that_was_overtaken_decides_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end arrives between another worker's reading and its writing."""
    store = world.worker.store
    read, other = store.news_of, world.another_worker()
    overtaken = iter([lambda: world.apply(ended(after(95), "e3"), worker=other)])

    def read_then_be_overtaken(subject: str) -> Any:
        facts = read(subject)
        next(overtaken, lambda: None)()
        return facts

    monkeypatch.setattr(store, "news_of", read_then_be_overtaken)
    world.apply(license_updated(after(61), "e2"))
    assert world.row().status == "ending"
    assert world.row().version == 1


def test_overtaken_too_often_the_message_comes_back_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always(*_args: Any, **_kwargs: Any) -> None:
        raise Overtaken

    monkeypatch.setattr("notifications.worker.applying.time.sleep", lambda _seconds: None)
    monkeypatch.setattr(world.worker.store, "take", always)
    with pytest.raises(TimeoutError, match="8 times other workers were quicker about agmt-EXAMPLE"):
        world.apply(cancelled_life()[0])


def test_the_transaction_itself_refuses_a_doubled_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the look before it saw nothing yet."""
    world.apply(*cancelled_life()[:2])
    counts = world.counts()
    monkeypatch.setattr(world.worker.store, "has_received", lambda _id: False)
    world.apply(*cancelled_life()[:2])
    assert world.counts() == counts


def as_first(body: str) -> tuple[Entry, Decision]:
    """A message, as who saw an empty log decides on it."""
    entry, news = samples.entry_of(body), samples.news_of(body)
    joined = join(news, lambda _subject: ([], 0))
    entries = entries_of_news(news, entry.name, joined, {}, None, after(0), shown)
    return entry, Decision(Outcome.WAITING, entries=list(entries))


def test_refusals_have_names(world: World) -> None:
    store = world.worker.store
    entry, first = as_first(created(after(0), "e1"))
    store.take(entry, first, after(0))
    with pytest.raises(AlreadyReceived):
        store.take(entry, first, after(0))
    with pytest.raises(Overtaken):
        store.take(*as_first(deprovisioned(after(9), "e2")), after(0))


def test_the_same_message_of_sqs_twice_by_raw_delivery(world: World) -> None:
    message = Message(id="sqs-7", body=samples.SUBSCRIBE_SUCCESS, receipt="r", sent_at=samples.T0)
    world.worker.handle(message)
    world.worker.handle(message)
    assert world.counts()["InboxRow"] == 1
    assert world.row(samples.LEGACY_ID).version == 1
