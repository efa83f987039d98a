"""One mapping of the catalogue, read member by member: each mistake is told with its place and its mend."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from registration.languages import LANGUAGES, Texts


class CatalogueError(ValueError):
    """The catalogue cannot be used; the message says the mend."""


class Entry:
    """A mapping of the catalogue.

    Args:
        content: what YAML made of it.
        place: where it stands, such as `products[0].branding`.
        known: the members it may have; None where siblings' members stand in it too.

    Raises:
        CatalogueError: it is no mapping, or has members that nobody reads.
    """

    def __init__(self, content: Any, place: str, known: Sequence[str] | None = None) -> None:
        if not isinstance(content, dict):
            raise CatalogueError(f"{place} of the catalogue must be a mapping.")
        self.content: dict[str, Any] = content
        self.place = place
        strangers = [str(name) for name in content if name not in known] if known is not None else []
        if known is not None and strangers:
            raise CatalogueError(
                f"{place} of the catalogue has {' and '.join(strangers)}, which nobody reads: write one of "
                f"{', '.join(known)}."
            )

    def wrong(self, member: str, mend: str) -> CatalogueError:
        return CatalogueError(f"{self.place}.{member} of the catalogue {mend}")

    def has(self, member: str) -> bool:
        return self.content.get(member) is not None

    def text(self, member: str, pattern: str | None = None, mend: str = "must be a text.") -> str:
        """A text that is not empty and, whole, of the pattern."""
        value = self.content.get(member)
        if (
            not isinstance(value, str)
            or not value.strip()
            or any(ord(letter) < 32 for letter in value.strip())
        ):
            raise self.wrong(member, "must be a text." if pattern is None else mend)
        if pattern is not None and not re.fullmatch(pattern, value):
            raise self.wrong(member, mend)
        return value.strip()

    def optional_text(
        self, member: str, pattern: str | None = None, mend: str = "must be a text."
    ) -> str | None:
        return self.text(member, pattern, mend) if self.has(member) else None

    def choice(self, member: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.content.get(member, default)
        # YAML 1.1 reads a bare `off` as false; what the seller wrote is plain all the same.
        value = "off" if value is False else value
        if value not in choices:
            *most, last = (f"`{choice}`" for choice in choices)
            raise self.wrong(member, f"must be {', '.join(most)} or {last}, not {value!r}.")
        return str(value)

    def truth(self, member: str, default: bool = False) -> bool:
        value = self.content.get(member, default)
        if not isinstance(value, bool):
            raise self.wrong(member, f"must be true or false, not {value!r}.")
        return value

    def whole_number(self, member: str, default: int, lowest: int, highest: int) -> int:
        value = self.content.get(member, default)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise self.wrong(member, f"must be a whole number from {lowest} to {highest}, not {value!r}.")
        return value

    def texts(self, member: str) -> Texts:
        """A text in English and perhaps in other languages; empty where the member is missing."""
        if not self.has(member):
            return {}
        place = f"{self.place}.{member}"
        entry = Entry(self.content[member], place, LANGUAGES)
        if not entry.has("en"):
            raise entry.wrong("en", "is missing: it is what is shown where another language is not there.")
        found = {}
        for language in entry.content:
            value = entry.content[language]
            if not isinstance(value, str) or not value.strip():
                raise entry.wrong(str(language), "must be a text.")
            # A folded YAML text ends with a line break; paragraphs inside it stay.
            found[str(language)] = value.strip()
        return found

    def address(self, member: str, *, secret: bool = False) -> str | None:
        """A web address; over https, unless it is on this machine.

        Args:
            secret: whether only https will do. Without it, http is taken too.
        """
        if not self.has(member):
            return None
        value = self.text(member)
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or not value.isprintable()
            or " " in value
        ):
            raise self.wrong(member, f"must be a web address such as https://seller.example, not {value!r}.")
        if secret and parts.scheme != "https" and not is_loopback(parts.hostname):
            raise self.wrong(member, "must begin with https://; http is for this machine only.")
        return value

    def part(self, member: str, known: Sequence[str] | None = None) -> "Entry":
        """The mapping below a member; an empty one where it is missing."""
        return Entry(self.content.get(member) or {}, f"{self.place}.{member}", known)

    def parts(self, member: str, known: Sequence[str]) -> Iterator["Entry"]:
        """The mappings of a list; none where the member is missing."""
        value = self.content.get(member, [])
        if not isinstance(value, list):
            raise self.wrong(member, "must be a list.")
        for position, content in enumerate(value):
            yield Entry(content, f"{self.place}.{member}[{position}]", known)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
