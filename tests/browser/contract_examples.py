"""What each operation of a contract answers by its own example, for services that are played."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CONTRACTS = Path(__file__).parents[2] / "openapi"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Exemplary:
    """An operation with the answer that its contract gives as an example.

    Args:
        operation: its id.
        method: in capitals.
        path: what fits its path.
        status: of its first success.
        body: the example; None where it answers none.
    """

    operation: str
    method: str
    path: re.Pattern[str]
    status: int
    body: Any


@cache
def exemplary(service: str) -> tuple[Exemplary, ...]:
    """The operations of a service's contract, those with fixed paths before those with variable ones."""
    contract = yaml.safe_load((CONTRACTS / f"{service}.yaml").read_text())
    health = yaml.safe_load((CONTRACTS / "common/health.yaml").read_text())["paths"]
    found = []
    for path, item in contract["paths"].items():
        operations = health[path[1:]] if "$ref" in item else item
        for method in METHODS:
            if method in operations:
                found.append(of_operation(path, method, operations[method]))
    return tuple(sorted(found, key=lambda one: one.path.pattern.count("[^/]")))


def of_operation(path: str, method: str, operation: dict[str, Any]) -> Exemplary:
    responses = operation["responses"]
    status = min(code for code in responses if code.startswith(("2", "3")))
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    content = responses[status].get("content", {}).get("application/json", {})
    example = content.get("example")
    if example is None and content.get("examples"):
        example = next(iter(content["examples"].values()))["value"]
    return Exemplary(operation["operationId"], method.upper(), re.compile(pattern), int(status), example)


def answer_of(service: str, method: str, path: str) -> Exemplary | None:
    """The operation that a request is for, if the contract has one."""
    for one in exemplary(service):
        if one.method == method and one.path.fullmatch(path):
            return one
    return None
