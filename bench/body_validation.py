"""What checking a batch of usage events costs: our compiled validator beside Connexion's own.

Both read the same schema from openapi/metering.yaml and check the same bodies, which differ from round to
round. CPU time of this process, median of the rounds. Run it with .venv/metering/bin/python.
"""

import statistics
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

from connexion.validators.json import JSONRequestBodyValidator  # noqa: E402

from chassis.contract import load_contract, named_schema  # noqa: E402
from chassis.validation import compile_schema, mistakes  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 7


def main() -> None:
    contract = load_contract(ROOT / "openapi" / "metering.yaml")
    batch, event = named_schema(contract, "UsageEventBatch"), named_schema(contract, "UsageEvent")
    theirs = JSONRequestBodyValidator(schema=batch, encoding="utf-8", strict_validation=True)
    envelope, row = compile_schema(batch), compile_schema(event)

    def connexions_own(body: Any) -> None:
        theirs._validate(body)

    def ours(body: Any) -> None:
        assert not mistakes(envelope, body)
        assert not any(mistakes(row, one) for one in body["events"])

    print(f"{'events a batch':>14}{'Connexion, µs':>16}{'ours, µs':>12}{'ratio':>9}")
    for size in (1, 100, 500):
        slow, fast = (_microseconds(check, size) for check in (connexions_own, ours))
        print(f"{size:>14}{slow:>16.0f}{fast:>12.0f}{slow / fast:>8.0f}x")


def _microseconds(check: Callable[[Any], None], size: int) -> float:
    """CPU time of one check, the median of several rounds."""
    repeats = max(1, 500 // size)
    rounds = []
    for _ in range(ROUNDS):
        bodies = [_body(size) for _ in range(repeats)]
        started = time.process_time()
        for body in bodies:
            check(body)
        rounds.append((time.process_time() - started) / repeats * 1e6)
    return statistics.median(rounds)


def _body(size: int) -> dict[str, Any]:
    return {
        "events": [
            {
                "source": "inference-gateway",
                "id": str(uuid.uuid4()),
                "subscription_id": "sub_akqbclolnbr5rol2aljugptsbj",
                "dimension": "gpu_hours",
                "quantity": f"{number}.25",
                "time": "2026-11-22T10:15:00Z",
            }
            for number in range(size)
        ]
    }


if __name__ == "__main__":
    main()
