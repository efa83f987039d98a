"""Evaluates the PromQL that our alarms are written in, at one moment: what `promtool test rules` would do.

The parser is Prometheus's grammar (promql-parser). Of its functions and operators those are here that the
alarms use; any other is an error, never a guess.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import promql_parser as ast

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = Vector | float


@dataclass(frozen=True)
class Sample:
    """One series: its value now, and what it was as long ago as any range asks; the same where it is None."""

    name: str
    labels: Labels
    value: float
    before: float | None = None


def sample(name: str, value: float, *, before: float | None = None, **labels: str) -> Sample:
    return Sample(name, frozenset(labels.items()), value, before)


class Unknown(Exception):
    """Something of PromQL that is not here."""


def read_exposition(text: str, **scraped_with: str) -> Iterator[Sample]:
    """The samples of Prometheus's text format, each with the labels that a scrape adds."""
    for line in text.splitlines():
        if found := re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line):
            name, labels, value = found.groups()
            named = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            yield Sample(name, frozenset((named | scraped_with).items()), float(value))


def evaluate(expression: str, samples: Iterable[Sample], now: float) -> Value:
    """The value of an expression.

    Args:
        expression: PromQL.
        samples: all series there are.
        now: the moment, in seconds since 1970.
    """
    return _Evaluation(list(samples), now).of(ast.parse(expression))


def fires(expression: str, samples: Iterable[Sample], now: float) -> bool:
    """Whether an alarm with this expression begins to wait for its `for`: something is left of it."""
    value = evaluate(expression, samples, now)
    assert isinstance(value, dict), "an alarm's expression is a vector"
    return bool(value)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda one, other: one / other if other else math.nan,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {"max": max, "min": min, "sum": sum}


class _Evaluation:
    def __init__(self, samples: list[Sample], now: float) -> None:
        self._samples = samples
        self._now = now

    def of(self, node: ast.Expr) -> Value:
        if isinstance(node, ast.ParenExpr):
            return self.of(node.expr)
        if isinstance(node, ast.NumberLiteral):
            return node.val
        if isinstance(node, ast.VectorSelector):
            return {one.labels: one.value for one in self._selected(node)}
        if isinstance(node, ast.AggregateExpr):
            return self._aggregated(node)
        if isinstance(node, ast.BinaryExpr):
            return self._combined(node)
        if isinstance(node, ast.Call):
            return self._called(node)
        raise Unknown(type(node).__name__)

    def _vector(self, node: ast.Expr) -> Vector:
        value = self.of(node)
        if not isinstance(value, dict):
            raise Unknown("a scalar where a vector stands")
        return value

    def _selected(self, node: ast.VectorSelector) -> list[Sample]:
        if node.offset or node.at or node.matchers.or_matchers:
            raise Unknown(str(node))
        return [
            one
            for one in self._samples
            if one.name == node.name
            and all(_matches(dict(one.labels), matcher) for matcher in node.matchers.matchers)
        ]

    def _called(self, node: ast.Call) -> Value:
        name, arguments = node.func.name, node.args
        if name == "time":
            return self._now
        if name == "abs":
            return {labels: abs(value) for labels, value in self._vector(arguments[0]).items()}
        if name == "absent":
            return {} if self._vector(arguments[0]) else {frozenset(): 1.0}
        if name == "increase" and isinstance(arguments[0], ast.MatrixSelector):
            # Of a series that began within the range Prometheus sees no increase up to its first value.
            chosen = self._selected(arguments[0].vector_selector)
            return {one.labels: _increase(one) for one in chosen}
        raise Unknown(name)

    def _aggregated(self, node: ast.AggregateExpr) -> Vector:
        aggregate = _AGGREGATES.get(str(node.op))
        modifier = node.modifier
        if aggregate is None or (modifier and modifier.type != ast.AggModifierType.By):
            raise Unknown(str(node))
        by = set(modifier.labels) if modifier else set()
        groups: dict[Labels, list[float]] = {}
        for labels, value in self._vector(node.expr).items():
            kept = frozenset(pair for pair in labels if pair[0] in by)
            groups.setdefault(kept, []).append(value)
        return {labels: aggregate(values) for labels, values in groups.items()}

    def _combined(self, node: ast.BinaryExpr) -> Value:
        left, right, sign = self.of(node.lhs), self.of(node.rhs), str(node.op)
        if node.modifier and (node.modifier.matching or node.modifier.return_bool):
            raise Unknown(str(node))
        if sign == "or" and isinstance(left, dict) and isinstance(right, dict):
            return right | left
        if isinstance(left, dict) and isinstance(right, dict):
            raise Unknown(f"{sign} between two vectors")
        if sign in _ARITHMETIC:
            return _each(_ARITHMETIC[sign], left, right)
        if sign in _COMPARISONS and not (isinstance(left, float) and isinstance(right, float)):
            return _filtered(_COMPARISONS[sign], left, right)
        raise Unknown(sign)


def _each(act: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, dict):
        assert not isinstance(right, dict)
        return {labels: act(value, right) for labels, value in left.items()}
    if isinstance(right, dict):
        return {labels: act(left, value) for labels, value in right.items()}
    return act(left, right)


def _filtered(compare: Callable[[float, float], bool], left: Value, right: Value) -> Vector:
    """The elements of which the comparison holds, with their own values."""
    if isinstance(left, dict):
        assert not isinstance(right, dict)
        return {labels: value for labels, value in left.items() if compare(value, right)}
    assert isinstance(right, dict)
    return {labels: value for labels, value in right.items() if compare(left, value)}


def _increase(one: Sample) -> float:
    before = one.value if one.before is None else one.before
    return one.value - before if one.value >= before else one.value


def _matches(labels: dict[str, str], matcher: ast.Matcher) -> bool:
    found = labels.get(matcher.name, "")
    if matcher.op == ast.MatchOp.Equal:
        return found == matcher.value
    if matcher.op == ast.MatchOp.NotEqual:
        return found != matcher.value
    matched = re.fullmatch(matcher.value, found) is not None
    return matched == (matcher.op == ast.MatchOp.Re)


def selectors(expression: str) -> list[ast.VectorSelector]:
    """All metrics that an expression asks for."""
    found: list[ast.VectorSelector] = []

    def note(node: ast.Expr) -> None:
        if isinstance(node, ast.VectorSelector):
            found.append(node)

    ast.walk(ast.parse(expression), note)
    return found


def grouping(expression: str) -> set[str]:
    """All labels that an expression groups by."""
    found: set[str] = set()

    def note(node: ast.Expr) -> None:
        if isinstance(node, ast.AggregateExpr) and node.modifier:
            found.update(node.modifier.labels)

    ast.walk(ast.parse(expression), note)
    return found
