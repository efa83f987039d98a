"""Usage allocations: how a metering record's quantity divides by tags, within AWS's limits.

AWS takes 1 to 2,500 buckets a record, whose quantities sum exactly to the record's, and a call below 1 MB
(botocore 1.44.5, BatchMeterUsage, UsageAllocations). What finds no room goes into the one bucket without
tags.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import zstandard

from metering.records import MeteringRecord, Source
from metering.tags import UNTAGGED, Split, TagSet, largest, merged, total

MOST_BUCKETS = 2_500

MOST_BYTES_SENT = 900_000
"""Of one record's buckets as AWS gets them."""

MOST_BYTES_KEPT = 250_000
"""Of one record's tags as we keep them; DynamoDB takes items of 400 KB."""

# `{"AllocatedUsageQuantityAsDecimal":"9999999999.999999","Tags":[]},` and `{"Key":"","Value":""},`.
_BYTES_OF_A_BUCKET, _BYTES_OF_A_TAG = 70, 24


def allocations(record: MeteringRecord) -> dict[TagSet, int]:
    """The buckets of a record, the untagged one among them; empty where nothing is tagged."""
    tagged = merged(source.tags for source in record.sources)
    if not tagged:
        return {}
    rest = record.quantity - total(tagged)
    return {**tagged, UNTAGGED: rest} if rest else tagged


def within_limits(sources: Sequence[Source]) -> tuple[tuple[Source, ...], bool]:
    """The sources of one record, with no more tags than it can carry.

    Returns:
        the sources, and whether tags were left out: those with the smallest quantities, for the whole record.
    """
    whole = merged(source.tags for source in sources)
    room = MOST_BUCKETS - 1  # one is for what is untagged
    kept = largest(whole, room + 1)
    while True:
        kept.pop(UNTAGGED, None)
        fitting = tuple(
            replace(source, tags={tags: micro for tags, micro in source.tags.items() if tags in kept})
            for source in sources
        )
        if bytes_sent(kept) <= MOST_BYTES_SENT and len(pack(fitting) or b"") <= MOST_BYTES_KEPT:
            return fitting, len(kept) < len(whole)
        kept = largest(kept, len(kept) * 4 // 5 + 1)


def bytes_sent(buckets: Split) -> int:
    """At most so many bytes of a request."""
    return sum(
        _BYTES_OF_A_BUCKET + sum(_BYTES_OF_A_TAG + len(orjson.dumps(pair)) for pair in tags)
        for tags in buckets
    )


def pack(sources: Sequence[Source]) -> bytes | None:
    """The tags of a record's sources in few bytes; None where there are none."""
    if not any(source.tags for source in sources):
        return None
    rows = [[[tags, source.tags[tags]] for tags in sorted(source.tags)] for source in sources]
    return zstandard.compress(orjson.dumps(rows))


def unpack(sources: Sequence[Source], packed: bytes | None) -> tuple[Source, ...]:
    """The sources with their tags."""
    if packed is None:
        return tuple(sources)
    rows: list[Any] = orjson.loads(zstandard.decompress(packed))
    return tuple(
        replace(source, tags={tuple((key, value) for key, value in tags): micro for tags, micro in splits})
        for source, splits in zip(sources, rows, strict=True)
    )
