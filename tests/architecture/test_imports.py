"""Who may import whom, and what a rule may not touch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES, calls, dotted, parsed
from tools import layout

# What would make a rule depend on a framework, on AWS, or on the minute in which it runs.
FORBIDDEN_MODULES = {
    "flask",
    "connexion",
    "werkzeug",
    "starlette",
    "gunicorn",
    "boto3",
    "botocore",
    "pynamodb",
    "httpx",
}
WALL_CLOCKS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "date.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
    "time.gmtime",
    "time.localtime",
}
RULES = [path for service in SERVICES for path in layout.rule_files(service)]


def outside_world(tree: ast.AST) -> Iterator[str]:
    """Imports that a rule may not have, wherever they stand."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (name for name in names if name.split(".")[0] in FORBIDDEN_MODULES)


def wall_clocks(tree: ast.AST) -> Iterator[str]:
    for call in calls(tree):
        name = dotted(call.func)
        if name in WALL_CLOCKS:
            yield f"line {call.lineno}: {name}()"


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_import_contracts_hold() -> None:
    """Services never import each other, the chassis knows no service, rules know no door."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.check_imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_rules() -> None:
    assert all(layout.rule_files(service) for service in SERVICES)


@pytest.mark.parametrize("path", RULES, ids=relative)
def test_a_rule_imports_no_framework_and_no_aws(path: Path) -> None:
    assert list(outside_world(parsed(path))) == []


@pytest.mark.parametrize("path", RULES, ids=relative)
def test_a_rule_takes_the_time_as_an_argument(path: Path) -> None:
    assert list(wall_clocks(parsed(path))) == []


def test_these_checks_can_fail() -> None:
    planted = ast.parse(
        "import time\nfrom datetime import datetime\n"
        "def rule():\n    from boto3.session import Session\n    return datetime.now(), time.time()\n"
    )
    assert list(outside_world(planted)) == ["boto3.session"]
    assert len(list(wall_clocks(planted))) == 2
