"""The three contracts as documents, and the tests that Schemathesis makes from them."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = ("registration", "notifications", "metering")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SCOPES = ("buyer", "operator", "usage:read", "usage:write")


def _chassis_contract() -> ModuleType:
    """The chassis' own loader, so that what is tested is what is served. It needs nothing but PyYAML."""
    path = ROOT / "libs/chassis/src/chassis/contract.py"
    spec = importlib.util.spec_from_file_location("chassis_contract", path)
    assert spec and spec.loader
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


def configuration(seed: int | None = None, examples: int | None = None) -> SchemathesisConfig:
    """The file beside this one; with another seed it looks elsewhere, with more examples further."""
    config = SchemathesisConfig.from_path(CONFIGURATION)
    if seed is not None:
        config.update(seed=seed)
        config.projects.default.generation.deterministic = False
    if examples is not None:
        config.projects.default.generation.max_examples = examples
    return config


def schema(service: str, config: SchemathesisConfig | None = None) -> Any:
    """What Schemathesis makes tests from. Its address is not known yet: `World.send` names it."""
    made = schemathesis.openapi.from_dict(document(service), config=config or configuration())
    made.config.update(base_url="http://127.0.0.1:9")
    return made
