"""Which event ids an hour has had, in eight bytes each; so an hour of ten million events fits into 80 MB.

An entry is 40 bits of an id's hash and 24 bits that say in which of the hour's segments it stands. Two
entries with the same hash are perhaps the same id: who asks has to look into the two segments. Among ten
million ids some fifty pairs only seem to be the same.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

ORDINAL_BITS = 24
MOST_SEGMENTS = 1 << ORDINAL_BITS

_ORDINAL = np.uint64(MOST_SEGMENTS - 1)
_SHIFT = np.uint64(ORDINAL_BITS)
_BUCKETS = 64
_BUCKET_SHIFT = np.uint64(58)

_NONE: Words = np.empty(0, np.uint64)

# Odd numbers without a pattern: multiplying by them spreads each bit over all higher ones.
_FIRST, _SECOND, _LAST = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93)
)


def entries_of(words: Words, sources: Words, ordinals: Words | np.uint64) -> Words:
    """
    Args:
        words: of each event the 16 bytes of its id, as two numbers.
        sources: of each event a number for its source.
        ordinals: of each event the number of its segment; or of all.
    """
    mixed = (words[:, 0] * _FIRST) ^ (words[:, 1] * _SECOND) ^ (sources * _LAST)
    mixed ^= mixed >> np.uint64(32)
    mixed *= _LAST
    mixed ^= mixed >> np.uint64(29)
    mixed *= _FIRST
    entries: Words = (mixed & ~_ORDINAL) | ordinals
    return entries


def hashes(entries: Words) -> Words:
    return entries >> _SHIFT


def ordinals(entries: Words) -> Words:
    return entries & _ORDINAL


class SeenIds:
    """A set of entries, in sorted buckets: no step ever needs room for all of them twice.

    A bucket is two sorted runs, a long one and what came since; so that little that is new does not move all
    that is old.
    """

    def __init__(self) -> None:
        self._old: list[Words] = [_NONE] * _BUCKETS
        self._recent: list[Words] = [_NONE] * _BUCKETS

    def __len__(self) -> int:
        return sum(map(len, self._old)) + sum(map(len, self._recent))

    def add(self, entries: Words) -> Words:
        """Add entries of new segments.

        Returns:
            all entries whose hash is that of a new one and of any other, sorted: new and old.
        """
        suspects: list[Words] = []
        for bucket, new in _by_bucket(entries):
            old, recent = self._old[bucket], _merged(self._recent[bucket], new)
            its_hashes = hashes(recent)
            twice = its_hashes[1:][its_hashes[1:] == its_hashes[:-1]]
            known = hashes(new)[_has(old, hashes(new))]
            again = np.union1d(twice[among(twice, hashes(new))], known)
            if len(again):
                suspects.append(np.sort(np.concatenate([_of(old, again), _of(recent, again)])))
            self._keep(bucket, old, recent)
        return np.concatenate(suspects) if suspects else _NONE

    def replace(self, of: Words, by: Iterable[int]) -> None:
        """Let other entries stand for some hashes.

        Args:
            of: the hashes.
            by: all entries that they have from now on.
        """
        remaining = np.array(sorted(by), np.uint64)
        for bucket, sought in _by_bucket(of << _SHIFT):
            old = _without(self._old[bucket], hashes(sought))
            recent = _without(self._recent[bucket], hashes(sought))
            within = remaining[remaining >> _BUCKET_SHIFT == bucket]
            self._keep(bucket, old, _merged(recent, within))

    def _keep(self, bucket: int, old: Words, recent: Words) -> None:
        if len(recent) > len(old) // 4:
            old, recent = _merged(old, recent), _NONE
        self._old[bucket], self._recent[bucket] = old, recent


def _merged(one: Words, other: Words) -> Words:
    both = np.concatenate([one, other])
    both.sort(kind="stable")  # goes through two sorted runs once
    return both


def _has(run: Words, sought: Words) -> npt.NDArray[np.bool_]:
    """Of each hash, whether a sorted run has an entry with it."""
    if len(run) == 0:
        return np.zeros(len(sought), np.bool_)
    places = np.searchsorted(run, sought << _SHIFT)
    found: npt.NDArray[np.bool_] = hashes(run[np.minimum(places, len(run) - 1)]) == sought
    return found


def _of(run: Words, sought: Words) -> Words:
    """The entries of a sorted run that have one of some hashes, which are sorted."""
    return run[_places(run, sought)]


def _without(run: Words, sought: Words) -> Words:
    """The others."""
    return np.delete(run, _places(run, sought)) if _has(run, sought).any() else run


def _places(run: Words, sought: Words) -> npt.NDArray[np.intp]:
    starts = np.searchsorted(run, sought << _SHIFT)
    ends = np.searchsorted(run, (sought << _SHIFT) | _ORDINAL, side="right")
    ranges = [np.arange(start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return np.concatenate(ranges) if ranges else np.empty(0, np.intp)


def among(these: Words, others: Words) -> npt.NDArray[np.bool_]:
    """Of each of these, whether it is among others; those are sorted."""
    if len(others) == 0:
        return np.zeros(len(these), np.bool_)
    found: npt.NDArray[np.bool_] = others[np.searchsorted(others, these) % len(others)] == these
    return found


def _by_bucket(entries: Words) -> Iterable[tuple[int, Words]]:
    """Entries, sorted, by their buckets; those without any are left out."""
    entries = np.sort(entries)
    bounds = np.searchsorted(entries >> _BUCKET_SHIFT, np.arange(_BUCKETS + 1, dtype=np.uint64))
    for bucket, (start, end) in enumerate(pairwise(bounds.tolist())):
        if start < end:
            yield bucket, entries[start:end]
