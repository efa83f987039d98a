"""Who may import whom: the contracts of pyproject.toml, and one per service for the rules that are on disk
now."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import importlinter.cli

from tools import layout

ROOT = layout.ROOT
OUTSIDE_WORLD = [
    "flask",
    "connexion",
    "werkzeug",
    "starlette",
    "boto3",
    "botocore",
    "pynamodb",
    "gunicorn",
    "requests",
    "httpx",
]


def contracts_of(service: str) -> list[dict[str, Any]]:
    """What holds inside one service."""
    rules = [f"{service}.{module}" for module in layout.rules(service)]
    there = set(layout.modules(service))
    tops = {module.split(".")[0] for module in there}
    outside = [
        f"{service}.{top}" for top in sorted(tops) if not layout.is_rule(service, top) and top != "__main__"
    ]
    readers = {"app", "asgi", "__main__", "settings"}
    contracts: list[dict[str, Any]] = []
    if rules:
        contracts.append(
            {
                "name": f"{service}: rules touch no door, no hand and no framework",
                "type": "forbidden",
                "source_modules": rules,
                "forbidden_modules": [*outside, *OUTSIDE_WORLD],
            }
        )
    if "settings" in there:
        contracts.append(
            {
                "name": f"{service}: only app.py reads settings",
                "type": "forbidden",
                "source_modules": sorted(f"{service}.{module}" for module in there - readers),
                "forbidden_modules": [f"{service}.settings"],
                "allow_indirect_imports": True,
            }
        )
    return contracts


def main() -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for service in layout.SERVICES:
        settings["contracts"] += contracts_of(service)
    parts = ("services/*/src", "libs/*/src", "clients/*/src", "simulator/src")
    sys.path[:0] = [str(folder) for part in parts for folder in ROOT.glob(part)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "importlinter.toml"
        file.write_text(as_toml(settings))
        os.chdir(ROOT)
        return importlinter.cli.lint_imports(config_filename=str(file), no_cache=True)


def as_toml(settings: dict[str, Any]) -> str:
    """import-linter reads contracts from a file only. JSON's strings, lists and booleans are TOML's too."""
    plain = {name: value for name, value in settings.items() if name != "contracts"}
    lines = ["[tool.importlinter]", *(f"{name} = {json.dumps(value)}" for name, value in plain.items())]
    for contract in settings["contracts"]:
        lines += ["", "[[tool.importlinter.contracts]]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in contract.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
