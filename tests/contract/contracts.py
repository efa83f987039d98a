"""The three contracts as documents, and the tests that Schemathesis makes from them."""

from __future__ import annotations

import copy
import importlib.util
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig

# A CSV is text to whoever sends it.
schemathesis.serializer.alias("text/csv", "text/plain")

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = ("registration", "notifications", "metering")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SCOPES = ("buyer", "operator", "usage:read", "usage:write")


def _chassis_contract() -> ModuleType:
    """The chassis' own loader, so that what is tested is what is served. It needs nothing but PyYAML."""
    path = ROOT / "libs/chassis/src/chassis/contract.py"
    spec = importlib.util.spec_from_file_location("chassis_contract", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Operation:
    """One operation of one service's contract."""

    service: str
    id: str
    method: str
    path: str
    definition: dict[str, Any]

    @property
    def security(self) -> list[dict[str, Any]]:
        return list(self.definition["security"])

    @property
    def scopes(self) -> tuple[str, ...]:
        """Any one of them suffices; none where the operation is public or has a guard of its own."""
        return tuple(self.definition.get("x-required-scopes", ()))

    @property
    def is_public(self) -> bool:
        return self.security == []

    @property
    def takes_key(self) -> bool:
        return {"apiKey": []} in self.security

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Its own parameters and those of its path."""
        of_path = _document(self.service)["paths"][self.path].get("parameters", [])
        return [self.resolve(one) for one in (*of_path, *self.definition.get("parameters", []))]

    @property
    def pages(self) -> bool:
        """Whether it answers a list, page by page."""
        return any(parameter["name"] == "cursor" for parameter in self.parameters)

    def resolve(self, node: Any) -> Any:
        """What a reference inside the contract names; anything else as it is."""
        while isinstance(node, dict) and "$ref" in node:
            found: Any = _document(self.service)
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node

    @property
    def successes(self) -> tuple[int, ...]:
        """The statuses by which it says that it did what was asked."""
        return tuple(int(status) for status in self.definition["responses"] if status[0] in "23")

    def __str__(self) -> str:
        return f"{self.service}:{self.id}"


@cache
def _document(service: str) -> dict[str, Any]:
    document: dict[str, Any] = _chassis_contract().load_contract(ROOT / "openapi" / f"{service}.yaml")
    return document


def document(service: str) -> dict[str, Any]:
    """The contract of one service in one piece; the caller's own copy."""
    return copy.deepcopy(_document(service))


def operations(*services: str) -> Iterator[Operation]:
    """Every operation of these services' contracts, of all when none is named."""
    module = _chassis_contract()
    for service in services or SERVICES:
        for identity, definition in module.operations(_document(service)).items():
            yield Operation(service, identity, definition["method"], definition["path"], definition)


@dataclass(frozen=True)
class Depth:
    """How far requests are looked for. `make contracts-deep` sets both by environment variables."""

    examples: int | None = (
        int(os.environ["CONTRACTS_EXAMPLES"]) if "CONTRACTS_EXAMPLES" in os.environ else None
    )
    seed: int | None = int(os.environ["CONTRACTS_SEED"]) if "CONTRACTS_SEED" in os.environ else None


DEPTH = Depth()


def configuration() -> SchemathesisConfig:
    """The file beside this one; with another seed it looks elsewhere, with more examples further."""
    settings = tomllib.loads(CONFIGURATION.read_text())
    if DEPTH.seed is not None:
        settings["seed"] = DEPTH.seed
        settings["generation"]["deterministic"] = False
    if DEPTH.examples is not None:
        settings["generation"]["max-examples"] = DEPTH.examples
    return SchemathesisConfig.from_dict(settings)


def schema(service: str, leaves: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()) -> Any:
    """What Schemathesis makes tests from. The real address is not known yet; the world names it with each
    request.

    Args:
        service: whose contract.
        leaves: operations whose links are left out.
        without: parameters that are left out.
    """
    contract = document(service)
    for operation in (one for path in contract["paths"].values() for one in path.values()):
        if not isinstance(operation, dict):
            continue
        operation["parameters"] = [
            one for one in operation.get("parameters", []) if one.get("name") not in without
        ]
        for response in operation["responses"].values():
            if operation["operationId"] in leaves:
                response.pop("links", None)
            for link in response.get("links", {}).values():
                for name in without & set(link.get("parameters", {})):
                    del link["parameters"][name]
    made = schemathesis.openapi.from_dict(contract, config=configuration())
    made.config.update(base_url="http://127.0.0.1:9")
    return made
