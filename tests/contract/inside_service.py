"""Asks a service's own code a question, in its own virtual environment: no service is installed where the
tests run.

    .venv/<service>/bin/python tests/contract/inside_service.py <service> <question> < argument.json

It imports the service's functions by name and answers JSON on standard output.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from typing import Any


def derive(service: str, identities: list[dict[str, str]]) -> list[str]:
    """The subscription id of each identity, as this service computes it."""
    module = importlib.import_module(f"{service}.subscription_ids")

    def of_customer(one: dict[str, str]) -> str:
        derived = getattr(module, "of_legacy_customer", None) or module.of_customer
        return str(derived(one["product_code"], one["customer_identifier"]))

    return [
        module.of_license(one["license_arn"]) if "license_arn" in one else of_customer(one)
        for one in identities
    ]


def identity_ids(service: str, identities: list[dict[str, str]]) -> list[str]:
    """Under which id this service knows each person."""
    if service == "registration":
        identity = importlib.import_module("registration.identities").Identity
        return [identity(one["issuer"], one["subject"]).identity_id for one in identities]
    derived = importlib.import_module(f"{service}.identity_ids").identity_id
    return [derived(one["issuer"], one["subject"]) for one in identities]


def read_identities(service: str, identity_ids: list[str]) -> dict[str, str | None]:
    """To which customer each leads; None where to none that there is."""
    settings = importlib.import_module(f"{service}.settings").Settings()
    published = importlib.import_module(f"{service}.app").build_books(settings).published
    found = {name: published.customer_of(name) for name in identity_ids}
    return {name: customer and customer.customer_id for name, customer in found.items()}


def subscriptions_of(service: str, identity_ids: list[str]) -> dict[str, list[str]]:
    """Which subscriptions are there for each person, as notifications sees it."""
    customers = importlib.import_module(f"{service}.tables.customers")
    settings = importlib.import_module(f"{service}.settings").Settings()
    importlib.import_module("chassis.tables").bind(customers.READ, settings)
    return {name: customers.subscription_ids_of(name) for name in identity_ids}


def read_signals(service: str, bodies: list[str]) -> list[str]:
    """Which subscription each message body tells of, as the service's reader understands it."""
    read = importlib.import_module(f"{service}.worker").read_signal
    # Registration needs no more than the id.
    return [one if isinstance(one, str) else one["subscription_id"] for one in map(read, bodies)]


def read_subscriptions(service: str, subscription_ids: list[str]) -> dict[str, dict[str, Any]]:
    """What the service reads of the rows with these ids; tables and engine come from the environment."""
    settings = importlib.import_module(f"{service}.settings").Settings()
    if service == "registration":
        tables = importlib.import_module("registration.tables")
        connection = importlib.import_module("chassis.tables").bind(tables.ALL_MODELS, settings)
        found = tables.Tables(connection).published_subscriptions(subscription_ids)
    else:
        books = importlib.import_module(f"{service}.app").build_books(settings)
        found = {name: row for name in subscription_ids if (row := books.published.subscription(name))}
    return {name: asdict(row) for name, row in found.items()}


def read_customers(service: str, customer_ids: list[str]) -> dict[str, dict[str, Any]]:
    """What the service reads of the rows with these ids."""
    settings = importlib.import_module(f"{service}.settings").Settings()
    if service == "registration":
        tables = importlib.import_module("registration.tables")
        connection = importlib.import_module("chassis.tables").bind(tables.ALL_MODELS, settings)
        read = tables.Tables(connection).customer
    else:
        read = importlib.import_module(f"{service}.app").build_books(settings).published.customer
    return {name: asdict(row) for name in customer_ids if (row := read(name))}


def make_keys(service: str, scopes: list[list[str]]) -> list[str]:
    """A new API key for each of these sets of scopes."""
    app = importlib.import_module(f"{service}.app")
    ring = app.key_ring(importlib.import_module(f"{service}.settings").Settings())
    return [ring.add("+".join(some), set(some)) for some in scopes]


if __name__ == "__main__":
    service, question = sys.argv[1:]
    answer = globals()[question](service, json.load(sys.stdin))
    json.dump(answer, sys.stdout, default=str)
