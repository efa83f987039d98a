"""The dashboard asks for what there is, shows all that there is, and can be taken in by Grafana as it is."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.observability import promql
from tests.observability.known import ROOT, alarms, labels_by_metric, wrong_in

DASHBOARD = json.loads((ROOT / "observability" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
ASKING = [panel for panel in PANELS if panel["type"] != "row"]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def expressions(panel: dict[str, Any]) -> list[str]:
    """As Prometheus gets them: Grafana puts a time in the place of its variable."""
    return [target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"]]


def test_it_is_of_the_schema_that_grafana_writes() -> None:
    assert DASHBOARD["schemaVersion"] == 42
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("marketplane", "Marketplane")
    assert DASHBOARD["timezone"] == "utc"
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )


def test_there_is_a_row_for_each_service() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert {"Registration", "Notifications", "Metering", "Every process"} <= set(rows)


@pytest.mark.parametrize("panel", ASKING, ids=lambda panel: panel["title"])
def test_each_panel_asks_for_metrics_and_labels_that_there_are(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    letters = [target["refId"] for target in panel["targets"]]
    assert len(letters) == len(set(letters))
    for expression, target in zip(expressions(panel), panel["targets"], strict=True):
        assert wrong_in(expression) == []
        shown = {word.strip("{} ") for word in target["legendFormat"].split("{{")[1:]}
        named = {word.split("}}")[0] for word in shown}
        assert named <= promql.grouping(expression)


def test_each_metric_is_shown() -> None:
    shown = {one.name for panel in ASKING for text in expressions(panel) for one in promql.selectors(text)}
    missing = {name for name in labels_by_metric() if name not in shown}
    # Of a histogram its buckets, or its mean.
    assert {name for name in missing if not name.endswith(("_bucket", "_sum", "_count"))} == set()


def test_words_that_name_an_alarm_name_one_that_there_is() -> None:
    known = {alarm.name for alarm in alarms()}
    for panel in ASKING:
        _, _, names = panel.get("description", "").partition("Alarm")
        named = {word for word in names.removeprefix("s").strip(" .").split() if word not in ("and", "")}
        assert named <= known, panel["title"]


def test_nothing_lies_on_anything_else() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
