"""An id says which event it is, whatever the file looks like."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from usage_files import events_of, row, write_csv, write_jsonl, write_parquet

from marketplane.events import UsageEvent

ROWS = [row("1"), row("2"), row("1"), row("1"), row("2.50")]


def ids(found: list[UsageEvent]) -> list[str]:
    return [one.id for one in found]


def test_rows_that_say_the_same_are_events_of_their_own(tmp_path: Path) -> None:
    found = events_of(write_csv(tmp_path / "usage.csv", ROWS))
    assert len(set(ids(found))) == 5
    first, _, second, third, _ = ids(found)
    content = first.removesuffix("-1")
    assert [first, second, third] == [f"{content}-1", f"{content}-2", f"{content}-3"]
    assert all(len(one) <= 128 for one in ids(found))


def test_the_same_file_has_the_same_ids(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "usage.csv", ROWS)
    assert events_of(path) == events_of(path)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_does_not_matter(tmp_path: Path, seed: int) -> None:
    shuffled = random.Random(seed).sample(ROWS, k=len(ROWS))
    before = events_of(write_csv(tmp_path / "usage.csv", ROWS))
    after = events_of(write_csv(tmp_path / "shuffled.csv", shuffled))
    assert {one.body for one in after} == {one.body for one in before}


@pytest.mark.parametrize(("write", "ending"), [(write_jsonl, "jsonl"), (write_parquet, "parquet")])
def test_the_format_does_not_matter(tmp_path: Path, write: Callable[..., Path], ending: str) -> None:
    before = events_of(write_csv(tmp_path / "usage.csv", ROWS))
    assert events_of(write(tmp_path / f"usage.{ending}", ROWS)) == before


def test_how_a_value_is_written_does_not_matter(tmp_path: Path) -> None:
    otherwise = [one | {"time": "2026-11-22 11:15:00.000+01:00", "note": "x"} for one in ROWS]
    otherwise = [
        one | {"quantity": one["quantity"] + (".0" if one["quantity"] == "1" else "")} for one in otherwise
    ]
    before = events_of(write_csv(tmp_path / "usage.csv", ROWS))
    assert ids(events_of(write_csv(tmp_path / "other.csv", otherwise))) == ids(before)


@pytest.mark.parametrize(
    "said",
    [
        {"quantity": "3"},
        {"time": "2026-11-22T10:15:00.000001Z"},
        {"dimension": "other"},
        {"subscription_id": "sub_other"},
        {"tags.team": "a"},
        {"source": "other"},
    ],
)
def test_whatever_is_said_matters(tmp_path: Path, said: dict[str, str]) -> None:
    (before,) = events_of(write_csv(tmp_path / "usage.csv", [row("1")]))
    (after,) = events_of(write_csv(tmp_path / "other.csv", [row("1") | said]))
    assert before.id != after.id


def test_an_id_of_the_files_own_stands(tmp_path: Path) -> None:
    found = events_of(write_csv(tmp_path / "usage.csv", [row("1", id="mine"), row("1", id="")]))
    assert found[0].id == "mine"
    assert found[1].id.endswith("-1")
