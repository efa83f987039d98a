"""The fixture for other people's tests, and the README's first steps with it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

# What somebody else's test would look like.
THEIRS = """
import boto3
import pytest
from marketplace_simulator.pytest_plugin import Refused

pytest_plugins = ["marketplace_simulator.pytest_plugin"]


def test_a_purchase_is_billed(marketplace_simulator, monkeypatch):
    for name, value in marketplace_simulator.environment.items():
        monkeypatch.setenv(name, value)
    product = marketplace_simulator.list_product("Tea", "cups")
    bought = marketplace_simulator.buy(product["product_code"])
    metering = boto3.client("meteringmarketplace")
    who = metering.resolve_customer(RegistrationToken=bought["registration_token"])
    record = {"Timestamp": marketplace_simulator.now(), "Dimension": "cups", "QuantityAsDecimal": "2.5",
              "LicenseArn": who["LicenseArn"], "CustomerAWSAccountId": who["CustomerAWSAccountId"]}
    answer = metering.batch_meter_usage(UsageRecords=[record])
    assert answer["Results"][0]["Status"] == "Success"
    assert [item["quantity"] for item in marketplace_simulator.bill()] == ["2.5"]
    marketplace_simulator.act(bought["agreement_id"], "cancel")
    with pytest.raises(Refused) as refused:
        marketplace_simulator.act(bought["agreement_id"], "cancel")
    assert refused.value.status == 409
    assert len(marketplace_simulator.news()) == 4


def test_the_next_test_finds_it_empty(marketplace_simulator):
    assert marketplace_simulator.bill() == []
    assert marketplace_simulator.call("GET", "agreements") == {"agreements": []}
"""


def test_the_plugin_gives_an_empty_simulator_to_each_test(tmp_path: Path):
    (tmp_path / "test_theirs.py").write_text(textwrap.dedent(THEIRS))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py"]
    ended = subprocess.run(
        command, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False, timeout=60
    )
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr
