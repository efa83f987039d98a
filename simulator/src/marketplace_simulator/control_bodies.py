"""Bodies of the control API, read by hand: every wrong place is named, nothing unknown is let through."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from marketplace_simulator.problems import Problem
from marketplace_simulator.times import parse_rfc3339

BODY_LIMIT = 1024 * 1024


class Fields:
    """The members of one JSON object, taken one by one; `finish` refuses what was wrong or left over.

    Args:
        value: the parsed JSON.
        path: JSON Pointer to the object.
        errors: where wrong places are gathered; shared with nested objects.
    """

    def __init__(self, value: Any, path: str = "", errors: list[dict[str, str]] | None = None) -> None:
        self._path = path
        self.errors: list[dict[str, str]] = [] if errors is None else errors
        self._left: dict[str, Any] = {}
        if isinstance(value, dict):
            self._left = dict(value)
        else:
            self._wrong("", "is not an object")

    def text(
        self,
        name: str,
        *,
        pattern: str = r"\S(.*\S)?",
        choices: Sequence[str] | None = None,
        required: bool = False,
        longest: int = 255,
    ) -> str | None:
        value = self._take(name, required)
        if value is None:
            return None
        if not isinstance(value, str):
            self._wrong(name, "is not a string")
        elif len(value) > longest:
            self._wrong(name, f"is longer than {longest} characters")
        elif any("\ud800" <= character <= "\udfff" for character in value):
            self._wrong(name, "is not valid Unicode")
        elif choices is not None and value not in choices:
            self._wrong(name, f"is not one of {', '.join(choices)}")
        elif not re.fullmatch(pattern, value):
            self._wrong(name, f"does not match {pattern}")
        else:
            return value
        return None

    def boolean(self, name: str) -> bool:
        value = self._take(name, False)
        if value is not None and not isinstance(value, bool):
            self._wrong(name, "is not a boolean")
        return value is True

    def optional_boolean(self, name: str) -> bool | None:
        """A boolean whose absence means something of its own."""
        value = self._take(name, False)
        if value is not None and not isinstance(value, bool):
            self._wrong(name, "is not a boolean")
            return None
        return value

    def whole_number(self, name: str, least: int, most: int) -> int | None:
        value = self._take(name, False)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self._wrong(name, f"is not a whole number from {least} to {most}")
            return None
        return value

    def number_within(self, name: str, least: float, most: float) -> float | None:
        value = self.number(name)
        if value is not None and not least <= value <= most:
            self._wrong(name, f"is not between {least} and {most}")
            return None
        return value

    def number(self, name: str) -> float | None:
        value = self._take(name, False)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._wrong(name, "is not a number")
        elif not math.isfinite(value):
            self._wrong(name, "is not a finite number")
        elif abs(value) > 1e12:
            self._wrong(name, "is too large")
        else:
            return float(value)
        return None

    def moment(self, name: str) -> datetime | None:
        value = self._take(name, False)
        if value is None:
            return None
        try:
            moment = parse_rfc3339(value if isinstance(value, str) else "")
        except ValueError:
            self._wrong(name, "is not an RFC 3339 date-time with an offset")
            return None
        if not 1971 <= moment.year <= 2999:
            self._wrong(name, "is not between the years 1971 and 2999")
            return None
        return moment

    def http_address(self, name: str) -> str | None:
        value = self.text(name, longest=2000)
        if value is None:
            return None
        try:
            address = urlsplit(value)
            if address.scheme in ("http", "https") and address.hostname:
                return value
        except ValueError:
            pass
        self._wrong(name, "is not an absolute http or https address")
        return None

    def objects(self, name: str) -> list[Fields]:
        """A required, non-empty list of objects."""
        value = self._take(name, True)
        if value is None:
            return []
        if not isinstance(value, list) or not 1 <= len(value) <= 1000:
            self._wrong(name, "is not a list of 1 to 1000 objects")
            return []
        return [Fields(item, f"{self._path}/{name}/{index}", self.errors) for index, item in enumerate(value)]

    def units(self, name: str) -> Mapping[str, int] | None:
        """An object whose members are whole numbers, 0 and up, or booleans."""
        value = self._take(name, False)
        if value is None:
            return None
        if not isinstance(value, dict) or not all(
            isinstance(number, int) and 0 <= number < 2**31 for number in value.values()
        ):
            self._wrong(name, "is not an object of whole numbers and booleans")
            return None
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; absent: none."""
        value = self._take(name, False)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(
            isinstance(item, str) and 1 <= len(item) <= 255 and item.isprintable() for item in value
        ):
            self._wrong(name, "is not a list of strings of 1 to 255 characters")
            return ()
        return tuple(value)

    def anything(self, name: str) -> Any:
        """A member whose type the caller judges."""
        return self._take(name, False)

    def ignore(self, name: str) -> None:
        """Let a member pass that this simulator has no use for."""
        self._left.pop(name, None)

    def refuse(self, name: str, reason: str) -> None:
        """Note a fault that the caller found."""
        self._wrong(name, reason)

    def unknown_refused(self) -> None:
        for name in self._left:
            self._wrong(name, "is not known here")
        self._left = {}

    def finish(self) -> None:
        """Raises Problem 400 that names every wrong place."""
        self.unknown_refused()
        if self.errors:
            raise Problem(400, "invalid-request", "The body does not fit the contract.", self.errors)

    def _take(self, name: str, required: bool) -> Any:
        value = self._left.pop(name, None)
        if required and value is None:
            self._wrong(name, "is missing")
        return value

    def _wrong(self, name: str, reason: str) -> None:
        path = f"{self._path}/{name}" if name else self._path
        self.errors.append({"in": "body", "path": path, "reason": reason})


async def body_of(request: Request) -> Fields:
    """The body of a request as fields.

    Raises:
        Problem: 400 (no JSON), 413 (too large), 415 (another content type).
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Problem(413, "body-too-large", "The body must be smaller than 1 MB.")
    return read_body(bytes(body), request.headers.get("content-type", ""))


def read_body(body: bytes, content_type: str) -> Fields:
    """The body of a request as fields; an absent body is an empty object.

    Raises:
        Problem: 400 (no JSON), 415 (another content type).
    """
    if not body:
        return Fields({})
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "unsupported-media-type", "Send application/json.")
    try:
        return Fields(json.loads(body))
    except (ValueError, RecursionError):
        raise Problem(400, "malformed-json", "The body is not JSON.") from None
