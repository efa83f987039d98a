"""An answer given is a fact kept, whatever kills the process."""

from __future__ import annotations

import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from test_deployment_parameters import put as put_parameter


def test_everything_survives_kill_9(serve_process, tmp_path):
    environment = {
        "SIMULATOR_DATABASE": str(tmp_path / "state.sqlite3"),
        "SIMULATOR_START": "2026-11-22T14:00:00Z",
    }
    process, seller = serve_process(environment)
    product = seller.product()
    bought = seller.buy(product)
    record = seller.record(bought, "1.5")
    (first,) = seller.meter(record)
    put_parameter(seller, bought, product)
    paths = ("clock", "products", "agreements", "bill", "calls", "deployment-parameters")
    kept = {path: seller.do("GET", path) for path in paths}
    assert kept["deployment-parameters"]["deployment_parameters"]
    due = [(item["message_id"], item["due_at"]) for item in seller.do("GET", "news")["news"]]
    process.kill()
    process.wait(10)

    _, seller = serve_process(environment)
    assert kept == {path: seller.do("GET", path) for path in kept}
    assert due == [(item["message_id"], item["due_at"]) for item in seller.do("GET", "news")["news"]]
    (again,) = seller.meter(record)
    assert again["MeteringRecordId"] == first["MeteringRecordId"]
    assert seller.status(seller.record(bought, 2)) == ["DuplicateRecord"]
    answer = seller.metering().resolve_customer(RegistrationToken=bought["registration_token"])
    assert answer["LicenseArn"] == bought["license_arn"]
    assert seller.quantities() == ["1.5"]


def test_memory_forgets(serve_process):
    process, seller = serve_process({})
    bought = seller.buy(seller.product())
    process.terminate()
    assert process.wait(10) is not None
    _, seller = serve_process({})
    with pytest.raises(ClientError, match="InvalidTokenException"):
        seller.metering().resolve_customer(RegistrationToken=bought["registration_token"])


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "many"),
        ("SIMULATOR_START", "yesterday"),
        ("SIMULATOR_SELLER_ACCOUNT", "1"),
        ("SIMULATOR_SNS_ENVELOPE", "none"),
        ("AWS_ENDPOINT_URL_SQS", "localhost:4566"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_stops_the_start_with_a_sentence(variable, value):
    ended = subprocess.run(
        [sys.executable, "-m", "marketplace_simulator"],
        env={variable: value},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert variable in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_of_another_layout_is_refused(tmp_path):
    import sqlite3

    path = tmp_path / "old.sqlite3"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    from marketplace_simulator.store import Store

    with pytest.raises(RuntimeError, match="layout 99"):
        Store(str(path), 10)
