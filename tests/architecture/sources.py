"""Source files, parsed and never run: what stands in them can be asked without installing anything."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.contract.contracts import ROOT, SERVICES

__all__ = [
    "ROOT",
    "SERVICES",
    "calls",
    "dotted",
    "functions",
    "modules",
    "parsed",
    "repository_files",
    "source",
]


def source(service: str) -> Path:
    return ROOT / "services" / service / "src" / service


def modules(service: str) -> list[Path]:
    """All modules of a service."""
    found = sorted(source(service).rglob("*.py"))
    assert found, f"services/{service} has no source"
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, methods and nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def dotted(node: ast.AST) -> str:
    """`datetime.now` of the expression `datetime.now`; empty where it is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return ""


@cache
def repository_files() -> tuple[Path, ...]:
    """What git keeps or would keep: everything here that is not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())
    assert found, "git lists no file"
    return found
