"""Would the contracts of today break somebody who followed the released ones?

    python tools/contract_diff.py [--released openapi/released] [--current openapi]

Breaking is what can make a consumer stop working who followed the old contract:

- what it may send is accepted no longer (a removed operation, parameter or property; a new required one; a
narrower
  type, enum, limit or pattern; a new security requirement), or
- what it gets is something it was never told of (a removed or no longer required property, a removed status,
a new
  success status, a wider type, enum or limit).

Not breaking: new operations, new optional request parts, new properties in answers and messages (readers pass
over what they do not know), new error statuses, words, examples, names of operations.

Messages and table items are what others read, so they are held to the rule for answers; what AWS sends us
(openapi/events/sns-* and eventbridge-*) is what we take, so it is held to the rule for requests.
A change that this tool calls a break, and a person has judged to be none, stands in judged.yaml beside the
released contracts: its sentence, and why it breaks nobody. A judgement on what is no longer found is called
out too.

Exits 1 and names each break. With nothing released it says so and exits 0.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import yaml

ROOT = Path(__file__).resolve().parent.parent
JUDGED = "judged.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ALL_TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
# Keyword, and whether a greater value lets more through.
LIMITS = {
    "maxLength": True,
    "maxItems": True,
    "maxProperties": True,
    "maximum": True,
    "minLength": False,
    "minItems": False,
    "minProperties": False,
    "minimum": False,
}
# Keywords whose change this tool cannot judge; it asks for a person by calling it a break.
UNJUDGED = (
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
)

FROM_AWS = ("sns-", "eventbridge-")

Direction = Literal["sent", "got"]


@dataclass(frozen=True)
class Node:
    """A part of a document, with what its references are relative to."""

    value: Any
    file: Path
    documents: Documents

    def resolved(self) -> Node:
        """The part itself, or what its `$ref` leads to at last."""
        node = self
        for _ in range(20):
            if not (isinstance(node.value, dict) and isinstance(node.value.get("$ref"), str)):
                return node
            node = node.documents.at(node.value["$ref"], node.file)
        raise ValueError(f"{self.file}: {self.value} leads round in a circle")

    def __getitem__(self, key: Any) -> Node:
        return Node(self.value[key], self.file, self.documents)

    def get(self, key: str) -> Node | None:
        return self[key] if isinstance(self.value, dict) and key in self.value else None

    def plain(self, key: str, default: Any = None) -> Any:
        return self.value.get(key, default) if isinstance(self.value, dict) else default

    def items(self, key: str) -> dict[str, Node]:
        """A mapping below this part, each entry resolved; empty when it is not there."""
        return {str(name): self[key][name].resolved() for name in self.plain(key) or {}}


class Documents:
    """Files read once each."""

    def __init__(self) -> None:
        self._read: dict[Path, Any] = {}

    def root(self, file: Path) -> Node:
        path = file.resolve()
        if path not in self._read:
            self._read[path] = yaml.safe_load(path.read_text())
        return Node(self._read[path], path, self)

    def at(self, reference: str, base: Path) -> Node:
        name, _, pointer = reference.partition("#")
        node = self.root(base.parent / name if name else base)
        for part in filter(None, pointer.split("/")):
            key: Any = unquote(part).replace("~1", "/").replace("~0", "~")
            node = node[int(key) if isinstance(node.value, list) else key]
        return node


# -- schemas -------------------------------------------------------------------------------------------------


def schema_breaks(
    old: Node, new: Node, direction: Direction, where: str, seen: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[str]:
    """What breaks when a schema changes. `sent`: the consumer sends such values to us; `got`: it gets
    them."""
    old, new = old.resolved(), new.resolved()
    if (id(old.value), id(new.value)) in seen:
        return
    seen = seen | {(id(old.value), id(new.value))}
    if isinstance(old.value, bool) or isinstance(new.value, bool):
        if old.value != new.value:
            yield f"{where}: changed from {brief(old.value)} to {brief(new.value)}"
        return
    yield from type_breaks(old, new, direction, where)
    yield from enum_breaks(old, new, direction, where)
    yield from limit_breaks(old, new, direction, where)
    yield from text_breaks(old, new, direction, where)
    yield from object_breaks(old, new, direction, where, seen)
    if (old_items := old.get("items")) and (new_items := new.get("items")):
        yield from schema_breaks(old_items, new_items, direction, f"{where}[]", seen)
    elif (added := tightened(old.get("items"), new.get("items"), direction)) is not None:
        yield f"{where}[]: the items' schema was {added}"
    yield from choice_breaks(old, new, direction, where, seen)
    for keyword in UNJUDGED:
        if old.plain(keyword) != new.plain(keyword):
            yield f"{where}: `{keyword}` changed, which needs a person's judgement"


def tightened(old: Any, new: Any, direction: Direction) -> str | None:
    """How a restriction that is on one side only breaks: added to what is sent, or removed from what is
    got."""
    if direction == "sent" and old is None and new is not None:
        return "added"
    if direction == "got" and old is not None and new is None:
        return "removed"
    return None


def type_breaks(old: Node, new: Node, direction: Direction, where: str) -> Iterator[str]:
    before, after = types(old), types(new)
    narrow, wide = (before, after) if direction == "sent" else (after, before)
    # Every integer is a number.
    missing = {kind for kind in narrow - wide if not (kind == "integer" and "number" in wide)}
    if missing:
        verb = "takes no longer" if direction == "sent" else "may now be"
        yield f"{where}: {verb} {', '.join(sorted(missing))}"


def types(schema: Node) -> frozenset[str]:
    said = schema.plain("type")
    if said is None:
        return ALL_TYPES
    kinds = frozenset([said] if isinstance(said, str) else said)
    return kinds | {"null"} if schema.plain("nullable") else kinds


def enum_breaks(old: Node, new: Node, direction: Direction, where: str) -> Iterator[str]:
    before, after = allowed_values(old), allowed_values(new)
    if (change := tightened(before, after, direction)) is not None:
        yield f"{where}: the list of allowed values was {change}"
    elif before is not None and after is not None:
        if direction == "sent" and (gone := before - after):
            yield f"{where}: {', '.join(sorted(gone))} is allowed no longer"
        if direction == "got" and (come := after - before):
            yield f"{where}: may now be {', '.join(sorted(come))}"


def allowed_values(schema: Node) -> frozenset[str] | None:
    if "const" in schema.value:
        return frozenset({json.dumps(schema.value["const"], default=str)})
    values = schema.plain("enum")
    return None if values is None else frozenset(json.dumps(value, default=str) for value in values)


def limit_breaks(old: Node, new: Node, direction: Direction, where: str) -> Iterator[str]:
    for keyword, greater_is_wider in LIMITS.items():
        before, after = limit(old, keyword), limit(new, keyword)
        if before == after:
            continue
        if (change := tightened(before, after, direction)) is not None:
            yield f"{where}: {keyword} was {change} ({brief((before or after or [0])[0])})"
        elif before is not None and after is not None:
            # An exclusive limit is the narrower one of two with the same number.
            rank = [
                (value, -exclusive if greater_is_wider else exclusive) for value, exclusive in (before, after)
            ]
            narrower = rank[1] < rank[0] if greater_is_wider else rank[1] > rank[0]
            if narrower == (direction == "sent"):
                yield f"{where}: {keyword} went from {brief(before[0])} to {brief(after[0])}"


def limit(schema: Node, keyword: str) -> tuple[float, bool] | None:
    """The limit and whether it is exclusive, in OpenAPI 3.0's way (a flag) or JSON Schema's (a number)."""
    value = schema.plain(keyword)
    exclusive = schema.plain("exclusive" + keyword[0].upper() + keyword[1:])
    if isinstance(exclusive, bool):
        return None if value is None else (value, exclusive)
    if exclusive is not None:
        return (exclusive, True)
    return None if value is None else (value, False)


def text_breaks(old: Node, new: Node, direction: Direction, where: str) -> Iterator[str]:
    for keyword in ("pattern", "format", "multipleOf"):
        before, after = old.plain(keyword), new.plain(keyword)
        if (change := tightened(before, after, direction)) is not None:
            yield f"{where}: {keyword} was {change} ({brief(before or after)})"
        elif before is not None and after is not None and before != after:
            yield f"{where}: {keyword} changed from {brief(before)} to {brief(after)}"
    before, after = bool(old.plain("uniqueItems")), bool(new.plain("uniqueItems"))
    if before != after and after == (direction == "sent"):
        yield f"{where}: uniqueItems is now {str(after).lower()}"


def object_breaks(
    old: Node, new: Node, direction: Direction, where: str, seen: frozenset[tuple[int, int]]
) -> Iterator[str]:
    before, after = old.items("properties"), new.items("properties")
    required_before, required_after = set(old.plain("required") or ()), set(new.plain("required") or ())
    for name in before:
        if name not in after:
            yield f"{where}.{name}: was removed"
        else:
            yield from schema_breaks(before[name], after[name], direction, f"{where}.{name}", seen)
    if direction == "sent":
        for name in sorted(required_after - required_before):
            yield f"{where}.{name}: is now required"
    else:
        for name in sorted((required_before - required_after) & after.keys()):
            yield f"{where}.{name}: may now be missing"
    others_before, others_after = old.get("additionalProperties"), new.get("additionalProperties")
    closed_before = others_before is not None and others_before.value is False
    closed_after = others_after is not None and others_after.value is False
    if direction == "sent" and closed_after and not closed_before and types(old) & {"object"}:
        yield f"{where}: other properties are refused now"
    if (
        others_before
        and others_after
        and isinstance(others_before.value, dict)
        and isinstance(others_after.value, dict)
    ):
        yield from schema_breaks(others_before, others_after, direction, f"{where}.*", seen)


def choice_breaks(
    old: Node, new: Node, direction: Direction, where: str, seen: frozenset[tuple[int, int]]
) -> Iterator[str]:
    """Alternatives: whatever was one of the old choices (or will be one of the new) must fit one on the other
    side."""
    for keyword in ("oneOf", "anyOf"):
        before = [old[keyword][index] for index in range(len(old.plain(keyword) or ()))]
        after = [new[keyword][index] for index in range(len(new.plain(keyword) or ()))]
        if (change := tightened(before or None, after or None, direction)) is not None:
            yield f"{where}: `{keyword}` was {change}"
            continue
        if not before or not after:
            continue
        for number, choice in enumerate(before if direction == "sent" else after, start=1):
            fits = any(
                not list(
                    schema_breaks(choice, other, direction, "", seen)
                    if direction == "sent"
                    else schema_breaks(other, choice, direction, "", seen)
                )
                for other in (after if direction == "sent" else before)
            )
            if not fits:
                verb = "fits no choice any longer" if direction == "sent" else "fits none of the old choices"
                yield f"{where}: choice {number} of `{keyword}` {verb}"
    before_all, after_all = old.plain("allOf") or [], new.plain("allOf") or []
    if len(before_all) != len(after_all):
        yield f"{where}: `allOf` has other parts, which needs a person's judgement"
    else:
        for index in range(len(before_all)):
            yield from schema_breaks(old["allOf"][index], new["allOf"][index], direction, where, seen)


# -- APIs ----------------------------------------------------------------------------------------------------


def api_breaks(old: Node, new: Node, where: str) -> Iterator[str]:
    """What breaks between two OpenAPI 3.0 documents."""
    after = operations(new)
    for key, (old_path, old_operation) in operations(old).items():
        name = f"{where}: {key[0].upper()} {old_path.plain('x-path')}"
        if key not in after:
            yield f"{name}: was removed"
            continue
        yield from operation_breaks((old, old_path, old_operation), (new, *after[key]), name)
    yield from scheme_breaks(old, new, where)


def operations(api: Node) -> dict[tuple[str, str], tuple[Node, Node]]:
    """Path item and operation by method and path. How a path's parameter is called is nothing to a caller."""
    found = {}
    for path, item in api.items("paths").items():
        named = Node({**item.value, "x-path": path}, item.file, item.documents)
        for method in METHODS:
            if method in item.value:
                found[method, re.sub(r"\{[^}]*\}", "{}", path)] = (named, item[method])
    return found


Whole = tuple[Node, Node, Node]  # API, path item, operation


def operation_breaks(old: Whole, new: Whole, name: str) -> Iterator[str]:
    yield from parameter_breaks(old, new, name)
    yield from body_breaks(old[2], new[2], name)
    yield from response_breaks(old[2], new[2], name)
    yield from security_breaks(old, new, name)


def parameter_breaks(old: Whole, new: Whole, name: str) -> Iterator[str]:
    before, after = parameters(old), parameters(new)
    for key, parameter in before.items():
        place, label = f"{name}: {key[0]} parameter {key[1]}", parameter
        if key not in after:
            yield f"{place}: was removed"
            continue
        now = after[key]
        if now.plain("required") and not label.plain("required"):
            yield f"{place}: is now required"
        for keyword in ("style", "explode"):
            if label.plain(keyword) != now.plain(keyword):
                yield f"{place}: {keyword} changed"
        if (old_schema := label.get("schema")) and (new_schema := now.get("schema")):
            yield from schema_breaks(old_schema, new_schema, "sent", place)
    for key in after.keys() - before.keys():
        if after[key].plain("required"):
            yield f"{name}: {key[0]} parameter {key[1]}: is new and required"


def parameters(whole: Whole) -> dict[tuple[str, str], Node]:
    """By place and name; those in the path by their position, since only that is the caller's business."""
    _, path, operation = whole
    found: dict[tuple[str, str], Node] = {}
    positions = re.findall(r"\{([^}]*)\}", path.plain("x-path"))
    for holder in (path, operation):
        for index in range(len(holder.plain("parameters") or ())):
            parameter = holder["parameters"][index].resolved()
            place, label = parameter.value["in"], parameter.value["name"]
            if place == "path":
                label = str(positions.index(label) + 1) if label in positions else label
            found[place, label.lower() if place == "header" else label] = parameter
    return found


def body_breaks(old: Node, new: Node, name: str) -> Iterator[str]:
    before, after = old.get("requestBody"), new.get("requestBody")
    if before is None:
        if after is not None and after.resolved().plain("required"):
            yield f"{name}: a request body is now required"
        return
    if after is None:
        yield f"{name}: takes a request body no longer"
        return
    before, after = before.resolved(), after.resolved()
    if after.plain("required") and not before.plain("required"):
        yield f"{name}: the request body is now required"
    yield from content_breaks(before, after, "sent", f"{name}: request body")


def content_breaks(old: Node, new: Node, direction: Direction, where: str) -> Iterator[str]:
    before, after = old.items("content"), new.items("content")
    for media_type, content in before.items():
        if media_type not in after:
            yield f"{where}: {media_type} was removed"
        elif (old_schema := content.get("schema")) and (new_schema := after[media_type].get("schema")):
            yield from schema_breaks(old_schema, new_schema, direction, where)
    if direction == "got" and not before and after:
        yield f"{where}: has a body now"


def response_breaks(old: Node, new: Node, name: str) -> Iterator[str]:
    before, after = old.items("responses"), new.items("responses")
    for status, response in before.items():
        place = f"{name}: response {status}"
        if status not in after:
            yield f"{place}: was removed"
            continue
        now = after[status]
        yield from content_breaks(response, now, "got", place)
        headers_before, headers_after = response.items("headers"), now.items("headers")
        for header, node in headers_before.items():
            if header not in headers_after:
                yield f"{place}: header {header} was removed"
            elif node.plain("required") and not headers_after[header].plain("required"):
                yield f"{place}: header {header} may now be missing"
    for status in after.keys() - before.keys():
        if status[0] in "123":
            yield f"{name}: response {status}: is new, and no error"


def security_breaks(old: Whole, new: Whole, name: str) -> Iterator[str]:
    before, after = security(old), security(new)
    for requirement in before:
        # Whoever brought the old set of credentials must still be let in by some requirement.
        if not any(needed <= requirement for needed in after):
            what = " and ".join(sorted(requirement)) or "no credentials"
            yield f"{name}: security: {what} is enough no longer"
    scopes_before, scopes_after = old[2].plain("x-required-scopes"), new[2].plain("x-required-scopes")
    if not scopes_after:
        return
    if not scopes_before and frozenset() not in after:
        if any(before):
            yield f"{name}: security: a scope is now required ({', '.join(scopes_after)})"
    else:
        for scope in sorted(set(scopes_before or ()) - set(scopes_after)):
            yield f"{name}: security: the scope {scope} is enough no longer"


def security(whole: Whole) -> list[frozenset[str]]:
    """The alternatives, each a set of schemes with their scopes; an empty set lets everybody in."""
    api, _, operation = whole
    said = operation.plain("security", api.plain("security"))
    if not said:
        return [frozenset()]
    return [
        frozenset(f"{scheme}:{scope}" for scheme, scopes in one.items() for scope in (scopes or [""]))
        for one in said
    ]


def scheme_breaks(old: Node, new: Node, where: str) -> Iterator[str]:
    """How credentials are brought must not change under an unchanged name."""
    before = old["components"].items("securitySchemes") if old.get("components") else {}
    after = new["components"].items("securitySchemes") if new.get("components") else {}
    for name in before.keys() & after.keys():
        for keyword in ("type", "in", "name", "scheme"):
            if before[name].plain(keyword) != after[name].plain(keyword):
                yield f"{where}: security scheme {name}: {keyword} changed"


# -- folders -------------------------------------------------------------------------------------------------


def breaks(released: Path, current: Path) -> Iterator[str]:
    """Every break between two folders of contracts."""
    documents = Documents()
    for file in released_files(released):
        name = file.relative_to(released)
        if not (current / name).exists():
            yield f"{name}: was removed"
            continue
        old, new = documents.root(file), documents.root(current / name)
        if file.suffix == ".yaml":
            yield from unique(api_breaks(old, new, str(name)))
        else:
            direction: Direction = "sent" if name.name.startswith(FROM_AWS) else "got"
            yield from unique(schema_breaks(old, new, direction, f"{name}: item"))


def released_files(released: Path) -> list[Path]:
    """APIs at the top, schemas of messages and tables below. Shared fragments count where they are used."""
    found = [
        *(file for file in released.glob("*.yaml") if file.name != JUDGED),
        *released.glob("events/*.schema.json"),
        *released.glob("tables/*.schema.json"),
    ]
    return sorted(found)


def unique(sentences: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(sentences)


def brief(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def judgements(released: Path) -> list[str]:
    """The sentences of breaks that a person has judged to be none.

    Raises:
        ValueError: one has no reason.
    """
    file = released / JUDGED
    entries = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else []
    for entry in entries:
        if not entry.get("why"):
            raise ValueError(f"{file}: {entry} has no reason.")
    return [entry["break"] for entry in entries]


def unjudged(released: Path, current: Path) -> list[str]:
    """The breaks that nobody has judged to be none, and the judgements on what is no longer found."""
    found, judged = list(breaks(released, current)), judgements(released)
    stale = [f"Judged, but there is no such change: {one}" for one in judged if one not in found]
    return [one for one in found if one not in judged] + stale


def main(say: Callable[[str], None] = print) -> int:
    parser = argparse.ArgumentParser(
        description="Names what would break a consumer of the released contracts."
    )
    parser.add_argument("--released", type=Path, default=ROOT / "openapi" / "released")
    parser.add_argument("--current", type=Path, default=ROOT / "openapi")
    options = parser.parse_args()
    files = released_files(options.released)
    if not files:
        say("Nothing has been released yet, so nothing can break.")
        return 0
    found = unjudged(options.released, options.current)
    for sentence in found:
        say(sentence)
    say(
        f"{len(found)} breaks against {len(files)} released contracts."
        if found
        else "No released promise is broken."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
