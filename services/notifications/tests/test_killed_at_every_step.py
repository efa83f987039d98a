"""Killed at any step, whoever does the work: who comes after finishes it. Nothing is lost, and nothing counts
twice.

Each story is played once undisturbed, and the calls are noted by which it leaves a trace: in a table, on a
queue, at a receiver, at AWS. Then it is played anew for each of them, killed right before the first and right
after each. (Between two such calls nothing outlasts the process, so no other moment could make a difference.)
In the end the books, as operators, siblings and receivers see them, must be the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import samples
from botocore.client import BaseClient
from conftest import OTHER_SIGNALS, SIGNALS, World
from played_aws import PlayedAws, entitlement
from played_sns import as_body
from receiver import Receiver, receiving
from samples import action, after, cancelled_life, contract_updated, created, license_updated
from test_reconciling import Reconciling, listed, tells
from test_webhooks import House

from chassis.quick_calls import QuickCalls
from notifications import queues
from notifications.catalogue import Catalogue, PricingModel, Product
from notifications.news import Generation
from notifications.queues import DeadLetters
from notifications.webhook_call import WebhookCall

READS = {
    "BatchGetItem",
    "DescribeTable",
    "GetItem",
    "GetQueueAttributes",
    "GetQueueUrl",
    "Query",
    "Scan",
    "TransactGetItems",
}
CALL = "POST to a receiver"
# When a step is taken, not what it does: a step that is taken again is taken later.
TIMES = {
    "at",
    "changed_at",
    "concluded_at",
    "created_at",
    "done_until",
    "duration_ms",
    "entitlements_as_of",
    "finished_at",
    "found_at",
    "next_attempt_at",
    "received_at",
    "recorded_at",
    "sent_at",
    "timestamp",
}
# Made by chance for each.
IDS = {"dead_letter_id", "delivery_id", "endpoint_id", "replay_id"}
# A try of which the process did not live to tell.
LOGS = {"attempts", "tries"}


class Killed(BaseException):
    """Nothing that the process would have done after this happens."""


class Process:
    """Counts the calls that leave a trace, and dies after one of them.

    Attributes:
        runs: whether what is called now, is called by it.
        dies_after: so many calls; None: never.
        calls: those that it made.
    """

    def __init__(self) -> None:
        self.runs = False
        self.dies_after: int | None = None
        self.calls: list[str] = []
        self._held: list[tuple[Any, dict[str, Any]]] = []

    def step(self, name: str, call: Callable[[], Any]) -> Any:
        if not self.runs:
            return call()
        if self._is_dead:  # also what its `finally` would still do
            raise Killed
        answer = call()
        if name not in READS:
            self.calls.append(name)
        if self._is_dead:
            raise Killed
        return answer

    def aws_call(self, client: Any, operation: str, request: dict[str, Any], call: Callable[[], Any]) -> Any:
        def do() -> Any:
            answer = call()
            if operation == "ReceiveMessage" and self.runs:
                url = request["QueueUrl"]
                receipts = [message["ReceiptHandle"] for message in answer.get("Messages", [])]
                self._held += [(client, {"QueueUrl": url, "ReceiptHandle": one}) for one in receipts]
            return answer

        return self.step(operation, do)

    def live(self, act: Callable[[], object], dies_after: int | None) -> None:
        """Let it do its work, and die or not."""
        self.calls, self._held, self.dies_after = [], [], dies_after
        self.runs = True
        try:
            act()
        except Killed:
            pass
        except Exception:
            # Who waits for the answer of a process that is dead gets none, in one way or another.
            if not self._is_dead:
                raise
        finally:
            self.runs = False
        for client, message in self._held:
            # SQS would wait for the visibility time-out. What was deleted stays so.
            try:
                client.change_message_visibility(**message, VisibilityTimeout=0)
            except client.exceptions.ClientError:
                continue

    @property
    def _is_dead(self) -> bool:
        return self.dies_after is not None and len(self.calls) >= self.dies_after


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    """Every call that leaves the process goes by it."""
    one = Process()

    def observe(owner: type, method: str, name: str) -> None:
        original = getattr(owner, method)

        def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
            return one.step(name, lambda: original(self, *args, **kwargs))

        monkeypatch.setattr(owner, method, observed)

    aws = BaseClient._make_api_call

    def call_aws(self: Any, operation: str, request: dict[str, Any]) -> Any:
        return one.aws_call(self, operation, request, lambda: aws(self, operation, request))

    monkeypatch.setattr(BaseClient, "_make_api_call", call_aws)
    ask = QuickCalls.ask

    def ask_quickly(self: Any, operation: str, request: dict[str, Any]) -> Any:
        return one.step(operation, lambda: ask(self, operation, request))

    monkeypatch.setattr(QuickCalls, "ask", ask_quickly)
    observe(PlayedAws, "get_entitlements", "GetEntitlements")
    observe(PlayedAws, "describe_agreement", "DescribeAgreement")
    observe(PlayedAws, "search_agreements", "SearchAgreements")
    observe(WebhookCall, "post", CALL)
    monkeypatch.setattr(queues, "WAIT_SECONDS", 0)
    return one


@dataclass
class Stage:
    """Where a story is played."""

    world: World
    house: House
    receiver: Receiver
    reconciling: Reconciling
    notes: dict[str, Any] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        answer = self.world.client.get(path, headers=self.world.key("operator"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: bytes, **headers: str) -> None:
        answer = self.world.client.post(path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text

    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.world.sqs, self.world.queue)

    def settle(self) -> None:
        """What the processes that come after do, until nothing is left to do."""
        world, house = self.world, self.house
        world.clock.advance(seconds=61)  # what a killed sender had in hand is due again
        world.work_off()
        world.another_asker().ask_what_is_due()
        reconciler = world.another_reconciler()
        while reconciler.go_on():
            pass
        world.work_off()
        world.worker.sweep(world.clock.now())
        world.another_asker().ask_what_is_due()
        world.tell()
        while house.store.running_replays():
            house.fan_out.replay()
        house.send()

    def books(self) -> dict[str, Any]:
        """All that operators, siblings and receivers can know."""
        subscriptions = self.get("/v1/subscriptions?limit=100")["items"]
        told = Counter(one.webhook_id for one in self.receiver.received)
        replayed = 2 if self.notes.get("replayed") else 1
        assert max(told.values(), default=0) <= 1 + replayed, told
        found: dict[str, Any] = {
            "subscriptions": subscriptions,
            "histories": {
                one["subscription_id"]: self.get(f"/v1/subscriptions/{one['subscription_id']}/history")[
                    "items"
                ]
                for one in subscriptions
            },
            # Several may be of one moment.
            "notifications": sorted(
                self.get("/v1/notifications?limit=100")["items"], key=lambda one: one["notification_id"]
            ),
            "deliveries": sorted(
                self.get("/v1/webhook-deliveries?limit=100")["items"],
                key=lambda one: (one["webhook_id"], one["replay_id"] or "", self._place(one["endpoint_id"])),
            ),
            # A letter may lie there twice, never nowhere.
            "dead letters": {one["body"]: one for one in self.get("/v1/dead-letters")["dead_letters"]},
            "signals": {queue: self._signals(queue) for queue in (SIGNALS, OTHER_SIGNALS)},
            "webhooks": {one.webhook_id: one.told for one in self.receiver.received},
        }
        for story in self.notes.get("reconciliations", []):
            found |= {"differences": self.reconciling.differences(story)}
            assert self.reconciling.get(story)["state"] == "finished"
        return dict(_timeless(found))

    def endpoint(self) -> None:
        endpoint, _ = self.house.endpoint(self.receiver.url)
        self.notes.setdefault("endpoints", []).append(endpoint)

    def _place(self, endpoint_id: str) -> int:
        return [one.endpoint_id for one in self.notes["endpoints"]].index(endpoint_id)

    def _signals(self, queue: str) -> list[Any]:
        """By version, each once: a copy must be the same signal."""
        heard: dict[Any, Any] = {}
        for signal in self.world.signals(queue):
            key = (signal["subscription_id"], signal["version"])
            assert heard.setdefault(key, signal) == signal
        return sorted([*key, signal["type"]] for key, signal in heard.items())


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES | IDS | LOGS}
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    return value


@dataclass(frozen=True)
class Story:
    """One kind of work.

    Attributes:
        prepare: what was there before.
        act: what is killed.
        traces: calls that it must make, so that the story does not miss what it is about.
        again: what the outside does once more when it has had no answer: AWS, or an operator.
    """

    prepare: Callable[[Stage], object]
    act: Callable[[Stage], object]
    traces: set[str]
    again: Callable[[Stage], object] = lambda _: None


POISON = '{"detail-type": "License Updated - Manufacturer", "no": "id"}'
MORE_POISON = samples.envelope("not json", after(0), "m1")
LATE = Product("late-product", Generation.CONCURRENT_AGREEMENTS, PricingModel.SUBSCRIPTION)


# One message that counts in each: their order is the queue's, and histories tell it.
def a_message(stage: Stage) -> None:
    stage.world.apply(created(after(0), "e1"))
    stage.world.send(license_updated(after(61), "e2"))


def an_advisory(stage: Stage) -> None:
    stage.endpoint()
    stage.world.apply(*cancelled_life()[:2])
    stage.world.send(samples.advisory(after(70), "e5"))


def a_renewal(stage: Stage) -> None:
    life = samples.renewed_life()
    stage.world.apply(*life[:3])
    stage.world.send(life[3])


def among_poison(stage: Stage) -> None:
    stage.world.apply(created(after(0), "e1"))
    stage.world.send(POISON, license_updated(after(61), "e2"), MORE_POISON)


def a_receipt(stage: Stage) -> None:
    """Of one subject twice and of others once, a copy of the same news, one that came before, and poison."""
    stage.endpoint()
    life, renewal = cancelled_life(), samples.renewed_life()
    stage.world.apply(life[0], *renewal[:3])
    stage.world.send(
        life[0],
        renewal[3],
        POISON,
        life[1],
        life[2],
        action("subscribe-success", after(0), "m1"),
        life[1],
        samples.event("Something New - Manufacturer", after(0), "unknown"),
    )


def a_last_hour(stage: Stage) -> None:
    stage.world.apply(*cancelled_life())
    stage.world.clock.advance(hours=2)


def a_contract(stage: Stage) -> None:
    stage.world.aws.sells(entitlement("seats", 20, after(days=365)))
    tells(stage.world, ends_at=after(days=365))
    stage.world.apply(created(after(0), "e1"), contract_updated(after(61), "e2"))
    stage.world.clock.advance(seconds=5)


def two_receivers(stage: Stage) -> None:
    stage.endpoint()
    stage.endpoint()
    stage.notes["replayed"] = True  # to two endpoints, which are one receiver
    stage.world.apply(*cancelled_life()[:2])


def a_delivery(stage: Stage) -> None:
    stage.endpoint()
    stage.world.apply(*cancelled_life()[:2])
    stage.world.tell()


def a_refused_delivery(stage: Stage) -> None:
    stage.receiver.answers(500, b"not now")
    a_delivery(stage)


def a_replay(stage: Stage) -> None:
    stage.notes["replayed"] = True
    a_delivery(stage)
    stage.house.send()
    (endpoint,) = stage.notes["endpoints"]
    stage.house.replay(endpoint, after(-60), after(hours=1))


def lost_purchase(stage: Stage) -> None:
    stage.world.aws.listed = [[listed()]]
    stage.notes["reconciliations"] = [stage.reconciling.start()]


def lost_end(stage: Stage) -> None:
    stage.world.apply(*cancelled_life()[:2])
    stage.world.clock.advance(seconds=100)
    tells(stage.world, "CANCELLED", after(95))
    stage.world.asker.ask_what_is_due()
    stage.notes["reconciliations"] = [stage.reconciling.start()]


def other_entitlements(stage: Stage) -> None:
    a_contract(stage)
    stage.world.asker.ask_what_is_due()
    stage.world.aws.sells(entitlement("seats", 30, after(days=365)))
    stage.notes["reconciliations"] = [stage.reconciling.start()]


def reconcile(stage: Stage) -> None:
    reconciler = stage.world.another_reconciler()
    while reconciler.go_on():
        pass


def dead_letters(stage: Stage) -> None:
    stage.world.apply(created(after(0), "e1"))
    stage.world.send(POISON, MORE_POISON)
    stage.world.work_off()
    mended = {
        POISON: license_updated(after(61), "e2"),
        MORE_POISON: action("subscribe-success", after(0), "m1"),
    }
    letters = stage.get("/v1/dead-letters")["dead_letters"]
    stage.notes["wanted"] = {letter["dead_letter_id"]: mended[letter["body"]] for letter in letters}


def redrive(stage: Stage) -> None:
    stage.dead_letters().redrive(stage.notes["wanted"])


def sns_posts(stage: Stage) -> None:
    post = stage.notes.setdefault("post", stage.world.sns.post())
    stage.post("/v1/sns", as_body(post), **{"Content-Type": "text/plain; charset=UTF-8"})


def eventbridge_posts(stage: Stage) -> None:
    headers = {"Content-Type": "application/json", "X-EventBridge-Secret": samples.EVENTBRIDGE_SECRETS[0]}
    stage.post("/v1/eventbridge", license_updated(after(61), "e2").encode(), **headers)


def unknown_product(stage: Stage) -> None:
    body = license_updated(after(61), "e2", product={"code": LATE.product_code})
    stage.world.apply(created(after(0), "e1"), body)
    stage.world.worker.catalogue = Catalogue([LATE])


def replay_kept(stage: Stage) -> None:
    stage.world.worker.replay("e2")


WORK_OFF = {"ReceiveMessage", "TransactWriteItems", "DeleteMessageBatch"}
STORIES = {
    "the worker: a message": Story(a_message, lambda stage: stage.world.work_off(), WORK_OFF),
    "the worker: a notice": Story(an_advisory, lambda stage: stage.world.work_off(), WORK_OFF),
    "the worker: a renewal": Story(a_renewal, lambda stage: stage.world.work_off(), WORK_OFF),
    "the worker: poison among good ones": Story(
        among_poison,
        lambda stage: stage.world.work_off(),
        WORK_OFF | {"SendMessage"},
    ),
    "the worker: a receipt of several": Story(
        a_receipt, lambda stage: stage.world.work_off(), WORK_OFF | {"PutItem", "SendMessage"}
    ),
    "the sweep": Story(
        a_last_hour,
        lambda stage: stage.world.worker.sweep(stage.world.clock.now()),
        {"TransactWriteItems"},
    ),
    "the teller": Story(
        two_receivers, lambda stage: stage.world.tell(), {"SendMessageBatch", "PutItem", "UpdateItem"}
    ),
    "a question to AWS": Story(
        a_contract,
        lambda stage: stage.world.another_asker().ask_what_is_due(),
        {"GetEntitlements", "DescribeAgreement", "TransactWriteItems"},
    ),
    "the sender": Story(a_delivery, lambda stage: stage.house.send(), {CALL}),
    "the sender, to one who cannot": Story(
        a_refused_delivery,
        lambda stage: stage.house.send(),
        {CALL},
        lambda stage: stage.receiver.answers(204),
    ),
    "a page of a replay": Story(a_replay, lambda stage: stage.house.fan_out.replay(), set()),
    "the reconciler: a lost purchase": Story(
        lost_purchase, reconcile, {"SearchAgreements", "TransactWriteItems"}
    ),
    "the reconciler: a lost end": Story(lost_end, reconcile, {"DescribeAgreement", "TransactWriteItems"}),
    "the reconciler: other entitlements": Story(
        other_entitlements, reconcile, {"GetEntitlements", "PutItem"}
    ),
    "dead letters sent again": Story(
        dead_letters, redrive, {"ReceiveMessage", "SendMessage", "DeleteMessageBatch"}, redrive
    ),
    "a kept message taken again": Story(unknown_product, replay_kept, {"TransactWriteItems"}, replay_kept),
    "SNS at the door": Story(lambda _: None, sns_posts, {"SendMessage"}, sns_posts),
    "EventBridge at the door": Story(
        lambda stage: stage.world.apply(created(after(0), "e1")),
        eventbridge_posts,
        {"SendMessage"},
        eventbridge_posts,
    ),
}


@pytest.fixture
def stage(whole_world: World) -> Iterator[Callable[[], Stage]]:
    """A new stage each time it is called."""
    with receiving() as receiver:

        def new() -> Stage:
            whole_world.begin()
            receiver.received.clear()
            receiver.answers(204)
            return Stage(whole_world, House(whole_world), receiver, Reconciling(whole_world))

        yield new


@pytest.mark.parametrize("name", STORIES)
def test_killed_at_every_step(stage: Callable[[], Stage], process: Process, name: str) -> None:
    story = STORIES[name]

    def play(dies_after: int | None) -> dict[str, Any]:
        here = stage()
        story.prepare(here)
        process.live(lambda: story.act(here), dies_after)
        story.again(here)
        here.settle()
        return here.books()

    expected = play(None)
    calls = process.calls
    assert story.traces <= set(calls)
    for number in range(len(calls) + 1):
        where = f"killed after {calls[:number]}"
        books = play(number)
        assert process.calls == calls[:number], where
        assert books == expected, where
