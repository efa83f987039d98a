"""What a message costs in DynamoDB's write units, counted from the requests that are sent for the same news.

python write_units_of_news.py MESSAGES    prints JSON; the environment names the engine, and an account of its
                                          own there
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
from news import NAMES, lives

from chassis.aws import client
from chassis.clock import SystemClock
from chassis.queues import BATCH, Message
from notifications.app import build_marketplace, build_worker, create_local
from notifications.settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[2] / "services" / "notifications" / "tests"))

from write_units import WriteUnits


def main() -> None:
    settings = Settings(signal_queues="")
    sqs = client(settings, "sqs")
    create_local(settings, sqs)
    built = build_worker(settings, SystemClock(), sqs, build_marketplace(settings))
    bodies = list(lives(int(sys.argv[1]) // len(NAMES), datetime.now(UTC).replace(microsecond=0)))
    messages = [Message(id=str(n), body=body, receipt=str(n)) for n, body in enumerate(bodies)]

    def counted(act: Callable[[], object]) -> tuple[float, float]:
        """Units a message: of items, of indexes."""
        connection = built.worker.store._connection
        with WriteUnits([connection.client], boto3.client("dynamodb")) as units:
            act()
        indexes = units.indexes.total()
        return (units.total - indexes) / len(messages), indexes / len(messages)

    def apply_together() -> None:
        for start in range(0, len(messages), BATCH):
            receipt = messages[start : start + BATCH]
            assert built.worker.handle_together(receipt) == receipt

    found = {"applied": counted(apply_together), "told": counted(built.teller.tell)}
    print(json.dumps(found | {"a copy": counted(apply_together)}))


if __name__ == "__main__":
    main()
