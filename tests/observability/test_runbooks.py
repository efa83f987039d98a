"""Each alarm has its page and each page its alarm; and what a page names is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.observability.known import ROOT, RUNBOOKS, alarms, labels_by_metric
from tools.metrics_page import SERVICES, page_of

PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "README.md")
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
EVERY_TEXT = pytest.mark.parametrize("page", [*PAGES, RUNBOOKS / "README.md"], ids=lambda page: page.stem)
PARTS = [
    "What it means",
    "How to see it",
    "What to do",
    "How to know that it is over",
    "If nobody acts",
]
METHODS = "GET|POST|PUT|PATCH|DELETE"


def test_each_alarm_has_its_page_and_each_page_its_alarm() -> None:
    wanted = {alarm.name: f"docs/runbooks/{page_of(alarm.name)}" for alarm in alarms()}
    assert {alarm.name: alarm.rule["annotations"]["runbook_url"] for alarm in alarms()} == wanted
    assert sorted(wanted.values()) == [str(page.relative_to(ROOT)) for page in PAGES]


@EACH_PAGE
def test_a_page_has_its_alarms_name_and_all_parts(page: Path) -> None:
    text = page.read_text()
    (title,) = re.findall(r"^# (\w+)$", text, re.MULTILINE)
    assert page_of(title) == page.name
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE):
        assert part.strip()


def test_the_list_of_pages_says_what_the_alarms_say() -> None:
    text = (RUNBOOKS / "README.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(([\w-]+\.md)\) \| (\w+) \|", text, re.MULTILINE)
    assert rows == [
        (alarm.name, page_of(alarm.name), alarm.rule["labels"]["severity"]) for alarm in _in_order_of(rows)
    ]
    assert len(rows) == len(alarms())


def _in_order_of(rows: list[tuple[str, str, str]]) -> list:  # type: ignore[type-arg]
    by_name = {alarm.name: alarm for alarm in alarms()}
    return [by_name[name] for name, _, _ in rows]


@EVERY_TEXT
def test_metrics_that_are_named_are_there(page: Path) -> None:
    named = set(re.findall(r"\b(marketplane_\w+)", page.read_text())) - {"marketplane_metering"}  # in a grep
    assert named - labels_by_metric().keys() == set()


@cache
def operations() -> set[str]:
    """`GET /v1/…`, with what stands in braces left out."""
    found = set()
    for service in SERVICES:
        contract = yaml.safe_load((ROOT / "openapi" / f"{service}.yaml").read_text())
        for path, methods in contract["paths"].items():
            found |= {f"{method.upper()} {_bare(path)}" for method in methods}
    return found


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path.partition("?")[0])


@EVERY_TEXT
def test_calls_that_are_named_stand_in_a_contract(page: Path) -> None:
    text = page.read_text()
    named = {f"{method} {_bare(path)}" for method, path in re.findall(rf"`({METHODS}) (/[^\s`]+)`", text)}
    assert named - operations() == set()


def test_query_parameters_that_are_named_are_there() -> None:
    parameters = set()
    for service in SERVICES:
        contract = (ROOT / "openapi" / f"{service}.yaml").read_text()
        parameters |= set(re.findall(r"name: (\w+)", contract))
    for page in PAGES:
        queries = re.findall(rf"`(?:{METHODS}) /[^\s`?]+\?([^\s`]+)`", page.read_text())
        named = {pair.partition("=")[0] for query in queries for pair in query.split("&")}
        assert named <= parameters, page.name


@EVERY_TEXT
def test_pages_of_the_console_that_are_named_are_there(page: Path) -> None:
    console = (ROOT / "web/src/operator/Console.tsx").read_text()
    routes = [_as_pattern(route) for route in re.findall(r'path="(/operator[^"]*)"', console)]
    for named in re.findall(r"`(/operator[^\s`]*)`", page.read_text()):
        assert any(re.fullmatch(route, named) for route in routes), named


def _as_pattern(route: str) -> str:
    return re.sub(r"/:\w+", r"/[^/]+", re.sub(r"/:\w+\?", r"(?:/[^/]+)?", route))


@EVERY_TEXT
def test_settings_that_are_named_are_there(page: Path) -> None:
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", page.read_text()))
    assert named - known == set()


@cache
def spoken() -> str:
    """All Python sources, with texts that go over several lines in one."""
    paths = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/*/src/**/*.py")]
    return "\n".join(re.sub(r'"\s*\n\s*f?"', "", path.read_text()) for path in paths)


def sentences(page: Path) -> list[str]:
    return re.findall(r"`([A-Z]\w*(?: [^`\n]+)\.)`", page.read_text())


@EVERY_TEXT
def test_sentences_of_the_log_are_the_logs(page: Path) -> None:
    assert [sentence for sentence in sentences(page) if f'"{sentence}"' not in spoken()] == []


def test_such_sentences_are_found() -> None:
    assert {
        "AWS refuses us, not a record: nothing is billed until a person mends it.",
        "A loop failed; it begins again.",
    } <= {sentence for page in PAGES for sentence in sentences(page)}
