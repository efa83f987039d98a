"""The money path, step by step: every call by which metering writes or tells something on the way from an
accepted event to AWS's answer.

`docs/money-path.md` goes through the same steps. `test_money_path.py` kills at each of them, loses the answer
of each of them, and proves that there are no others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.faults import money_stories as stories
from tests.faults.money_stories import Story

WEB, WORKER = "metering-web", "metering-worker"

LOG = "marketplane-usage-log"
HOURS = "marketplane-usage-hours"
LEDGER = "marketplane-metering-ledger"
ALLOWANCES = "marketplane-metering-allowances"
RECORDS = "marketplane-metering-records"
HELD_DECISIONS = "marketplane-metering-held-decisions"
CALL_RATES = "marketplane-metering-call-rates"
EVENTS = "marketplane-usage-events"
SIGNALS = "marketplane-metering-subscription-events"
HEALTH = "marketplane-metering-health"

UPDATE, TRANSACT, TELL_AWS = "UpdateItem", "TransactWriteItems", "BatchMeterUsage"


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes:
        process: who makes it.
        names: of the tables or the queue that it writes; none where it goes to AWS.
        writes: what tells it from others of the same operation and tables: a regular expression, found in an
            update of it.
        story: leads there.
    """

    number: int
    name: str
    process: str
    operation: str
    names: tuple[str, ...]
    writes: str
    story: Story

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    @property
    def fault(self) -> dict[str, Any]:
        """Where the fault proxy meets it."""
        resource = self.names[0] if self.names else ""
        return {
            "operation": self.operation,
            "resource": resource,
            "writes": self.writes,
            "caller": self.process,
        }


STEPS = [
    # Usage comes in
    Step(1, "an hour is announced", WEB, UPDATE, (HOURS,), "ADD announcements", stories.usual),
    Step(2, "an hour's shards are noted", WEB, UPDATE, (HOURS,), "^SET writers_shards", stories.usual),
    Step(3, "the events become durable", WEB, "BatchWriteItem", (LOG,), "", stories.usual),
    Step(4, "a past hour is announced once more", WEB, UPDATE, (HOURS,), "ADD announcements", stories.late),
    # Usage comes in by the queue
    Step(5, "a message's events become durable", WORKER, "BatchWriteItem", (LOG,), "", stories.by_queue),
    Step(
        6,
        "refused events go to the dead letters",
        WORKER,
        "SendMessage",
        (f"{EVENTS}-dlq",),
        "",
        stories.by_queue,
    ),
    Step(7, "a message is deleted", WORKER, "DeleteMessageBatch", (EVENTS,), "", stories.by_queue),
    # Fold
    Step(8, "a fold takes its number", WORKER, UPDATE, (HOURS,), "^SET folds", stories.usual),
    Step(9, "a fold is booked", WORKER, UPDATE, (LEDGER,), "^SET metered", stories.usual),
    Step(10, "an hour is marked as folded", WORKER, UPDATE, (HOURS,), "^SET folded", stories.usual),
    # Plan
    Step(
        11,
        "a customer's usage is given to a subscription",
        WORKER,
        TRANSACT,
        (LEDGER,),
        "SET moved",
        stories.of_a_customer,
    ),
    Step(
        12,
        "usage is given to the buyer's other identity",
        WORKER,
        TRANSACT,
        (LEDGER,),
        "SET moved",
        stories.after_a_cut_over,
    ),
    Step(13, "usage is corrected", WORKER, TRANSACT, (LEDGER,), "corrected =", stories.corrected),
    Step(14, "the contract pays", WORKER, TRANSACT, (ALLOWANCES, LEDGER), "", stories.of_a_contract),
    Step(15, "a row leaves the index", WORKER, UPDATE, (LEDGER,), "^REMOVE unbilled$", stories.late),
    Step(16, "a record is frozen", WORKER, TRANSACT, (RECORDS, LEDGER), "^SET allocated", stories.usual),
    Step(17, "a zero record is frozen", WORKER, TRANSACT, (RECORDS,), "", stories.idle),
    Step(18, "usage is written off", WORKER, UPDATE, (LEDGER,), "^SET written_off", stories.after_the_end),
    # Send
    Step(19, "an attempt is noted", WORKER, UPDATE, (RECORDS,), "^SET attempts", stories.usual),
    Step(20, "a call of the shared rate is taken", WORKER, UPDATE, (CALL_RATES,), "", stories.usual),
    Step(21, "AWS is told", WORKER, TELL_AWS, (), "", stories.usual),
    Step(22, "the doubt is cleared", WORKER, UPDATE, (RECORDS,), "^SET in_doubt", stories.throttled),
    Step(23, "the outcome is written", WORKER, UPDATE, (RECORDS,), "^SET outcome", stories.usual),
    Step(
        24,
        "an expired record gives its quantity back",
        WORKER,
        TRANSACT,
        (RECORDS, LEDGER),
        "^SET outcome",
        stories.never_sent,
    ),
    # A person decides
    Step(25, "a record is billed again", WEB, TRANSACT, (RECORDS, LEDGER), "^SET decision", stories.decided),
    Step(26, "a record is written off", WEB, UPDATE, (RECORDS,), "^SET decision", stories.decided),
    Step(
        27,
        "held usage is given to a subscription",
        WEB,
        TRANSACT,
        (HELD_DECISIONS, LEDGER),
        "SET moved",
        stories.held,
    ),
    Step(
        28,
        "held usage is written off",
        WEB,
        TRANSACT,
        (HELD_DECISIONS, LEDGER),
        "^SET written_off",
        stories.held,
    ),
    # The hour ends
    Step(29, "an hour is retired", WORKER, UPDATE, (HOURS,), "^REMOVE open$", stories.never_sent),
]

NOT_OF_THE_PATH = {
    ("DeleteMessageBatch", SIGNALS): "a signal says when to look; the cycle looks all the same",
    ("ChangeMessageVisibility", EVENTS): "a failed message comes back anyhow, at another time",
    ("BatchWriteItem", HEALTH): "when a step last ended well is for whoever asks; nothing is billed by it",
    ("PutItem", HEALTH): "the same, of the audit",
}

READING = {"GetItem", "BatchGetItem", "Query", "Scan", "GetQueueUrl", "GetQueueAttributes", "DescribeTable"}
READING |= {"ReceiveMessage"}  # A message that was received and not deleted comes back.


def is_taken_by(step: Step, call: dict[str, Any]) -> bool:
    """Whether a call that the fault proxy saw is this step's. Usage takes the same steps through either
    door."""
    return (
        call["operation"] == step.operation
        and set(call["names"]) == set(step.names)
        and (not step.writes or any(re.search(step.writes, text) for text in call["writes"]))
    )
