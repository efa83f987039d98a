"""Tags: what usage is told apart by beside its dimension. They say how a quantity divides, never how large it
is.

A split gives micro-units for tag sets. Usage without tags has the empty tag set; what of a quantity no tag
set is named for belongs to it too.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import zstandard

TagSet = tuple[tuple[str, str], ...]
"""Keys with their values, sorted by key."""

Split = Mapping[TagSet, int]

UNTAGGED: TagSet = ()

_KEY = re.compile(r"[a-zA-Z0-9+ -=._:/@]{1,100}", re.ASCII)

MOST_BYTES = 120_000
"""Of a packed split. A ledger row holds two and a record one, and DynamoDB takes items of 400 KB."""


def tag_set(tags: Mapping[str, str]) -> TagSet:
    """
    Raises:
        ValueError: a key that AWS does not take (botocore 1.44.5, Tag; values the contract checks).
    """
    if not all(_KEY.fullmatch(key) for key in tags):
        raise ValueError("A tag's key has 1 to 100 characters, of those that the contract names.")
    return tuple(sorted(tags.items()))


def total(split: Split) -> int:
    return sum(split.values())


def merged(splits: Iterable[Split]) -> dict[TagSet, int]:
    """The sum of several splits."""
    found: dict[TagSet, int] = {}
    for split in splits:
        for tags, quantity in split.items():
            found[tags] = found.get(tags, 0) + quantity
    return found


def less(split: Split, taken: Split) -> dict[TagSet, int]:
    """What is left of a split."""
    return _positive({tags: quantity - taken.get(tags, 0) for tags, quantity in split.items()})


def divide(quantity: int, metered: Split, spent: Split) -> dict[TagSet, int]:
    """How a quantity divides by what was metered and is not spent yet.

    The sum is exact whatever the splits say: what is too much is taken off the untagged first, what is
    missing is untagged.

    Args:
        quantity: micro-units; nothing is divided where it is 0 or less.
        metered: without the untagged, or with.
        spent: by now.
    """
    rest = {tags: max(metered.get(tags, 0) - spent.get(tags, 0), 0) for tags in metered if tags != UNTAGGED}
    known = sum(rest.values())
    if known <= quantity:
        return _positive(rest | {UNTAGGED: quantity - known})
    return part(rest, quantity)


def part(split: Split, quantity: int) -> dict[TagSet, int]:
    """So much of a split, tag set by tag set in their order."""
    taken: dict[TagSet, int] = {}
    for tags in sorted(split):
        if quantity <= 0:
            break
        taken[tags] = min(split[tags], quantity)
        quantity -= taken[tags]
    return _positive(taken)


def largest(split: Split, most: int) -> dict[TagSet, int]:
    """A split of no more than so many tag sets: the largest ones, and the rest untagged."""
    if len(split) <= most:
        return dict(split)
    ranked = sorted((tags for tags in split if tags != UNTAGGED), key=lambda tags: (-split[tags], tags))
    kept = {tags: split[tags] for tags in ranked[: max(most - 1, 0)]}
    return _positive({UNTAGGED: total(split) - sum(kept.values()), **kept})


def tagged_only(split: Split) -> dict[TagSet, int]:
    return {tags: quantity for tags, quantity in split.items() if tags != UNTAGGED}


def pack(split: Split) -> bytes | None:
    """A split in few bytes; None where nothing is tagged. Where there is not room for all of it, the rest is
    left out, and so is untagged."""
    tagged = tagged_only(split)
    while tagged:
        rows = [[tags, tagged[tags]] for tags in sorted(tagged)]
        packed = zstandard.compress(orjson.dumps(rows))
        if len(packed) <= MOST_BYTES:
            return packed
        fits = len(tagged) * MOST_BYTES // len(packed)
        tagged = tagged_only(largest(tagged, min(fits, len(tagged) - 1)))
    return None


def unpack(packed: bytes | None) -> dict[TagSet, int]:
    if packed is None:
        return {}
    rows: list[Any] = orjson.loads(zstandard.decompress(packed))
    return {tuple((key, value) for key, value in tags): quantity for tags, quantity in rows}


def _positive(split: Split) -> dict[TagSet, int]:
    return {tags: quantity for tags, quantity in split.items() if quantity > 0}
