"""What a contract grants, in AWS's words and in ours."""

from typing import Any

import pytest
from samples import LATER

from registration.entitlements import Entitlement, understand


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ({"IntegerValue": 20}, "integer", "20"),
        ({"IntegerValue": 0}, "integer", "0"),
        ({"DoubleValue": 1.5}, "double", "1.5"),
        ({"BooleanValue": True}, "boolean", "true"),
        ({"BooleanValue": False}, "boolean", "false"),
        ({"StringValue": "Enabled"}, "string", "Enabled"),
        ({"StringValue": ""}, "string", ""),
    ],
)
def test_each_member_of_awss_union(value: dict[str, Any], kind: str, text: str) -> None:
    (found,) = understand([{"Dimension": "seats", "Value": value, "ExpirationDate": LATER}])
    assert found == Entitlement("seats", kind, text, LATER)  # type: ignore[arg-type]


def test_without_an_end_there_is_none() -> None:
    (found,) = understand([{"Dimension": "seats", "Value": {"IntegerValue": 1}}])
    assert found.expires_at is None


@pytest.mark.parametrize(
    "row",
    [
        {"Dimension": "seats"},
        {"Dimension": "seats", "Value": None},
        {"Dimension": "seats", "Value": {}},
        {"Dimension": "seats", "Value": {"A member of tomorrow": 1}},
    ],
)
def test_a_row_without_a_value_grants_nothing(row: dict[str, Any]) -> None:
    assert understand([row]) == ()


def test_none_is_none() -> None:
    assert understand([]) == ()


def test_all_rows_count_in_the_order_of_their_dimensions() -> None:
    rows = [
        {"Dimension": "seats", "Value": {"IntegerValue": 20}},
        {"Dimension": "audit", "Value": {"BooleanValue": True}},
        {"Dimension": "seats", "Value": {"IntegerValue": 10}},
    ]
    in_order = [("audit", "true"), ("seats", "10"), ("seats", "20")]
    for order in (rows, rows[::-1]):
        assert [(one.dimension, one.value) for one in understand(iter(order))] == in_order
