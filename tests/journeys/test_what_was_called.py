"""What the processes asked of DynamoDB and SQS in all the journeys before is what the stacks' roles allow,
and the other way round. The last file by its name, so that it is played last."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.infrastructure.templates import LEAST, SERVICES, Stack
from tests.infrastructure.test_policies import allowed
from tests.journeys.house import House

# Which roles a process has, by its word.
ROLES = {
    "web": "WebRole",
    "worker": "WorkerRole",
    "submit": "WorkerRole",
    "doctor": "DoctorRole",
    "add-key": "KeysPolicy",
    "list-keys": "KeysPolicy",
    "disable-key": "KeysPolicy",
}
# On a desk alone: tables and queues are the stacks'.
NOT_DEPLOYED = {"create-local"}
# A queue of the journeys' own, beside those that notifications tells of changes.
LISTENER = "marketplane-listener"

Permission = tuple[str, str]

# What is allowed and need not be played here, by service and role, with where it is called. Operations that
# are named are played against the real services by tests/contract, and operators' also by tests/browser.
NOT_PLAYED: dict[tuple[str, str], dict[Permission, str]] = {
    ("registration", "WebRole"): {
        ("dynamodb:BatchGetItem", "marketplane-identities"): "GET /v1/customers/{customer_id}/export",
        ("dynamodb:GetItem", "marketplane-registration-outbox"): "POST /v1/outbox-items/{outbox_id}/retry",
        ("dynamodb:Query", "marketplane-claims/index/by-aws-account"): "GET /v1/customers",
        ("dynamodb:Query", "marketplane-claims/index/by-product"): "GET /v1/customers",
        ("dynamodb:Query", "marketplane-customers/index/by-account"): "GET /v1/customers",
        ("dynamodb:Scan", "marketplane-customers"): "GET /v1/customers",
    },
    ("registration", "WorkerRole"): {
        ("dynamodb:ConditionCheckItem", "marketplane-customers"): "a renewal that somebody changes meanwhile",
        ("dynamodb:GetItem", "marketplane-registration-outbox"): "an item that another worker took",
        ("dynamodb:PutItem", "marketplane-claims"): "a renewal of what is registered",
        ("dynamodb:UpdateItem", "marketplane-registrations"): "a token's row that outlives its claim",
        ("sqs:ChangeMessageVisibility", "marketplane-registration-subscription-events"): (
            "a signal that is tried again soon"
        ),
        ("sqs:SendMessage", "marketplane-registration-subscription-events-dlq"): "a signal nobody can read",
    },
    ("notifications", "WebRole"): {
        ("dynamodb:PutItem", "marketplane-notifications-log"): "POST /v1/notifications/{id}/replay",
        ("dynamodb:PutItem", "marketplane-subscriptions"): "POST /v1/notifications/{id}/replay",
        ("dynamodb:Query", "marketplane-notifications-webhook-deliveries/index/of_subscription"): (
            "GET /v1/webhook-deliveries"
        ),
        ("dynamodb:Query", "marketplane-subscriptions/index/of_account"): "GET /v1/subscriptions",
        ("dynamodb:Query", "marketplane-subscriptions/index/of_agreement"): "GET /v1/subscriptions",
        ("dynamodb:Scan", "marketplane-subscriptions"): "GET /v1/subscriptions",
        ("sqs:DeleteMessage", "marketplane-notifications-dlq"): "POST /v1/dead-letters/redrive",
        ("sqs:SendMessage", "marketplane-notifications-dlq"): "POST /v1/dead-letters/redrive, cut off",
    },
    ("notifications", "WorkerRole"): {
        ("dynamodb:PutItem", "marketplane-notifications-webhook-events"): "an event that endpoints want",
        ("sqs:ChangeMessageVisibility", "marketplane-notifications"): "a message that is tried again soon",
    },
    ("metering", "WebRole"): {
        ("dynamodb:BatchGetItem", "marketplane-customers"): "usage of a customer, in a batch",
        ("dynamodb:BatchGetItem", "marketplane-metering-ledger"): "POST /v1/metering-runs, dry_run",
        ("dynamodb:BatchGetItem", "marketplane-metering-records"): "POST /v1/metering-runs, dry_run",
        ("dynamodb:GetItem", "marketplane-metering-reconciliations"): "GET /v1/reconciliations/{id}",
        ("dynamodb:GetItem", "marketplane-metering-runs"): "GET /v1/metering-runs/{metering_run_id}",
        ("dynamodb:GetItem", "marketplane-usage-hours"): "GET /v1/metering-records/{id}/usage-events",
        ("dynamodb:GetItem", "marketplane-usage-log"): "GET /v1/metering-records/{id}/usage-events",
        ("dynamodb:PutItem", "marketplane-metering-held-decisions"): "POST /v1/held-usage/decisions",
        ("dynamodb:PutItem", "marketplane-metering-runs"): "POST /v1/metering-runs",
        ("dynamodb:Query", "marketplane-metering-allowances"): "POST /v1/metering-runs, dry_run",
        ("dynamodb:Query", "marketplane-metering-endpoints/index/by-id"): "GET /v1/endpoints/{endpoint_id}",
        ("dynamodb:Query", "marketplane-metering-held-decisions"): "GET /v1/balance",
        (
            "dynamodb:Query",
            "marketplane-metering-reconciliations",
        ): "GET /v1/reconciliations/{id}/differences",
        ("dynamodb:Query", "marketplane-metering-reconciliations/index/by-time"): "GET /v1/reconciliations",
        ("dynamodb:Query", "marketplane-usage-log"): "GET /v1/usage",
        ("dynamodb:Scan", "marketplane-metering-endpoints"): "GET /v1/endpoints, by an operator",
        ("dynamodb:Scan", "marketplane-metering-health"): "GET /v1/metering-health",
        ("dynamodb:Scan", "marketplane-metering-held-decisions"): "GET /v1/balance",
        ("dynamodb:Scan", "marketplane-metering-ledger"): "GET /v1/balance",
        ("dynamodb:Scan", "marketplane-metering-ledger/index/unbilled"): "POST /v1/metering-runs, dry_run",
        ("dynamodb:Scan", "marketplane-metering-records/index/due"): "POST /v1/metering-runs, dry_run",
        ("dynamodb:Scan", "marketplane-subscriptions"): "POST /v1/metering-runs, dry_run",
    },
    ("metering", "WorkerRole"): {
        ("dynamodb:BatchGetItem", "marketplane-metering-endpoints"): "endpoints that run",
        ("dynamodb:GetItem", "marketplane-metering-records"): "a slot that somebody else has taken",
        ("dynamodb:GetItem", "marketplane-usage-log"): "events that came twice, in segments of before",
        ("dynamodb:Query", "marketplane-metering-allowances"): "a contract with consumption",
        ("dynamodb:Scan", "marketplane-metering-records"): "POST /v1/metering-runs, send",
        ("dynamodb:Scan", "marketplane-subscriptions"): "hours without usage, where zero records are on",
        ("dynamodb:UpdateItem", "marketplane-metering-allowances"): "a contract with consumption",
        ("dynamodb:UpdateItem", "marketplane-metering-runs"): "POST /v1/metering-runs, send",
        ("sqs:ChangeMessageVisibility", "marketplane-metering-subscription-events"): "a signal tried again",
        ("sqs:ChangeMessageVisibility", "marketplane-usage-events"): "a batch that is tried again soon",
        ("sqs:DeleteMessage", "marketplane-usage-events"): "usage by the queue",
        ("sqs:SendMessage", "marketplane-usage-events-dlq"): "usage by the queue that is refused",
    },
}
# It is asked of deployed tables alone (chassis/checks.py).
IN_PRODUCTION = {"dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTimeToLive"}


@pytest.fixture
def called(house: House) -> dict[tuple[str, str], set[Permission]]:
    """Action and resource of each call, by service and role."""
    found: dict[tuple[str, str], set[Permission]] = defaultdict(set)
    for line in (house.stack.directory / "calls").read_text().splitlines():
        process, action, resource = line.split("\t")
        # A process of the Procfile, such as `metering-web`; a command, such as `add-key-of-metering`.
        word, _, service = process.partition("-of-")
        if not service:
            service, _, word = process.partition("-")
        if service in SERVICES and word not in NOT_DEPLOYED and resource != LISTENER:
            found[service, ROLES[word]].add((action, resource))
    return found


def permitted(service: str, role: str) -> set[Permission]:
    """The same of what a role's own policies allow."""
    return {
        (action, named(resource))
        for one in allowed(Stack(service, LEAST[service]))
        if one.role == role
        for action in one.actions
        for resource in one.resources
        if resource != "*"
    }


def named(arn: str) -> str:
    """The table, index or queue as a call names it."""
    return arn.split(":table/")[1] if ":table/" in arn else arn.rsplit(":", 1)[1]


def played(request: pytest.FixtureRequest) -> bool:
    """Whether all journeys are in this run."""
    files = {item.path for item in request.session.items}
    return files >= set(Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("role", sorted(set(ROLES.values())))
@pytest.mark.parametrize("service", SERVICES)
def test_a_role_allows_what_its_processes_call(
    called: dict[tuple[str, str], set[Permission]], service: str, role: str
) -> None:
    assert called[service, role] - permitted(service, role) == set()


@pytest.mark.parametrize("role", sorted(set(ROLES.values())))
@pytest.mark.parametrize("service", SERVICES)
def test_a_role_allows_nothing_else(
    request: pytest.FixtureRequest,
    called: dict[tuple[str, str], set[Permission]],
    service: str,
    role: str,
) -> None:
    if not played(request):
        pytest.skip("what is called is known when all journeys have been played")
    unused = permitted(service, role) - called[service, role] - set(NOT_PLAYED.get((service, role), {}))
    assert {one for one in unused if one[0] not in IN_PRODUCTION} == set()


def test_each_explanation_is_of_something_allowed() -> None:
    for (service, role), reasons in NOT_PLAYED.items():
        assert set(reasons) <= permitted(service, role), (service, role)
        assert all(reasons.values()), (service, role)
