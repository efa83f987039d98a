"""Each alarm asks for what there is, fires when it should and only then, and says so in words."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from tests.observability import promql
from tests.observability.known import (
    NOW,
    OF_EVERY_SCRAPE,
    ROOT,
    Alarm,
    alarms,
    labels_by_metric,
    list_of_alarms,
    samples,
    wrong_in,
)
from tests.observability.promql import Sample, fires

EACH = pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: alarm.name)


def quiet() -> list[Sample]:
    return samples(list_of_alarms()["quiet"])


def firing(alarm: Alarm) -> list[list[Sample]]:
    return [samples(rows) for rows in list_of_alarms()["alarms"][alarm.name]["fires_on"]]


def test_names_are_given_once() -> None:
    names = [alarm.name for alarm in alarms()]
    assert len(names) == len(set(names))


@EACH
def test_it_asks_for_metrics_and_labels_that_there_are(alarm: Alarm) -> None:
    assert wrong_in(alarm.expression) == []


def test_that_check_can_fail() -> None:
    assert wrong_in("max(marketplane_dead_letters) > 0") == []
    assert wrong_in("max(marketplane_dead_letter)") == ["there is no marketplane_dead_letter"]
    assert wrong_in('max by (of) (increase(marketplane_dead_letters{kind="x"}[1h]))') == [
        "marketplane_dead_letters has no label kind",
        "nothing has a label of",
    ]


@EACH
def test_it_speaks_to_a_person(alarm: Alarm) -> None:
    rule = alarm.rule
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    summary = rule["annotations"]["summary"]
    assert re.match(r"[A-Z{]", summary)
    assert summary.endswith(".")
    named = set(re.findall(r"\$labels\.(\w+)", summary))
    assert named <= promql.grouping(alarm.expression), "what the aggregation drops is empty in the words"
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def test_no_alarm_fires_while_all_is_well() -> None:
    assert [alarm.name for alarm in alarms() if fires(alarm.expression, quiet(), NOW)] == []


def test_that_is_said_of_each_metric_that_an_alarm_asks_for() -> None:
    """Else an alarm would be quiet there for want of a series."""
    asked = {metric for alarm in alarms() for metric in alarm.metrics}
    assert {one.name for one in quiet()} == asked


@EACH
def test_it_fires_on_its_condition_and_no_other_alarm_does(alarm: Alarm) -> None:
    conditions = firing(alarm)
    assert conditions
    for found in conditions:
        # In the place of what all is well with; of the rest of the house nothing is changed.
        moved = {one.name for one in found} or alarm.metrics
        around = [one for one in quiet() if one.name not in moved]
        fired = [one.name for one in alarms() if fires(one.expression, [*around, *found], NOW)]
        assert fired == [alarm.name]


def test_each_alarm_is_on_the_list_and_the_list_names_no_other() -> None:
    assert sorted(list_of_alarms()["alarms"]) == sorted(alarm.name for alarm in alarms())


def test_the_lists_series_are_series_of_ours() -> None:
    known = labels_by_metric()
    every = [quiet(), *(found for alarm in alarms() for found in firing(alarm))]
    for one in (one for rows in every for one in rows):
        own = {name for name, _ in one.labels} - OF_EVERY_SCRAPE
        assert own == known[one.name] - OF_EVERY_SCRAPE, one


@EACH
def test_its_condition_is_made_and_its_metric_seen_to_move(alarm: Alarm) -> None:
    """The tests that the list names are there, and ask for each of the metrics. (They run with the service
    whose metric it is.)"""
    named = list_of_alarms()["alarms"][alarm.name]["tests"]
    text = "\n".join(source_of(one) for one in named)
    assert {metric for metric in alarm.metrics if metric not in text} == set()


def source_of(test: str) -> str:
    """A test, and what of its own file it uses."""
    path, name = test.split("::")
    tree: Any = ast.parse((ROOT / path).read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name in functions, f"there is no {test}"
    used = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
    wanted = [functions[name], *(functions[one] for one in sorted(used & functions.keys()))]
    return "\n".join(ast.unparse(node) for node in wanted)
