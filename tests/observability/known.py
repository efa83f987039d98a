"""What there is: metrics with their labels, alarms, and what each alarm's list says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.observability import promql
from tests.observability.promql import Sample
from tools import metrics_page

ROOT = Path(__file__).resolve().parent.parent.parent
RUNBOOKS = ROOT / "docs" / "runbooks"
OF_EVERY_SCRAPE = {"job", "instance"}
NOW = 1_795_341_600.0
"""The moment of all evaluations: 22 November 2026, 10:00 UTC."""


@dataclass(frozen=True)
class Alarm:
    """A rule of observability/alerts.yaml."""

    name: str
    expression: str
    rule: dict[str, Any]

    @property
    def metrics(self) -> set[str]:
        return {str(one.name) for one in promql.selectors(self.expression)}


@cache
def labels_by_metric() -> dict[str, set[str]]:
    """Of each series that may be asked for, its labels."""
    found: dict[str, set[str]] = {}
    for metrics in metrics_page.every_metric().values():
        for one in metrics:
            own = set(one.labels) | OF_EVERY_SCRAPE
            if one.kind == "histogram":
                found[f"{one.name}_bucket"] = own | {"le"}
                found[f"{one.name}_sum"] = found[f"{one.name}_count"] = own
            else:
                found[one.name] = own
    return found


@cache
def alarms() -> list[Alarm]:
    document = yaml.safe_load(metrics_page.ALERTS.read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    return [Alarm(rule["alert"], rule["expr"], rule) for rule in rules]


@cache
def list_of_alarms() -> dict[str, Any]:
    """tests/observability/alarms.yaml."""
    return dict(yaml.safe_load(Path(__file__).with_name("alarms.yaml").read_text()))


def samples(rows: list[dict[str, Any]]) -> list[Sample]:
    """Of that list."""
    found = []
    for row in rows:
        labels = {
            name: text for name, text in row.items() if name not in ("metric", "value", "age", "before")
        }
        value = NOW - row["age"] if "age" in row else float(row["value"])
        found.append(promql.sample(row["metric"], value, before=row.get("before"), **labels))
    return found


def wrong_in(expression: str) -> list[str]:
    """Metrics and labels of an expression that there are not."""
    known = labels_by_metric()
    wrong = []
    allowed: set[str] = set()
    for one in promql.selectors(expression):
        name = str(one.name)
        if name not in known:
            wrong.append(f"there is no {name}")
            continue
        allowed |= known[name]
        asked = {matcher.name for matcher in one.matchers.matchers}
        wrong += [f"{name} has no label {label}" for label in sorted(asked - known[name])]
    wrong += [f"nothing has a label {label}" for label in sorted(promql.grouping(expression) - allowed)]
    return wrong
