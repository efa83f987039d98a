"""The evaluator says what Prometheus would, and refuses what it does not know."""

from __future__ import annotations

import math

import pytest

from tests.observability.promql import Unknown, Value, evaluate, fires, read_exposition, sample

SERIES = [
    sample("up", 3, job="a", part="x"),
    sample("up", 5, job="b", part="x"),
    sample("up", 1, job="b", part="y"),
    sample("moment", 940),
    sample("left", math.inf, stage="due"),
    sample("seen_total", 7, before=4),
    sample("seen_total", 2, before=9, job="restarted"),
    sample("skew", -8),
]


def one(value: float, **labels: str) -> Value:
    return {frozenset(labels.items()): value}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("3 * 3600", 10_800),
        ("(time() - 400) / 2", 300),
        ("max(up)", one(5)),
        ("min(up)", one(1)),
        ('sum(up{job="b"})', one(6)),
        ('sum(up{job!="b"})', one(3)),
        ('sum(up{job=~"a|b",part!~"x"})', one(1)),
        ("max by (job) (up)", one(3, job="a") | one(5, job="b")),
        ("sum by (nothing) (up)", one(9)),
        ("max(up) > 4", one(5)),
        ("max(up) > 5", {}),
        ("4 < max(up)", one(5)),
        ("time() - max(moment) > 59", one(60)),
        ("time() - max(moment) > 60", {}),
        ('left{stage="due"} < 3600', {}),
        ("max(abs(skew))", one(8)),
        ("absent(up)", {}),
        ("absent(gone)", one(1)),
        ("max(gone) > 0", {}),
        ("max(up) > 9 or absent(gone)", one(1)),
        ("max(up) or min(up)", one(5)),
        ('increase(seen_total{job=""}[1h])', one(3)),
        ("sum(increase(seen_total[1h]))", one(5)),
    ],
)
def test_what_prometheus_would_say(expression: str, value: Value) -> None:
    assert evaluate(expression, SERIES, 1000) == value


@pytest.mark.parametrize(
    "expression",
    [
        "rate(seen_total[5m])",
        "up * on (job) up",
        "up > bool 3",
        "max without (job) (up)",
        "quantile(0.5, up)",
        "up offset 5m",
        "up + up",
        "-up",
        '"text"',
    ],
)
def test_what_is_not_here_is_refused(expression: str) -> None:
    with pytest.raises(Unknown):
        evaluate(expression, SERIES, 1000)


def test_an_alarm_fires_where_something_is_left() -> None:
    assert fires("max(up) > 4", SERIES, 1000)
    assert not fires("max(up) > 5", SERIES, 1000)
    assert not fires("max(gone) > 0", SERIES, 1000)


def test_the_text_format_is_read() -> None:
    text = (
        "# HELP a_total Words, with a 1.0 in them.\n# TYPE a_total counter\n"
        'a_total{kind="x y",of="\\"q\\""} 2.0\na_total 1e+03\nleft{stage="due"} +Inf\n'
    )
    found = list(read_exposition(text, job="w"))
    assert [(one.name, dict(one.labels), one.value) for one in found] == [
        ("a_total", {"kind": "x y", "of": '\\"q\\"', "job": "w"}, 2),
        ("a_total", {"job": "w"}, 1000),
        ("left", {"stage": "due", "job": "w"}, math.inf),
    ]
