"""What requests to DynamoDB cost in write units, by its rules, counted from the requests that are really
sent.

A write costs a unit for each started KB of the item, the larger of before and after, and two in a
transaction; one whose condition fails costs the same. Beside that, each index costs a unit for each started
KB of what it shows of the item: once if that appears, disappears or looks different, twice if its key
changes, and nothing if it stays. (DynamoDB Developer Guide: "Read and write operations", "Item sizes and
formats", "Using Global Secondary Indexes".)
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chassis.quick_calls import QuickCalls

Item = Mapping[str, Mapping[str, Any]]
Ask = Callable[[QuickCalls, str, dict[str, Any]], dict[str, Any] | None]

KB = 1024
WRITES = {"Put": "Item", "Update": "Key", "Delete": "Key"}


def item_bytes(item: Item) -> int:
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        digits = content.lstrip("-").replace(".", "").strip("0") or "0"
        return (len(digits) + 1) // 2 + 1 + content.startswith("-")
    if kind == "B":
        return len(content)
    if kind in ("SS", "NS", "BS"):
        return sum(_value_bytes({kind[0]: one}) for one in content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(one) for name, one in content.items())
    return 1  # true, false and null


def units(size: int) -> int:
    return max(-(-size // KB), 1)


def index_units(before: Item | None, after: Item | None, key: list[str]) -> int:
    """Of what an index shows before and after; None where the item is not in it."""
    if before == after:
        return 0
    if before is None or after is None:
        return units(item_bytes(before or after or {}))
    if any(before[name] != after[name] for name in key):
        return units(item_bytes(before)) + units(item_bytes(after))
    return units(max(item_bytes(before), item_bytes(after)))


@dataclass(frozen=True)
class _Index:
    name: str
    key: list[str]
    shown: frozenset[str] | None  # None: all

    def of(self, item: Item | None) -> Item | None:
        if item is None or not all(name in item for name in self.key):
            return None
        return {name: value for name, value in item.items() if self.shown is None or name in self.shown}


@dataclass
class _Write:
    table: str
    key: Item
    before: Item | None
    wished: Item
    times: int


@dataclass
class WriteUnits:
    """Counts what clients send while this is open.

    Attributes:
        clients: of botocore, each once; each of their writes takes two reads more. What goes past them
            (`chassis.quick_calls`) is counted too.
        reader: another, which is not counted.
        transactions: the units of each transaction, in order.
        plain: units of writes outside of transactions, by table.
        indexes: by table and index.
    """

    clients: list[Any]
    reader: Any
    transactions: list[int] = field(default_factory=list)
    plain: Counter[str] = field(default_factory=Counter)
    indexes: Counter[tuple[str, str]] = field(default_factory=Counter)
    _ask: Ask = QuickCalls.ask
    _tables: dict[str, tuple[list[str], list[_Index]]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._ask = QuickCalls.ask
        QuickCalls.ask = self._counted(self._ask)  # type: ignore[method-assign]
        for events in (client.meta.events for client in self.clients):
            events.register("before-parameter-build.dynamodb", self._before, unique_id=id(self))
            events.register("after-call.dynamodb", self._after, unique_id=-id(self))
        return self

    def __exit__(self, *_: object) -> None:
        QuickCalls.ask = self._ask  # type: ignore[method-assign]
        for events in (client.meta.events for client in self.clients):
            events.unregister("before-parameter-build.dynamodb", unique_id=id(self))
            events.unregister("after-call.dynamodb", unique_id=-id(self))

    @property
    def total(self) -> int:
        return sum(self.transactions) + self.plain.total() + self.indexes.total()

    def _counted(self, ask: Ask) -> Ask:
        def counted(quick: QuickCalls, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
            writes = list(self._writes(operation, request))
            answer = ask(quick, operation, request)
            self._count(operation, writes, done=answer is not None)
            return answer

        return counted

    def _before(self, params: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        context["writes"] = list(self._writes(model.name, params))

    def _after(self, http_response: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        self._count(model.name, context.pop("writes", []), done=http_response.status_code < 300)

    def _count(self, operation: str, writes: list[_Write], *, done: bool) -> None:
        cost = 0
        for write in writes:
            _, indexes = self._table(write.table)
            after = self._read(write.table, write.key) if done else write.before
            sizes = [item_bytes(one) for one in (write.before, after, write.wished) if one]
            of_it = write.times * units(max(sizes))
            cost += of_it
            if write.times == 1:
                self.plain[write.table] += of_it
            for index in indexes:
                of_index = index_units(index.of(write.before), index.of(after), index.key)
                if of_index:
                    self.indexes[write.table, index.name] += of_index
        if writes and operation == "TransactWriteItems":
            self.transactions.append(cost)

    def _writes(self, operation: str, params: Any) -> Iterator[_Write]:
        if operation == "TransactWriteItems":
            for action in params["TransactItems"]:
                ((kind, request),) = action.items()
                if kind in WRITES:
                    yield self._write(request["TableName"], request[WRITES[kind]], 2)
        elif operation == "BatchWriteItem":
            for table, requests in params["RequestItems"].items():
                for one in requests:
                    ((_, request),) = one.items()
                    yield self._write(table, request.get("Item") or request["Key"], 1)
        elif operation.removesuffix("Item") in WRITES:
            yield self._write(params["TableName"], params[WRITES[operation.removesuffix("Item")]], 1)

    def _write(self, table: str, item: Item, times: int) -> _Write:
        key = {name: item[name] for name in self._table(table)[0]}
        return _Write(table, key, self._read(table, key), item, times)

    def _read(self, table: str, key: Item) -> Item | None:
        found: Item | None = self.reader.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return found

    def _table(self, name: str) -> tuple[list[str], list[_Index]]:
        if name not in self._tables:
            told = self.reader.describe_table(TableName=name)["Table"]
            key = _names(told)
            self._tables[name] = key, [_index(one, key) for one in told.get("GlobalSecondaryIndexes", ())]
        return self._tables[name]


def _names(told: Any) -> list[str]:
    return [one["AttributeName"] for one in told["KeySchema"]]


def _index(told: Any, of_table: list[str]) -> _Index:
    key, projection = _names(told), told["Projection"]
    shown = None
    if projection["ProjectionType"] != "ALL":
        shown = frozenset([*key, *of_table, *projection.get("NonKeyAttributes", ())])
    return _Index(told["IndexName"], key, shown)
