"""The quick reading says what the slow one says, or nothing."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from house import EVENT_SCHEMAS
from hypothesis import given
from hypothesis import strategies as st

from chassis.validation import compile_schema, mistakes
from metering import quick_reading
from metering.catalogue import Catalogue, Choice, PricingModel, Product
from metering.quick_reading import read_columns
from metering.usage_columns import columns_of
from metering.usage_events import AgeLimits, Form, Judge

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
LIMITS = AgeLimits(oldest=timedelta(hours=24), ahead=timedelta(seconds=60))
SUBS = {
    f"sub_{letter * 26}": code
    for letter, code in zip("abcd", ("metered", "named", "contract", "gone"), strict=True)
}
CATALOGUE = Catalogue(
    {
        "metered": Product("metered", PricingModel.SUBSCRIPTION, frozenset({"gpu_hours", "tokens"})),
        "named": Product("named", PricingModel.SUBSCRIPTION, frozenset({"tokens"}), choice=Choice.NAMED),
        "contract": Product("contract", PricingModel.CONTRACT, frozenset({"seats"})),
    }
)
EVENT = compile_schema(EVENT_SCHEMAS["UsageEvent"])
FORM = Form(
    partial(mistakes, EVENT), compile_schema({"type": "array", "items": EVENT_SCHEMAS["UsageEvent"]}).is_valid
)

TIMES = st.one_of(
    st.timedeltas(timedelta(hours=-24.5), timedelta(hours=0.5)).map(
        lambda ago: (NOW + ago).replace(tzinfo=None).isoformat() + "Z"
    ),
    st.sampled_from(
        [
            "2026-11-22T10:31:00Z",
            "2026-11-22T10:31:00.000001Z",
            "2026-11-21T10:30:00Z",
            "2026-11-21T10:29:59.999999Z",
            "2026-11-22T09:59:60Z",
            "2026-11-22t10:05:09z",
            "2026-11-22T10:05:09.1234567Z",
            "2026-11-22T12:05:09+02:00",
            "2026-11-22T05:35:09.5-04:30",
        ]
    ),
)
QUANTITIES = st.one_of(
    st.integers(-(10**10), 10**10),
    st.sampled_from(
        ["0", "-0.000001", "9999999999.999999", "0.1234567", "1e3", "01", "", 3.0, 0.5, True, None]
    ),
    st.decimals(-9999, 9999, places=3).map(str),
)
NAMES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from([*SUBS, "sub_" + "e" * 26, "nobody"]).map(lambda one: {"subscription_id": one}),
    st.just(
        {"license_arn": "arn:aws:license-manager::294406891311:license:l-9d01d15f86334a8894365cd7350556ff"}
    ),
    st.sampled_from(["metered", "named", "unheard"]).map(
        lambda code: {"customer_id": "cus_" + "a" * 26, "product_code": code}
    ),
)
ROWS = st.lists(
    st.builds(
        lambda name, rest, tags: name | rest | ({} if tags is None else {"tags": tags}),
        NAMES,
        st.fixed_dictionaries(
            {
                "source": st.just("gateway"),
                "id": st.sampled_from(["1", "2", "3"]),
                "dimension": st.sampled_from(["tokens", "tokens", "gpu_hours", "seats"]),
                "quantity": QUANTITIES,
                "time": TIMES,
            }
        ),
        st.none() | st.dictionaries(st.sampled_from(["b", "a", "ä"]), st.text(max_size=3), max_size=2),
    ),
    min_size=1,
    max_size=3,
)


def judge() -> Judge:
    return Judge(SUBS.get, CATALOGUE, LIMITS, NOW)


def takes_all(pairs: Iterable[tuple[str, str]]) -> bool:
    return all(judge().takes(*pair) for pair in pairs)


@pytest.mark.parametrize("few", [0, 100], ids=["side by side", "one by one"])
@given(ROWS)
def test_it_says_what_judging_each_event_says_or_nothing(few: int, rows: list[Any]) -> None:
    with patch.object(quick_reading, "_FEW", few):
        found = read_columns(rows, takes_all, LIMITS, NOW) if FORM.all_fit(rows) else None
    if found is not None:
        accepted, refused = judge().sort_out(rows, FORM, "")
        assert refused == []
        assert found == columns_of(accepted)


@pytest.mark.parametrize("few", [0, 100], ids=["side by side", "one by one"])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3_599_999_999), st.integers(1 - 10**16, 10**16 - 1), st.sampled_from([0, 1, 3, 6])
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, 6),
)
def test_it_takes_an_ordinary_batch(few: int, usage: list[tuple[int, int, int]], fraction: int) -> None:
    """Times of one batch are spelled alike; quantities as each comes, in as many decimals as it may have."""
    finest = 10 ** (6 - fraction)
    rows = [
        {
            "source": "gateway",
            "id": f"{place}",
            "subscription_id": "sub_" + "a" * 26,
            "dimension": "tokens",
            "quantity": spelled(micro, decimals),
            "time": f"2026-11-22T09:{moment // 60_000_000:02}:{moment // 1_000_000 % 60:02}"
            + f".{moment % 1_000_000:06}"[: fraction + 1 if fraction else 0]
            + "Z",
            "tags": {"team": "research"},
        }
        for place, (moment, micro, decimals) in enumerate(usage)
    ]
    assert FORM.all_fit(rows)
    with patch.object(quick_reading, "_FEW", few):
        found = read_columns(rows, takes_all, LIMITS, NOW)
    assert found is not None
    assert found.quantities == [truncated(micro, decimals) for _, micro, decimals in usage]
    assert found.offsets == [moment // finest * finest for moment, _, _ in usage]
    assert found.hours == ["2026-11-22T09"] * len(usage)


def spelled(micro: int, decimals: int) -> str:
    text = f"{abs(micro) // 10**6}.{abs(micro) % 10**6:06}"
    return ("-" if micro < 0 else "") + text[: len(text) - 6 + decimals].rstrip(".")


def truncated(micro: int, decimals: int) -> int:
    finest = 10 ** (6 - decimals)
    return (abs(micro) // finest * finest) * (-1 if micro < 0 else 1)


@pytest.mark.parametrize("place", range(27))
@pytest.mark.parametrize("other", "x/:;")
def test_times_are_read_side_by_side_only_where_all_have_the_usual_spelling(place: int, other: str) -> None:
    """The contract lets no other in; but nothing here may count on that, and take a letter for a number."""
    usual = "2026-11-22T09:15:30.123456Z"
    unusual = usual[:place] + other + usual[place + 1 :]
    if unusual != usual:
        assert quick_reading._moments_of_an_hour([usual, unusual, usual]) is None
    for minute, second in (("60", "30"), ("15", "60")):
        late = f"2026-11-22T09:{minute}:{second}.123456Z"
        assert quick_reading._moments_of_an_hour([usual, late]) is None
