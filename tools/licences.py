"""Which licences a seller of closed software may ship a part under, and what a package says of its own.

Source of names: the identifiers of SPDX. What is unknown is refused until somebody has read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# They ask for no more than to be named, at most that changes to their own files are given away (MPL-2.0).
MAY_SHIP = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"),
        *("MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    }
)
# What packages wrote before they wrote SPDX's identifiers: the field License, or a classifier's last words.
OLD_WORDS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    # Of the variants of BSD the classifier names none; all that are in use may be shipped.
    "bsd license": "BSD-3-Clause",
}
_BY_OLD_NAMES = OLD_WORDS | {name.lower(): name for name in MAY_SHIP}
_WORD = re.compile(r"\(|\)|[^\s()]+")


@dataclass(frozen=True)
class Metadata:
    """What a package says of its licence: SPDX's expression, the older field, the older classifiers."""

    expression: str = ""
    field: str = ""
    classifiers: Sequence[str] = ()


def licence_of(metadata: Metadata) -> str:
    """The licence as an SPDX expression, by the newest words that can be understood; `unknown` if none.

    A package with several classifiers is taken to leave the choice, as those that were read do.
    """
    if metadata.expression:
        return metadata.expression
    if (name := _BY_OLD_NAMES.get(metadata.field.strip().lower())) is not None:
        return name
    if may_ship(metadata.field):
        return metadata.field
    # An old field in words that are not known decides nothing against classifiers that are.
    names = [_BY_OLD_NAMES.get(words.strip().lower(), "unknown") for words in metadata.classifiers]
    return " OR ".join(dict.fromkeys(names)) if names else "unknown"


def may_ship(expression: str) -> bool:
    """Whether a seller who gives no source away may ship it: one side of OR suffices, AND takes both.

    Anything that is no plain expression of AND, OR and brackets is refused, `WITH` included.
    """
    words = _WORD.findall(expression)
    try:
        answer, rest = _either(words)
    except IndexError:
        return False
    return answer and not rest


def _either(words: list[str]) -> tuple[bool, list[str]]:
    answer, rest = _both(words)
    while rest and rest[0] == "OR":
        other, rest = _both(rest[1:])
        answer = answer or other
    return answer, rest


def _both(words: list[str]) -> tuple[bool, list[str]]:
    answer, rest = _one(words)
    while rest and rest[0] == "AND":
        other, rest = _one(rest[1:])
        answer = answer and other
    return answer, rest


def _one(words: list[str]) -> tuple[bool, list[str]]:
    if words[0] != "(":
        return words[0] in MAY_SHIP, words[1:]
    answer, rest = _either(words[1:])
    return answer and rest[0] == ")", rest[1:]
