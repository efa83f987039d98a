"""However usage is tagged, what its tags say adds up to the micro-unit."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from metering import tags
from metering.allocations import MOST_BUCKETS, MOST_BYTES_KEPT, MOST_BYTES_SENT, bytes_sent, within_limits
from metering.allocations import pack as pack_sources
from metering.allocations import unpack as unpack_sources
from metering.records import Source
from metering.tags import UNTAGGED, TagSet, divide, largest, less, merged, part, tag_set, total

A, B, C = ((("team", "a"),), (("team", "b"),), (("team", "c"), ("x", "y")))
SPLITS = st.dictionaries(st.sampled_from([A, B, C, UNTAGGED]), st.integers(1, 20))


def many(count: int, length: int = 40) -> dict[TagSet, int]:
    """Tag sets that cannot be compressed."""

    def noise(of: str) -> str:
        text = "".join(hashlib.sha256(f"{of}{n}".encode()).hexdigest() for n in range(length // 64 + 1))
        return text[:length]

    return {(("k", noise(str(n))),): n + 1 for n in range(count)}


@given(st.integers(-5, 60), SPLITS, SPLITS)
def test_a_quantity_divides_exactly_whatever_was_metered_and_spent(
    quantity: int, metered: dict[TagSet, int], spent: dict[TagSet, int]
) -> None:
    found = divide(quantity, metered, spent)
    assert total(found) == max(quantity, 0)
    assert all(micro > 0 for micro in found.values())
    left = {one: max(metered.get(one, 0) - spent.get(one, 0), 0) for one in metered if one != UNTAGGED}
    assert all(found[one] <= left[one] for one in found if one != UNTAGGED)


@given(SPLITS, st.integers(0, 90))
def test_a_part_and_what_is_left_are_the_whole(split: dict[TagSet, int], quantity: int) -> None:
    taken = part(split, quantity)
    assert total(taken) == min(quantity, total(split))
    assert merged([taken, less(split, taken)]) == split


@given(SPLITS, st.integers(0, 5))
def test_the_largest_and_the_rest_are_the_whole(split: dict[TagSet, int], most: int) -> None:
    found = largest(split, most)
    assert total(found) == total(split)
    assert len(found) <= max(most, 1)
    kept = [split[one] for one in found if one != UNTAGGED]
    left_out = [split[one] for one in split.keys() - found.keys() - {UNTAGGED}]
    assert not kept or max(left_out, default=0) <= min(kept)


@given(SPLITS)
def test_a_split_is_packed_and_comes_back_without_what_is_untagged(split: dict[TagSet, int]) -> None:
    assert tags.unpack(tags.pack(split)) == {one: micro for one, micro in split.items() if one != UNTAGGED}


def test_the_order_of_tags_does_not_matter() -> None:
    assert tag_set({"b": "1", "a": "2"}) == tag_set({"a": "2", "b": "1"}) == (("a", "2"), ("b", "1"))


def test_a_split_that_finds_no_room_loses_its_smallest_tags() -> None:
    split = many(6_000)
    packed = tags.pack(split)
    assert packed is not None
    assert len(packed) <= tags.MOST_BYTES
    kept = tags.unpack(packed)
    assert 1_000 < len(kept) < len(split)
    assert min(kept.values()) > max(micro for one, micro in split.items() if one not in kept)


def test_a_record_has_no_more_buckets_than_aws_takes() -> None:
    exact = Source("2026-11-22T10", total(many(2_499)) + 1, many(2_499))
    assert within_limits([exact]) == ((exact,), False)
    split = many(3_000, length=8)
    sources, left_out = within_limits([Source("2026-11-22T10", total(split), split)])
    assert left_out
    assert len(sources[0].tags) == MOST_BUCKETS - 1
    assert sources[0].quantity == total(split)
    assert min(sources[0].tags.values()) == 3_000 - 2_499 + 1


def test_a_record_with_the_longest_tags_is_sent_and_kept() -> None:
    split = {
        tuple((f"{n}{place}".ljust(100, "k"), value[0][1]) for place in range(5)): micro
        for n, (value, micro) in enumerate(many(2_400, length=256).items())
    }
    halves = [
        {one: micro for n, (one, micro) in enumerate(split.items()) if n % 2 == half} for half in (0, 1)
    ]
    sources = [Source(f"2026-11-22T1{half}", total(halves[half]), halves[half]) for half in (0, 1)]
    fitting, left_out = within_limits(sources)
    assert left_out
    kept = merged(source.tags for source in fitting)
    assert bytes_sent(kept) <= MOST_BYTES_SENT
    packed = pack_sources(fitting)
    assert packed is not None
    assert len(packed) <= MOST_BYTES_KEPT
    assert unpack_sources([Source(source.hour, source.quantity) for source in fitting], packed) == fitting
    assert min(kept.values()) > max(micro for one, micro in split.items() if one not in kept)
