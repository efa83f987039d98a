"""Quantities are exact: what cannot be is refused, never rounded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.quantities import LARGEST_RECORD, MICRO, to_micro, to_text


@given(st.integers(-LARGEST_RECORD, LARGEST_RECORD))
def test_every_quantity_survives_text_and_back(micro: int) -> None:
    text = to_text(micro)
    assert to_micro(text) == micro
    assert Decimal(text) * MICRO == micro
    assert len(text) <= 17 + (micro < 0)


@given(st.integers(-9_999_999_999, 9_999_999_999))
def test_whole_numbers_are_taken_as_numbers_and_as_text(number: int) -> None:
    assert to_micro(number) == to_micro(str(number)) == number * MICRO


@given(st.integers(0, 9_999_999_999), st.text("0123456789", max_size=6))
def test_trailing_zeros_do_not_matter(whole: int, decimals: str) -> None:
    written = f"{whole}.{decimals}" if decimals else str(whole)
    assert to_micro(written) == to_micro(to_text(to_micro(written)))


def test_prior_art_14_a_fraction_is_exact_to_the_sixth_decimal() -> None:
    assert [to_micro(text) for text in ("0.000001", "0.1", "17", "17.00", "9999999999.999999")] == [
        1,
        100_000,
        17_000_000,
        17_000_000,
        LARGEST_RECORD,
    ]


@pytest.mark.parametrize(
    "quantity",
    [
        *(
            "",
            " 1",
            "1 ",
            "+1",
            "--1",
            "-",
            "- 1",
            "-01",
            "1e3",
            "1E3",
            "0x1",
            "1_000",
            "01",
            "00",
            ".5",
            "5.",
            "1,5",
            "1.2.3",
        ),
        *(
            "1.0000001",
            "0.0000000",
            "10000000000",
            "NaN",
            "nan",
            "Infinity",
            "\u0661",
            "\uff11",
            "1\n",
            "1\u00a0",
        ),
        *(
            1.0,
            0.5,
            3.0000000000000001,
            1e3,
            float("nan"),
            float("inf"),
            -1.0,
            -0.0,
            10_000_000_000,
            -10_000_000_000,
            10**40,
        ),
        *(True, False, None, [], {}, b"1", Decimal("1")),
    ],
)
def test_what_is_not_exact_is_refused(quantity: object) -> None:
    with pytest.raises(ValueError, match=r"quantity|number"):
        to_micro(quantity)  # type: ignore[arg-type]


def test_the_shortest_text_is_written() -> None:
    assert [to_text(micro) for micro in (0, 1, 250_000, 3_000_000, 10_000_000, -1_500_000)] == [
        "0",
        "0.000001",
        "0.25",
        "3",
        "10",
        "-1.5",
    ]
