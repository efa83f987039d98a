"""Chains of operations along the links of each contract: what one answers is what the next one takes."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.contracts import DEPTH, SERVICES, operations, schema
from tests.contract.world import (
    A_SUBSCRIPTION,
    A_TOKEN,
    LONGEST_WALK,
    TAKES_FIELDS,
    World,
    chance,
    is_valid,
    operation_id,
)

# schemathesis.toml does not reach a state machine: these stand for its `[generation]` and `max-steps`.
BOUNDS = settings(
    # One is a walk of many requests.
    max_examples=min(DEPTH.examples or 8, 100),
    stateful_step_count=LONGEST_WALK,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

ATTEMPTS = 50  # at the walks of one round

ROUNDS = 6  # the most; it is done once each link was followed

WALKER = "walker-"  # how the e-mail addresses of customers made on a walk begin

# Schemathesis begins at no list with a parameter like this one: it looks like an id, and nobody answers it.
NOBODY_GIVES = frozenset({"customer_aws_account_id"})

LISTS = frozenset(operation.id for operation in operations() if operation.pages)


class Walker:
    """Walks along the links of one running service's contract.

    `followed` counts the links along which a value was really carried; `broken` has what an answer broke.
    """

    def __init__(self, service: str, world: World) -> None:
        self.followed: Counter[tuple[str, str]] = Counter()
        self.broken: list[str] = []
        self._walks = 0
        self._service = service
        self._world = world
        self._numbers = itertools.count(1)

    def never_followed(self) -> list[tuple[str, str]]:
        """The links of the contract along which nothing was carried so far."""
        return sorted(links(self._service) - set(self.followed))

    def walk(self, number: int, leaves: frozenset[str] = frozenset()) -> None:
        """One round of walks, going nowhere from some operations. Its number decides where it goes."""
        until = self._walks + BOUNDS.max_examples
        for attempt in range(ATTEMPTS):
            machine = seed((DEPTH.seed or 0) + number * ATTEMPTS + attempt)(self._machine(leaves))
            try:
                run_state_machine_as_test(
                    machine, settings=settings(BOUNDS, max_examples=until - self._walks)
                )
                return
            except FlakyStrategyDefinition:
                # Hypothesis began a walk as another had begun, and found another world: that one had changed
                # it. The rest of the round goes elsewhere; what an answer broke is not lost by it.
                assert self.broken == []
                if self._walks >= until:
                    return
        raise AssertionError("The walks of this round never came to an end.")

    def _machine(self, leaves: frozenset[str]) -> Any:
        walker, service, world = self, self._service, self._world

        class Walk(schema(service, leaves, NOBODY_GIVES).as_state_machine()):  # type: ignore[misc]
            def setup(self) -> None:
                super().setup()
                walker._walks += 1

            def step(self, input: Any) -> Any:
                try:
                    output = super().step(input)
                except HypothesisException:
                    raise
                except Exception as error:
                    walker.broken.append(repr(error))
                    raise
                if input.transition is not None and input.is_applied:
                    source = self.recorder.cases[input.transition.parent_id].value
                    walker.followed[operation_id(source), operation_id(input.case)] += 1
                return output

            def before_call(self, case: schemathesis.Case) -> None:
                # Not by what a link has carried, nor by what is put in below: that is another id in each
                # repetition of a walk, which must find the same.
                self.luck = chance(case, "query", "body")
                if is_valid(case):
                    walker.help_on(case)

            def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
                return world.prepare(service, case, self.luck)

            def after_call(self, response: schemathesis.Response, case: schemathesis.Case) -> None:
                super().after_call(response, case)
                world.note(service, case, response)

        return Walk

    def help_on(self, case: schemathesis.Case) -> None:
        """What no generator could know, and without which few links would ever carry anything."""
        operation = operation_id(case)
        if operation == "create_registration" and isinstance(case.body, dict):
            case.body = case.body | {"registration_token": A_TOKEN}
        if operation == "reconciliations.reconcile":
            case.media_type, case.body = "application/json", self._world.file_of_aws
        if operation == "endpoints.create_endpoint":
            wish = {"name": "A model", "repository": "acme/model", "accelerator": "GPU"}
            case.body = wish | {"subscription_id": A_SUBSCRIPTION}
        if operation == "webhooks.create_endpoint":
            case.body = {"url": "https://hooks.seller.example/"}
        if operation == "webhooks.start_replay":
            case.body = {"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}
        if operation in ("change_customer", "webhooks.change_endpoint"):
            # A made-up version is never the present one.
            case.headers.pop("If-Match", None)
            if isinstance(case.body, dict) and case.body.get("account_id"):
                # An account is one customer's: in a repetition of the walk it would be another's.
                case.body = case.body | {"account_id": f"account-{next(self._numbers)}"}
        if operation in TAKES_FIELDS and isinstance(case.body, dict):
            case.body.pop("fields", None)
        if isinstance(case.body, dict) and "email" in case.body:
            # By which a link finds this customer, and nobody of another walk.
            case.body = case.body | {"email": self._new_email()}
        if operation in LISTS and "cursor" not in case.query:
            # Made-up filters find nothing, and a page that holds everything has no next one.
            kept = "email" if str(case.query.get("email")).startswith(WALKER) else "subscription_id"
            brought = {name: value for name, value in case.query.items() if name == kept}
            if kept != "email":
                brought = self._filters(operation) or brought
            case.query = brought | {"limit": 1}

    def _new_email(self) -> str:
        return f"{WALKER}{next(self._numbers)}@example.com"

    def _filters(self, operation: str) -> dict[str, str]:
        """What is there in each run, and the same in each: the order of a whole table follows random ids."""
        if operation == "list_subscriptions":
            return {"agreement_id": self._world.licensed.agreement_id}
        if operation in ("list_notifications", "list_metering_records"):
            return {"subscription_id": self._world.licensed.subscription_id}
        if operation == "list_outbox_items":
            # Nobody works it off any more, so there is always something.
            return {"state": "waiting"}
        if operation == "webhooks.list_endpoints":
            self._world.many_webhook_endpoints()
        if operation == "webhooks.list_deliveries":
            # Two at least, so that one of them is a next page.
            self._world.webhook_delivery()
            self._world.webhook_delivery()
            return {"endpoint_id": self._world.webhook_endpoint()}
        if operation == "list_customers":
            # Walks before this one have deleted customers: only somebody new is there for certain.
            email = self._new_email()
            self._world.registered(email=email)
            return {"email": email}
        return {}


def links(service: str) -> set[tuple[str, str]]:
    """Every link of a contract: from which operation to which."""
    return {
        (operation.id, link["operationId"])
        for operation in operations(service)
        for response in operation.definition["responses"].values()
        for link in response.get("links", {}).values()
    }


def only_around(service: str, operation: str) -> frozenset[str]:
    """All operations but this one and those that lead to it: walks then go to it, and on from it."""
    leading = {source for source, target in links(service) if target == operation}
    return frozenset(one.id for one in operations(service)) - leading - {operation}


@pytest.mark.parametrize("service", SERVICES)
def test_links_hold(service: str, world: World) -> None:
    walker = Walker(service, world)
    numbers = itertools.count()
    # Schemathesis begins at lists wherever there are any: what no list leads to it would never reach.
    for leaves in (frozenset[str](), LISTS):
        walker.walk(next(numbers), leaves)
    for _ in range(ROUNDS):
        for source in sorted({source for source, _ in walker.never_followed()}):
            if any(source == one for one, _ in walker.never_followed()):  # no walk before has come by
                walker.walk(next(numbers), only_around(service, source))
    assert walker.never_followed() == []
