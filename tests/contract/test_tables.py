"""The published tables, from both sides: what the owner really writes fits the schema, and whatever fits
the schema its readers read."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from typing import Any

import pytest

from tests.contract.contracts import ROOT, SERVICES
from tests.contract.schemas import mistakes, validator, variants
from tests.contract.token_issuer import ISSUER
from tests.contract.world import SIGNED_IN, World

READERS_PREFIX = "readers-"


def inside(service: str, question: str, argument: Any, world: World, prefix: str = READERS_PREFIX) -> Any:
    """A question to a service's own code, about tables of their own unless another prefix names others."""
    done = subprocess.run(
        [ROOT / ".venv" / service / "bin" / "python", "tests/contract/inside_service.py", service, question],
        cwd=ROOT,
        env=world.stack.environment_of(f"{service}-web") | {"TABLE_PREFIX": prefix, "PORT": "1"},
        input=json.dumps(argument),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


# -- what the owners write -----------------------------------------------------------------------------------


def test_every_subscription_that_notifications_wrote_fits_the_schema(world: World) -> None:
    rows = world.rows("subscriptions")
    assert {(row["generation"], row["status"]) for row in rows} >= {
        (generation, status)
        for generation in ("legacy", "concurrent_agreements")
        for status in ("active", "ending", "ended")
    }, "the world lacks a kind of row"
    assert any(row.get("entitlements") for row in rows), "the world lacks a kind of row"
    assert {"pending", "failed"} <= {row["status"] for row in rows}, "the world lacks a kind of row"
    assert {row["subscription_id"]: mistakes("tables/subscriptions", row) for row in rows} == {
        row["subscription_id"]: [] for row in rows
    }


def test_what_replaces_another_and_what_is_replaced_fit_the_schema_too(world: World) -> None:
    rows = {row["subscription_id"]: row for row in world.rows("subscriptions")}
    before = rows[world.replaced.subscription_id]
    after = rows[before["next_subscription_id"]]
    assert after["previous_subscription_id"] == before["subscription_id"]
    assert (before["status"], before["access"], before["end_reason"]) == ("ending", "granted", "REPLACED")
    assert (after["status"], after["access"]) == ("active", "granted")
    for row in (before, after):
        assert mistakes("tables/subscriptions", row) == []
        for name in ("previous_subscription_id", "next_subscription_id"):
            assert mistakes("tables/subscriptions", row | {name: "agmt-EXAMPLE"}), name
        shown = world.ask("notifications", "GET", f"/v1/subscriptions/{row['subscription_id']}")
        assert shown["previous_subscription_id"] == row.get("previous_subscription_id")
        assert shown["next_subscription_id"] == row.get("next_subscription_id")


def test_every_customer_that_registration_wrote_fits_the_schema(world: World) -> None:
    rows = world.rows("customers")
    assert {row["status"] for row in rows} == {"active", "deleted"}, "the world lacks a kind of row"
    assert any("account_id" in row for row in rows), "the world lacks a kind of row"
    assert any(len(row["subscription_ids"]) > 1 for row in rows), "the world lacks a kind of row"
    assert {row["customer_id"]: mistakes("tables/customers", row) for row in rows} == {
        row["customer_id"]: [] for row in rows
    }


def test_every_identity_that_registration_wrote_fits_the_schema(world: World) -> None:
    rows = world.rows("identities")
    assert {mistake for row in rows for mistake in mistakes("tables/identities", row)} == set()
    leads = {row["identity_id"]: row["customer_id"] for row in rows}
    customers = {row["customer_id"] for row in world.rows("customers") if row["status"] == "active"}
    assert set(leads.values()) <= customers
    (signed_in,) = inside("metering", "identity_ids", [{"issuer": ISSUER, "subject": SIGNED_IN}], world)
    assert leads[signed_in] == world.signed_in.customer_id
    for row in rows:
        assert not {"issuer", "subject"} & row.keys(), "they are the owner's own"


def test_personal_data_is_in_no_tombstone(world: World) -> None:
    erased = [row for row in world.rows("customers") if row["status"] == "deleted"]
    assert erased
    for row in erased:
        assert not {"email", "name", "company", "account_id"} & row.keys()
        assert not [name for name in row if name.startswith("private_")]
        assert "@" not in json.dumps(row)


# -- what the readers read -----------------------------------------------------------------------------------


def with_own_ids(rows: list[dict[str, Any]], key: str, prefix: str) -> dict[str, dict[str, Any]]:
    """The rows under ids of their own, so that all of them fit into one table."""
    named = {}
    for number, row in enumerate(rows):
        text = base64.b32encode(hashlib.sha256(str(number).encode()).digest()).decode().lower()[:26]
        named[f"{prefix}_{text}"] = row | {key: f"{prefix}_{text}"}
    return named


@pytest.fixture(scope="module")
def subscriptions(world: World) -> dict[str, dict[str, Any]]:
    """Rows of every form that the schema allows, in a table of their own."""
    rows = with_own_ids(list(variants("tables/subscriptions")), "subscription_id", "sub")
    fill(world, "subscriptions", "subscription_id", rows)
    return rows


@pytest.fixture(scope="module")
def customers(world: World) -> dict[str, dict[str, Any]]:
    rows = with_own_ids(list(variants("tables/customers")), "customer_id", "cus")
    fill(world, "customers", "customer_id", rows)
    return rows


@pytest.fixture(scope="module")
def identities(world: World) -> dict[str, dict[str, Any]]:
    rows = {row["identity_id"]: row for row in variants("tables/identities")}
    fill(world, "identities", "identity_id", rows)
    return rows


def fill(world: World, table: str, key: str, rows: dict[str, dict[str, Any]]) -> None:
    dynamodb = world.aws("dynamodb")
    name = READERS_PREFIX + table
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    put(world, table, rows)


def put(world: World, table: str, rows: dict[str, dict[str, Any]]) -> None:
    dynamodb = world.aws("dynamodb")
    name = READERS_PREFIX + table
    items = [{name: as_item(value) for name, value in row.items()} for row in rows.values()]
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        while requests:
            requests = dynamodb.batch_write_item(RequestItems={name: requests})["UnprocessedItems"].get(
                name, []
            )


def as_item(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, list):
        return {"L": [as_item(member) for member in value]}
    if isinstance(value, dict):
        return {"M": {name: as_item(member) for name, member in value.items()}}
    return {"S": value}


@pytest.mark.parametrize("reader", ["registration", "metering"])
def test_every_row_that_the_schema_allows_is_read(
    reader: str, subscriptions: dict[str, dict[str, Any]], world: World
) -> None:
    assert {row["status"] for row in subscriptions.values()} == {
        "pending",
        "active",
        "ending",
        "ended",
        "failed",
    }
    read = inside(reader, "read_subscriptions", list(subscriptions), world)
    assert read.keys() == subscriptions.keys()
    for name, row in subscriptions.items():
        assert not {
            key: (value, row.get(key))
            for key, value in read[name].items()
            if not is_same(value, row.get(key))
        }
        assert {"subscription_id", "product_code", "status"} <= read[name].keys()
        if reader == "registration":
            assert {"access", "free_trial", "trial_ends_at", "agreement_ends_at"} <= read[name].keys()
            assert {"entitlements", "entitlements_as_of"} <= read[name].keys()
        else:
            assert {"active_since", "meter_until", "entitlements"} <= read[name].keys()


def is_same(read: Any, written: Any) -> bool:
    """A time reads as `2026-11-22 10:00:00.123000+00:00`, where Python wrote it as text; what is absent reads
    as None."""
    if isinstance(read, list) and isinstance(written, list):
        return len(read) == len(written) and all(map(is_same, read, written))
    if isinstance(read, dict) and isinstance(written, dict):
        there = {name: value for name, value in read.items() if value is not None}
        return there.keys() == written.keys() and all(is_same(there[name], written[name]) for name in there)
    if isinstance(read, str) and isinstance(written, str) and written.endswith("Z"):
        return read.replace("+00:00", "").split(".")[0] == written.replace("T", " ").split(".")[0]
    return bool(read == written)


@pytest.mark.parametrize(
    ("reader", "published"),
    [
        (
            "registration",
            ("email", "name", "company", "account_id", "subscription_ids", "status", "version"),
        ),
        ("metering", ("customer_id", "subscription_ids", "is_deleted")),
    ],
)
def test_every_customer_that_the_schema_allows_is_read(
    reader: str, published: tuple[str, ...], customers: dict[str, dict[str, Any]], world: World
) -> None:
    read = inside(reader, "read_customers", list(customers), world)
    assert read.keys() == customers.keys()
    written = {name: row | {"is_deleted": row["status"] == "deleted"} for name, row in customers.items()}
    assert {name: [row[one] for one in published] for name, row in read.items()} == {
        name: [row.get(one) for one in published] for name, row in written.items()
    }


def test_every_identity_that_the_schema_allows_is_read(
    identities: dict[str, dict[str, Any]], customers: dict[str, dict[str, Any]], world: World
) -> None:
    """It leads to a customer, or to none where that row is not there."""
    there = {name: next(iter(customers)) for name in list(identities)[:1]}
    rows = {
        name: row | {"customer_id": there.get(name, row["customer_id"])} for name, row in identities.items()
    }
    put(world, "identities", rows)
    read = inside("metering", "read_identities", list(rows), world)
    assert read == {name: there.get(name) for name in rows}


def test_whose_subscriptions_they_are_is_read_of_every_customer_that_the_schema_allows(
    identities: dict[str, dict[str, Any]], customers: dict[str, dict[str, Any]], world: World
) -> None:
    """A tombstone's are nobody's."""
    template = next(iter(identities.values()))
    leads = {
        base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=").lower(): name
        for name in customers
    }
    put(
        world,
        "identities",
        {one: template | {"identity_id": one, "customer_id": name} for one, name in leads.items()},
    )
    read = inside("notifications", "subscriptions_of", [*leads, "nobodys"], world)
    there = {one: customers[name] for one, name in leads.items()}
    assert {row["status"] for row in there.values()} == {"active", "deleted"}
    assert read == {"nobodys": []} | {
        one: row["subscription_ids"] if row["status"] == "active" else [] for one, row in there.items()
    }


# -- what the schemas refuse ---------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["subscriptions", "customers", "identities"])
def test_a_schema_refuses_a_row_that_lacks_something(table: str) -> None:
    """Or it would accept anything, and the tests above with it."""
    for example in validator(f"tables/{table}").schema["examples"]:
        for name in validator(f"tables/{table}").schema["required"]:
            assert mistakes(f"tables/{table}", {key: value for key, value in example.items() if key != name})


# -- the id that everyone derives ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "service",
    [name for name in SERVICES if (ROOT / f"services/{name}/src/{name}/subscription_ids.py").exists()],
)
def test_subscription_ids_are_the_same_everywhere(service: str, world: World) -> None:
    vectors = json.loads((ROOT / "openapi/tables/subscription_id.vectors.json").read_text())
    if service == "metering":
        # Usage names a licence, or the id itself.
        vectors = [one for one in vectors if "license_arn" in one]
    identities = [
        {name: value for name, value in one.items() if name != "subscription_id"} for one in vectors
    ]
    assert inside(service, "derive", identities, world) == [one["subscription_id"] for one in vectors]


def test_the_services_that_derive_ids_are_the_ones_that_need_to() -> None:
    """From AWS's answer, from AWS's news, and from the licence that usage names."""
    deriving = {
        name for name in SERVICES if (ROOT / f"services/{name}/src/{name}/subscription_ids.py").exists()
    }
    assert deriving == {"registration", "notifications", "metering"}


@pytest.mark.parametrize("service", SERVICES)
def test_identity_ids_are_the_same_everywhere(service: str, world: World) -> None:
    """From a sign-in, and from bearer tokens."""
    vectors = json.loads((ROOT / "openapi/tables/identity_id.vectors.json").read_text())
    assert len({one["identity_id"] for one in vectors}) == len(vectors)
    assert inside(service, "identity_ids", vectors, world) == [one["identity_id"] for one in vectors]
