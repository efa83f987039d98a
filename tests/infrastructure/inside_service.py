"""What a service itself says that it needs, as JSON: run by that service's own Python, for tests.

    python tests/infrastructure/inside_service.py <service>          tables, times to live, queues, settings
    python tests/infrastructure/inside_service.py <service> --start  read the settings from the environment

Tables and queues are what `create-local` asks AWS for: its calls are noted, and none is made.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from pynamodb.models import Model

PREFIX = "marketplane-"
# How the house calls the moment after which DynamoDB may remove a row.
TIMES_TO_LIVE = {"forget_at", "delete_after"}


def main(service: str, *words: str) -> None:
    settings = importlib.import_module(f"{service}.settings").Settings
    if "--start" in words:
        from chassis.settings import load

        load(settings)
        return
    made = _creations(service, settings(environment="test", table_prefix=PREFIX))
    print(
        json.dumps(
            {
                "tables": {
                    one["TableName"].removeprefix(PREFIX): {
                        name: one[name]
                        for name in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
                        if one.get(name)
                    }
                    for operation, one in made
                    if operation == "CreateTable"
                },
                "ttl": _times_to_live(
                    {one["TableName"] for operation, one in made if operation == "CreateTable"}
                ),
                "queues": {
                    one["QueueName"]: one["Attributes"]
                    for operation, one in made
                    if operation == "CreateQueue"
                },
                "settings": sorted(name.upper() for name in settings.model_fields),
                "secrets": sorted(
                    name.upper()
                    for name, field in settings.model_fields.items()
                    if getattr(field.annotation, "__name__", "") == "SecretStr"
                ),
            }
        )
    )


def _creations(service: str, settings: Any) -> list[tuple[str, dict[str, Any]]]:
    noted = []

    def note(client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        noted.append((operation, request))
        if operation == "DescribeTable":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}, operation)
        if operation == "CreateQueue":
            return {"QueueUrl": request["QueueName"]}
        if operation == "GetQueueAttributes":
            return {"Attributes": {"QueueArn": f"arn:aws:sqs:us-east-1:111122223333:{request['QueueUrl']}"}}
        return {}

    BaseClient._make_api_call = note
    importlib.import_module(f"{service}.app").create_local(settings)
    return noted


def _times_to_live(names: set[str]) -> dict[str, str]:
    found = {}
    for model in _below(Model):
        name = getattr(getattr(model, "Meta", None), "table_name", None)
        if name in names:
            for attribute in model._attributes.values():
                if attribute.attr_name in TIMES_TO_LIVE:
                    found[name.removeprefix(PREFIX)] = attribute.attr_name
    return found


def _below(model: type[Model]) -> list[type[Model]]:
    return [one for direct in model.__subclasses__() for one in (direct, *_below(direct))]


if __name__ == "__main__":
    main(*sys.argv[1:])
