"""One owner per table: only the owner's code can write it. A sibling's table has a model that is read and
nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES, calls, dotted, functions, modules, parsed

# design: three tables are published for reading; every other is private to its owner.
PUBLISHED = {"subscriptions": "notifications", "customers": "registration", "identities": "registration"}

WRITES = {
    *("save", "update", "delete", "batch_write", "create_table", "delete_table", "update_ttl"),
    *("put_item", "update_item", "delete_item", "batch_write_item", "transact_write_items"),
}


@cache
def models(service: str) -> dict[str, str]:
    """The tables that a service knows: table name by model class."""
    found = {}
    for path in modules(service):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef) and (table := table_name(node)):
                found[node.name] = table
    return found


def table_name(model: ast.ClassDef) -> str:
    """`table_name` of a model's Meta; empty for any other class."""
    for meta in model.body:
        if isinstance(meta, ast.ClassDef) and meta.name == "Meta":
            for line in meta.body:
                if isinstance(line, ast.Assign) and dotted(line.targets[0]) == "table_name":
                    assert isinstance(line.value, ast.Constant), (
                        f"{model.name}: a table name that is computed"
                    )
                    return str(line.value.value)
    return ""


@cache
def owned(service: str) -> frozenset[str]:
    """The model classes that the service creates tables for: what it hands to `create_tables`."""
    lists = {}
    for path in modules(service):
        for node in parsed(path).body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(node, ast.Assign):
                target = node.targets[0]
            value = getattr(node, "value", None)
            if target is not None and isinstance(value, ast.List):
                lists[dotted(target)] = value
    handed = [
        dotted(call.args[0]).rsplit(".", 1)[-1]
        for path in modules(service)
        for call in calls(parsed(path))
        if dotted(call.func) == "create_tables"
    ]
    assert handed, f"{service} creates no tables"
    return frozenset(dotted(element) for name in handed for element in lists[name].elts)


def foreign(service: str) -> dict[str, str]:
    """The models of tables that another service owns."""
    return {model: table for model, table in models(service).items() if model not in owned(service)}


def writes_of(tree: ast.AST, names: set[str]) -> Iterator[str]:
    """Whatever could write through these models: any use but reading.

    A model may be mentioned, read from, or have its columns named. It may not be called (an unsaved row can
    be saved), nor may any other method of it; and a function that mentions it calls nothing that writes, so
    that what it read cannot be saved either.
    """
    for call in calls(tree):
        if dotted(call.func) in names:
            yield f"line {call.lineno}: a row of {dotted(call.func)} is made"
        if isinstance(call.func, ast.Attribute):
            owner, method = dotted(call.func.value).split(".")[0], call.func.attr
            if owner in names and method in WRITES:
                yield f"line {call.lineno}: {owner}.{method}()"
    for function in functions(tree):
        mentioned = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} & names
        if not mentioned:
            continue
        for call in calls(function):
            if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES:
                yield f"line {call.lineno}: .{call.func.attr}() beside {', '.join(sorted(mentioned))}"


def test_each_table_has_one_owner() -> None:
    owners: dict[str, list[str]] = {}
    for service in SERVICES:
        for model in owned(service):
            owners.setdefault(models(service)[model], []).append(service)
    assert {table: who for table, who in owners.items() if len(who) != 1} == {}
    assert {table: who[0] for table, who in owners.items() if table in PUBLISHED} == PUBLISHED


@pytest.mark.parametrize("service", SERVICES)
def test_a_sibling_s_table_is_a_published_one(service: str) -> None:
    assert set(foreign(service).values()) <= {table for table, owner in PUBLISHED.items() if owner != service}


def test_siblings_do_read_the_published_subscriptions() -> None:
    """Or the tests of this file would guard nothing."""
    assert [service for service in SERVICES if "subscriptions" in foreign(service).values()] == [
        "registration",
        "metering",
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_sibling_s_table_is_never_written(service: str) -> None:
    names = set(foreign(service))
    found = [
        f"{path.relative_to(ROOT)} {write}"
        for path in modules(service)
        for write in writes_of(parsed(path), names)
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_table_is_reached_by_its_plain_name(service: str) -> None:
    """A low-level call with a table's name in a string would pass by its model, and by the tests above."""
    names = set(foreign(service).values()) | set(PUBLISHED)
    found = [
        f"{path.relative_to(ROOT)} line {node.lineno}"
        for path in modules(service)
        for node in low_level_names(parsed(path), names)
    ]
    assert found == []


def low_level_names(tree: ast.AST, names: set[str]) -> Iterator[ast.Constant]:
    for call in calls(tree):
        for keyword in call.keywords:
            if keyword.arg in ("TableName", "table_name"):
                for node in ast.walk(keyword.value):
                    text = node.value if isinstance(node, ast.Constant) else None
                    if isinstance(text, str) and text.endswith(tuple(names)):
                        yield node


def test_these_checks_can_fail() -> None:
    planted = ast.parse(
        "def take(key):\n    row = SubscriptionRow.get(key)\n    row.status = 'active'\n    row.save()\n"
        "def make():\n    return SubscriptionRow('x')\n"
        "client.put_item(TableName=prefix + 'subscriptions')\n"
    )
    assert len(list(writes_of(planted, {"SubscriptionRow"}))) == 2
    assert len(list(low_level_names(planted, {"subscriptions"}))) == 1
    assert not list(
        writes_of(ast.parse("def see(key):\n    return SubscriptionRow.get(key)\n"), {"SubscriptionRow"})
    )


def test_a_row_s_schema_names_the_owner() -> None:
    for table, owner in PUBLISHED.items():
        text = (ROOT / "openapi/tables" / f"{table}.schema.json").read_text()
        assert f"Owner and only writer: {owner}" in text, Path(f"openapi/tables/{table}.schema.json")
