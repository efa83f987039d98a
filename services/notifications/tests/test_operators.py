"""What operators can do: search, take a kept message once more, look at dead letters and send them again."""

import json
from typing import Any

import pytest
import samples
from conftest import World
from samples import action, advisory, after, cancelled_life, created, license_updated

from notifications.catalogue import Catalogue, PricingModel, Product
from notifications.news import Generation
from notifications.queues import DeadLetters
from notifications.tables.models import InboxRow, LogRow


class Operator:
    def __init__(self, world: World) -> None:
        self._client = world.client
        self._headers = world.key("operator")

    def get(self, path: str, expect: int = 200, **params: Any) -> Any:
        answer = self._client.get(path, params=params, headers=self._headers)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, expect: int = 200) -> Any:
        sent = {} if body is None else {"json": body}
        answer = self._client.post(path, headers=self._headers, **sent)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def replay(self, notification_id: str, expect: int = 200) -> Any:
        return self.post(f"/v1/notifications/{notification_id}/replay", expect=expect)

    def letters(self, **params: Any) -> list[Any]:
        return list(self.get("/v1/dead-letters", **params)["dead_letters"])

    def redrive(self, **body: Any) -> Any:
        return self.post("/v1/dead-letters/redrive", body)

    def found(self, **params: Any) -> list[str]:
        ids, cursor = [], {}
        while True:
            page = self.get("/v1/notifications", limit=2, **params, **cursor)
            ids += [one["notification_id"] for one in page["items"]]
            if page["next_cursor"] is None:
                return ids
            cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
def operator(world: World) -> Operator:
    return Operator(world)


# -- search --------------------------------------------------------------------------------------------------


def test_notifications_by_each_filter(world: World, operator: Operator) -> None:
    for body in [*cancelled_life(), action("subscribe-success", after(0), "m1")]:
        world.apply(body)
        world.clock.advance(days=1)
    assert operator.found() == ["m1", "e4", "e3", "e2", "e1"]
    assert operator.found(name="License Updated - Manufacturer") == ["e2"]
    assert operator.found(name="License Updated") == []
    assert operator.found(subject="agmt-EXAMPLE") == ["e4", "e3", "e2", "e1"]
    assert operator.found(subject=f"{samples.LEGACY_CODE}/{samples.LEGACY_CUSTOMER}") == ["m1"]
    assert operator.found(subject="agmt-EXAMPLE", outcome="waiting") == ["e1"]
    second, fourth = samples.stamp(after(days=1)), samples.stamp(after(days=3))
    for more in ({}, {"subject": "agmt-EXAMPLE"}, {"subscription_id": samples.CONCURRENT_ID}):
        assert operator.found(received_after=second, received_before=fourth, **more) == ["e3", "e2"]
        assert operator.found(received_before=second, **more) == ["e1"]
        assert operator.found(received_after=fourth, received_before=second, **more) == []
    assert operator.found(received_after=fourth) == ["m1", "e4"]
    assert operator.found(subject="agmt-EXAMPLE", name="License Updated - Manufacturer") == ["e2"]
    cursor = operator.get("/v1/notifications", limit=1, subject="agmt-EXAMPLE")["next_cursor"]
    operator.get("/v1/notifications", 400, cursor=cursor, subject="agmt-EXAMPLE", received_before=second)
    problem = operator.get("/v1/notifications", 400, received_after="yesterday")
    assert problem["errors"][0]["path"] == "received_after"


# -- replay --------------------------------------------------------------------------------------------------


def test_a_message_that_counts_already_changes_nothing(world: World, operator: Operator) -> None:
    world.apply(*cancelled_life()[:2])
    counts, row = world.counts(), world.row().attribute_values
    for notification_id, outcome in (("e1", "waiting"), ("e2", "applied")):
        assert operator.replay(notification_id)["outcome"] == outcome
    assert (world.counts(), world.row().attribute_values) == (counts, row)
    operator.replay("e9", 404)


def mend(world: World, monkeypatch: pytest.MonkeyPatch, *products: Product) -> None:
    """As a new release with this catalogue would."""
    worker = world.client.app.app.extensions["marketplane"].parts.operations.worker
    monkeypatch.setattr(worker, "catalogue", Catalogue(list(products)))


def test_news_of_a_product_that_is_in_the_catalogue_now(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = license_updated(after(61), "e2", product={"code": "late-product"})
    world.apply(created(after(0), "e1"), body)
    assert operator.replay("e2")["outcome"] == "unknown_product"
    received = world.inbox("e2").received_at
    world.clock.advance(days=2)

    product = Product("late-product", Generation.CONCURRENT_AGREEMENTS, PricingModel.SUBSCRIPTION)
    mend(world, monkeypatch, product)
    shown = operator.replay("e2")
    assert (shown["outcome"], shown["subscription_id"]) == ("applied", samples.CONCURRENT_ID)
    assert world.row().status == "active"
    kept = world.inbox("e2")
    assert (kept.received_at, kept.whole_body) == (received, body)
    assert [one.recorded_at for one in world.history()] == [after(days=2)]
    operator.replay("e2")
    assert world.row().version == 1
    assert len(world.log()) == 2


def test_what_is_still_no_news_may_be_another_kind_of_none(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply(license_updated(after(61), "e2", product={"code": "late-product"}))
    mend(world, monkeypatch, Product("late-product", Generation.LEGACY, PricingModel.CONTRACT))
    assert operator.replay("e2")["outcome"] == "other_generation"


def test_a_kind_that_an_older_release_did_not_know(world: World, operator: Operator) -> None:
    world.apply(*cancelled_life()[:2], advisory(after(90), "n1"))
    # As the older release would have left it.
    world.inbox("n1").update([InboxRow.outcome.set("ignored"), InboxRow.body.set(advisory(after(90), "n1"))])
    world.inbox("n1").update([InboxRow.packed_body.remove()])
    LogRow("agmt-EXAMPLE", world.log()[-1].number).delete()
    assert operator.replay("n1")["outcome"] == "no_change"
    assert [one.cause.notification_id for one in world.history()] == ["e2", "n1"]


def test_a_message_that_can_no_longer_be_read(world: World, operator: Operator) -> None:
    world.apply(license_updated(after(61), "e2", product={"code": "late-product"}))
    world.inbox("e2").update([InboxRow.packed_body.remove(), InboxRow.body.set("{")])
    assert operator.replay("e2", 409)["type"].endswith("/unreadable-message")


def test_a_replay_that_was_overtaken_decides_anew(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply(license_updated(after(61), "e2", product={"code": "late-product"}))
    product = Product("late-product", Generation.CONCURRENT_AGREEMENTS, PricingModel.SUBSCRIPTION)
    mend(world, monkeypatch, product)
    worker = world.client.app.app.extensions["marketplane"].parts.operations.worker
    read, overtaken = worker.store.news_of, iter([lambda: world.apply(created(after(0), "e1"))])

    def read_then_be_overtaken(subject: str) -> Any:
        facts = read(subject)
        next(overtaken, lambda: None)()
        return facts

    monkeypatch.setattr(worker.store, "news_of", read_then_be_overtaken)
    assert operator.replay("e2")["outcome"] == "applied"
    assert len(world.log()) == 2


# -- dead letters --------------------------------------------------------------------------------------------


def bury(world: World, *bodies: str) -> None:
    world.send(*bodies)
    world.work_off()


def test_looking_removes_nothing(world: World, operator: Operator) -> None:
    assert operator.get("/v1/dead-letters") == {"dead_letters": [], "about": 0}
    bury(world, *(f"poison {number}" for number in range(12)))
    for _ in range(2):
        answer = operator.get("/v1/dead-letters")
        assert sorted(one["body"] for one in answer["dead_letters"]) == sorted(
            f"poison {number}" for number in range(12)
        )
        assert answer["about"] == 12
    letter = operator.letters(limit=1)[0]
    assert letter["reason"] == "The message is not JSON."
    assert (letter["door"], letter["encoding"]) == ("queue", "text")
    assert letter["sent_at"] is not None


def test_all_letters_are_sent_once_more(world: World, operator: Operator) -> None:
    bury(world, "poison", "more poison")
    assert operator.redrive() == {"redriven": 2, "not_found": []}
    assert operator.letters() == []
    assert {message.body for message in world.queue.receive(wait_seconds=0)} == {"poison", "more poison"}


def test_a_letter_that_still_cannot_be_read_comes_back(world: World, operator: Operator) -> None:
    bury(world, "poison")
    operator.redrive()
    world.work_off()
    (letter,) = operator.letters()
    assert (letter["body"], letter["reason"]) == ("poison", "The message is not JSON.")


def test_what_comes_back_at_once_is_not_sent_again_by_the_same_wish(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker buries it while we are still at it: it must not go back and forth."""
    world.send("not json", "nor this")
    world.work_off()
    send_again = DeadLetters._send_again

    def sent_and_buried(letters: DeadLetters, *arguments: Any) -> None:
        send_again(letters, *arguments)
        world.work_off()

    monkeypatch.setattr(DeadLetters, "_send_again", sent_and_buried)
    assert operator.redrive() == {"redriven": 2, "not_found": []}
    assert sorted(letter["body"] for letter in operator.letters()) == ["nor this", "not json"]
    # Another wish sends it again.
    assert operator.redrive() == {"redriven": 2, "not_found": []}


def test_some_letters(world: World, operator: Operator) -> None:
    bury(world, "one", "two", "three")
    ids = {letter["body"]: letter["dead_letter_id"] for letter in operator.letters()}
    answer = operator.redrive(dead_letter_ids=[ids["two"], "no-such-letter"])
    assert answer == {"redriven": 1, "not_found": ["no-such-letter"]}
    assert {letter["body"] for letter in operator.letters()} == {"one", "three"}
    assert [message.body for message in world.queue.receive(wait_seconds=0)] == ["two"]


def test_a_mended_letter(world: World, operator: Operator) -> None:
    broken = json.loads(cancelled_life()[1])
    del broken["detail"]["license"]
    bury(world, json.dumps(broken))
    (letter,) = operator.letters()
    mended = [{"dead_letter_id": letter["dead_letter_id"], "body": cancelled_life()[1]}]
    assert operator.redrive(mended=mended)["redriven"] == 1
    world.work_off()
    assert world.row().status == "active"
    assert operator.letters() == []


def test_raw_news_keeps_its_id_through_the_dead_letters(world: World, operator: Operator) -> None:
    """It has none but SQS's, by which a second copy is known."""
    bury(world, '{"action": "subscribe-success"}')
    (buried,) = world.dead_letters()
    original = buried.attributes["original_message_id"]["StringValue"]
    letters = world.queue.dead_letters()
    world.sqs.change_message_visibility(
        QueueUrl=letters.url, ReceiptHandle=buried.receipt, VisibilityTimeout=0
    )
    (letter,) = operator.letters()
    body = samples.SUBSCRIBE_SUCCESS
    operator.redrive(mended=[{"dead_letter_id": letter["dead_letter_id"], "body": body}])
    world.work_off()
    assert world.inbox(original).outcome == "applied"


def test_a_letter_of_the_https_door_is_still_known_as_such(world: World, operator: Operator) -> None:
    headers = {"X-EventBridge-Secret": samples.EVENTBRIDGE_SECRETS[0], "Content-Type": "application/json"}
    assert world.client.post("/v1/eventbridge", content=b"\xff", headers=headers).status_code == 400
    (letter,) = operator.letters()
    assert (letter["door"], letter["encoding"], letter["body"]) == ("https", "base64", "/w==")
    mended = [{"dead_letter_id": letter["dead_letter_id"], "body": cancelled_life()[1]}]
    operator.redrive(mended=mended)
    world.work_off()
    assert world.inbox("e2").door == "https"


def test_killed_before_a_letter_is_removed_it_is_sent_twice_and_counts_once(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch, crash: Any
) -> None:
    letters = world.queue.dead_letters()
    world.sqs.send_message(QueueUrl=letters.url, MessageBody=cancelled_life()[1])
    from chassis.queues import Queue

    with monkeypatch.context() as killed:
        killed.setattr(Queue, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            DeadLetters(world.sqs, world.queue).redrive(None)
    world.work_off()
    assert world.row().version == 1
    # SQS shows the letter again after a while; here at once.
    world.sqs.purge_queue(QueueUrl=letters.url)
    world.sqs.send_message(QueueUrl=letters.url, MessageBody=cancelled_life()[1])
    assert operator.redrive()["redriven"] == 1
    world.work_off()
    assert (world.row().version, world.counts()["LogRow"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"dead_letter_ids": []}, "/dead_letter_ids"),
        ({"mended": [{"dead_letter_id": "x"}]}, "/mended/0"),
        ({"everything": True}, "/"),
    ],
)
def test_a_wish_that_is_none(world: World, operator: Operator, body: Any, path: str) -> None:
    problem = operator.post("/v1/dead-letters/redrive", body, 400)
    assert problem["errors"][0]["path"] == path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/notifications/e1/replay"),
        ("GET", "/v1/dead-letters"),
        ("POST", "/v1/dead-letters/redrive"),
        ("POST", "/v1/reconciliations"),
        ("GET", "/v1/reconciliations/rec_2fzk5j3w7v6c4b2a5d7e3f6g4h"),
        ("GET", "/v1/reconciliations/rec_2fzk5j3w7v6c4b2a5d7e3f6g4h/differences"),
    ],
)
def test_only_operators_may(world: World, method: str, path: str) -> None:
    more = {"json": {}} if path.endswith("redrive") else {}
    assert world.client.request(method, path, **more).status_code == 401
    others = world.key("usage:read", "usage:write", "buyer")
    assert world.client.request(method, path, headers=others, **more).status_code == 403
