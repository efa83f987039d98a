"""Loads an OpenAPI contract from its files into one document.

References to other files are replaced by what they name; references inside the contract stay.
"""

from pathlib import Path
from typing import Any

import yaml

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


def load_contract(path: Path) -> dict[str, Any]:
    """Read `openapi/<service>.yaml` and inline what it takes from other files.

    Raises:
        FileNotFoundError, KeyError: a reference names a file or a part that is not there; the error says
        which.
        ValueError: a part of another file contains itself, so that it cannot be replaced by what it names.
    """
    files: dict[Path, Any] = {}

    def read(file: Path) -> Any:
        if file not in files:
            # libyaml's, ten times as quick: every start of a process reads its contract.
            files[file] = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        return files[file]

    def part_of(target: Path, pointer: str, reference: str, home: Path) -> Any:
        part = read(target)
        for step in pointer.strip("/").split("/") if pointer.strip("/") else []:
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                part = part[int(name)] if isinstance(part, list) else part[name]
            except (KeyError, IndexError, TypeError, ValueError):
                raise KeyError(f"{home} refers to {reference}, and there is no {name!r} there.") from None
        return part

    def inline(node: Any, home: Path, within: tuple[tuple[Path, str], ...] = ()) -> Any:
        if isinstance(node, list):
            return [inline(item, home, within) for item in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str):
            name, _, pointer = reference.partition("#")
            target = (home.parent / name).resolve() if name else home
            if target != root or home != root:
                if (target, pointer) in within:
                    raise ValueError(
                        f"{target}#{pointer} contains itself; only the contract's own parts may."
                    )
                part = part_of(target, pointer, reference, home)
                return inline(part, target, (*within, (target, pointer)))
        return {key: inline(value, home, within) for key, value in node.items()}

    root = path.resolve()
    document = inline(read(root), root)
    assert isinstance(document, dict)
    return document


def operations(contract: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation of a contract by its operationId, with `method` and `path` added."""
    return {
        operation["operationId"]: operation | {"method": method, "path": path}
        for path, item in contract["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def named_schema(contract: dict[str, Any], name: str) -> Any:
    """A schema of `components` with its references to other schemas replaced, for a compiled validator."""
    return without_references(contract, contract["components"]["schemas"][name])


def without_references(contract: dict[str, Any], schema: Any) -> Any:
    """A schema with its references to the contract's named schemas replaced by them."""
    if isinstance(schema, list):
        return [without_references(contract, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return named_schema(contract, schema["$ref"].rsplit("/", 1)[1])
    return {key: without_references(contract, value) for key, value in schema.items()}
