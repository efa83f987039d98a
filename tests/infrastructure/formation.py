"""CloudFormation on the local engine.

The engine holds all resources of the templates but those of `NOT_HELD` and alarms that reckon, which are left
out here and judged by cfn-lint alone. It switches on neither the times to live nor the recovery to a point in
time that a table asks for.
"""

from __future__ import annotations

import json
import time
from typing import Any

from tests.infrastructure.templates import LEAST, SERVICES, read
from tools.engine_fixture import Account, Engine
from tools.stack import ACCOUNT
from tools.stack import Stack as House

NOT_HELD = {"AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"}
PARAMETERS = {
    "foundation": {
        "VpcId": "vpc-0a",
        "PublicSubnetIds": "subnet-0a,subnet-0b",
        "PrivateSubnetIds": "subnet-0c,subnet-0d",
        "CertificateArn": "arn:aws:acm:us-east-1:222233334444:certificate/0a",
    },
    "seller-account": {"AppAccountId": "222233334444", "ExternalId": "external-id-of-16"},
    "legacy-product": {
        "SubscriptionTopicArn": "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc",
        "Endpoint": "https://notifications.seller.example/v1/sns",
    },
} | {service: {**LEAST[service], "TableDeletionProtection": "false"} for service in SERVICES}
# The engine answers at once; this is for a machine that is busy with something else.
LONGEST_SECONDS = 120.0


class CloudFormation:
    """Stacks in one account of the engine."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._formation = self.client("cloudformation")
        self._bucket = f"templates-{account.id}"
        self.client("s3").create_bucket(Bucket=self._bucket)

    def client(self, service: str) -> Any:
        # Tables too are this engine's: the second opinion has no stacks.
        return self.account.client(service, at=self.account.engine.queues)

    def make(self, name: str) -> None:
        self._do("create_stack", name, {}, "CREATE_COMPLETE")

    def change(self, name: str, **parameters: str) -> None:
        self._do("update_stack", name, parameters, "UPDATE_COMPLETE")

    def remove(self, name: str) -> None:
        # By its id, since a stack that is gone is not found by its name.
        stack_id = self._formation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self._formation.delete_stack(StackName=name)
        assert self._end(stack_id) == "DELETE_COMPLETE"

    def resources_of(self, name: str) -> dict[str, str]:
        """Physical ids by logical ids."""
        found = self._formation.describe_stack_resources(StackName=name)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    def _do(self, what: str, name: str, parameters: dict[str, str], wanted: str) -> None:
        # As a seller does: the templates are beyond what CloudFormation takes in the request itself.
        self.client("s3").put_object(Bucket=self._bucket, Key=name, Body=json.dumps(held(name)))
        getattr(self._formation, what)(
            StackName=name,
            TemplateURL=f"{self.account.engine.queues}/{self._bucket}/{name}",
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (PARAMETERS[name] | parameters).items()
            ],
        )
        assert self._end(name) == wanted, [
            (one["LogicalResourceId"], one.get("ResourceStatusReason"))
            for one in self._formation.describe_stack_events(StackName=name)["StackEvents"]
            if one["ResourceStatus"].endswith("FAILED")
        ]

    def _end(self, name: str) -> str:
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            status = str(self._formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.1)
        raise AssertionError(f"{name} was not done in time")


def held(name: str) -> dict[str, Any]:
    """The template without what the engine does not hold: those types, and alarms that reckon."""
    template = read(name)
    kept = {
        key: resource
        for key, resource in template["Resources"].items()
        if resource["Type"] not in NOT_HELD and "Metrics" not in resource.get("Properties", {})
    }
    return template | {"Resources": kept}


def make_by_stacks(house: House) -> None:
    """The tables and queues of a house, by the stacks instead of by its services' own commands."""
    url = house.urls["engine"]
    formation = CloudFormation(Account(ACCOUNT, Engine(house.engine, url, url)))
    for name in ("foundation", *SERVICES):
        formation.make(name)
