"""The product reports through the Python client, in processes of its own, and is billed to the unit."""

from __future__ import annotations

import csv
import os
import subprocess
from decimal import Decimal
from pathlib import Path

from tests.journeys.house import DIMENSION, Buyer, House, wire
from tools.environments import environments

CLIENT = environments()["client"].python
PATIENCE_SECONDS = 120

PRODUCT = """
import os, sys
from datetime import datetime
from marketplane import UsageReporter

url, spool, subscription, dimension, time, *ids = sys.argv[1:]
reporter = UsageReporter(url, api_key=os.environ["MARKETPLANE_API_KEY"], source="product", spool=spool)
for one in ids:
    reporter.report(subscription_id=subscription, dimension=dimension, quantity="0.25", id=one,
                    time=datetime.fromisoformat(time))
print("reported", flush=True)
input()
"""


def with_key(house: House) -> dict[str, str]:
    return os.environ | {"MARKETPLANE_API_KEY": house.keys["metering"]["X-API-Key"]}


def imported(house: House, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLIENT, "-m", "marketplane", "usage", "import", path, "--url", house.stack.urls["metering-web"]],
        env=with_key(house),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_usage_of_a_file_is_billed_once_however_often_it_is_imported(house: House, tmp_path: Path) -> None:
    house.begin_hour()
    buyer = house.buy_active("concurrent_agreements")
    rows = [
        [buyer.subscription_id, DIMENSION, quantity, wire(house.now())] for quantity in ("1.5", "1.5", "2")
    ]
    unknown = [buyer.subscription_id, "no_such_dimension", "7", wire(house.now())]
    path = tmp_path / "usage.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["subscription_id", "dimension", "quantity", "time"], *rows, unknown])
    for _ in range(2):
        done = imported(house, path)
        assert done.returncode == 1, done.stderr
        assert "4 rows: 3 accepted, 1 refused." in done.stderr
        assert '"reason": "unknown_dimension"' in path.with_name("usage.csv.refused.jsonl").read_text()
        path.with_name("usage.csv.state.json").unlink()
    buyer.used |= {"first": Decimal("1.5"), "its like": Decimal("1.5"), "third": Decimal(2)}
    house.seal_hour()
    house.assert_billed_exactly(buyer)


def test_what_a_killed_product_left_in_its_spool_is_billed_once(house: House, tmp_path: Path) -> None:
    house.begin_hour()
    buyer = house.buy_active("legacy")
    house.stack.kill("metering-web")
    ids = [f"{buyer.subscription_id}-{number}" for number in range(10)]
    with product(house, buyer, tmp_path, ids[:5]) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "reported\n"
        first.kill()
    house.start("metering-web")
    with product(house, buyer, tmp_path, ids[5:]) as second:
        second.communicate("\n", timeout=PATIENCE_SECONDS)
    assert second.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    buyer.used |= dict.fromkeys(ids, Decimal("0.25"))
    house.seal_hour()
    house.assert_billed_exactly(buyer)


def product(house: House, buyer: Buyer, spool: Path, ids: list[str]) -> subprocess.Popen[str]:
    words = [house.stack.urls["metering-web"], spool, buyer.subscription_id, DIMENSION]
    return subprocess.Popen(
        [CLIENT, "-c", PRODUCT, *words, wire(house.now()), *ids],
        env=with_key(house),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
