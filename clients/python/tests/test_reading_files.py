"""Rows become events exactly, or are refused with the reason; a file that cannot be read exactly is
refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from made_up import AT, SUBSCRIPTION
from usage_files import events_of, row, write_csv, write_jsonl, write_parquet

from marketplane import InvalidEvent
from marketplane.importing import lines as bounded
from marketplane.importing.errors import FileError
from marketplane.importing.usage_file import UsageFile


def test_a_row_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(
        b"\xef\xbb\xbfsubscription_id,note,dimension,quantity,time,tags.team,id,source\r\n"
        + f'{SUBSCRIPTION},"two\r\nlines, ""quoted""",gpu_hours,0.250000,'.encode()
        + b"2026-11-22 11:15:00+01:00,research,e1,gateway\r\n\r\n"
    )
    (one,) = events_of(path)
    assert one.members == {
        "source": "gateway",
        "id": "e1",
        "subscription_id": SUBSCRIPTION,
        "dimension": "gpu_hours",
        "quantity": "0.25",
        "time": "2026-11-22T10:15:00.000000Z",
        "tags": {"team": "research"},
    }


def test_columns_by_other_names(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("who,what,how much,at,division\ncus_a,tokens,7,2026-11-22T10:15:00Z,north\n")
    renamed = {
        "who": "customer_id",
        "what": "dimension",
        "how much": "quantity",
        "at": "time",
        "division": "tags.team",
    }
    path.write_text(path.read_text().replace("who,", "product_code,who,").replace("cus_a,", "prod,cus_a,"))
    (one,) = events_of(path, renamed)
    assert {name: one.members[name] for name in ("customer_id", "product_code", "quantity", "tags")} == {
        "customer_id": "cus_a",
        "product_code": "prod",
        "quantity": "7",
        "tags": {"team": "north"},
    }


@pytest.mark.parametrize(
    ("header", "renamed", "said"),
    [
        ("subscription_id,dimension,quantity", {}, "No column gives time"),
        ("subscription_id,dimension,amount,time", {}, "--map COLUMN=quantity"),
        ("subscription_id,dimension,quantity,time", {"amount": "quantity"}, "no column amount"),
        ("subscription_id,dimension,quantity,time", {"time": "when"}, "no field 'when'"),
        ("subscription_id,dimension,quantity,time", {"time": "tags."}, "no field 'tags.'"),
        ("a,b,dimension,quantity,time", {"a": "id", "b": "id"}, "mapped to the same field"),
        ("a,a,dimension,quantity,time", {}, "same name"),
        ("", {}, "no header"),
    ],
)
def test_columns_that_cannot_be(tmp_path: Path, header: str, renamed: dict[str, str], said: str) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(header)
    with pytest.raises(FileError, match=said):
        UsageFile.opened(path, None, renamed)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"quantity": "1e3"}, "plain decimal"),
        ({"quantity": "1,5"}, "plain decimal"),
        ({"quantity": "0.0000001"}, "after it"),
        ({"quantity": ""}, "no quantity"),
        ({"time": "2026-11-22T10:15:00"}, "has a zone"),
        ({"time": "yesterday"}, "of the form"),
        ({"dimension": ""}, "no dimension"),
        ({"subscription_id": ""}, "whose usage"),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, said: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidEvent, match=why):
        events_of(write_csv(tmp_path / "usage.csv", [row(**said)]))


@pytest.mark.parametrize(
    ("cells", "count"), [("sub_a,tokens", 2), ("sub_a,tokens,1,2026-11-22T10:15:00Z,x", 5)]
)
def test_a_row_with_other_cells_than_the_header(tmp_path: Path, cells: str, count: int) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(f"subscription_id,dimension,quantity,time\n{cells}\n")
    with pytest.raises(InvalidEvent, match=f"{count} cells, and the header 4"):
        events_of(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'dimension,quantity,time\n"open', "begins in line 2 is no CSV"),
        (b"dimension,quantity,time\n\xff\xfe,1,2", "not UTF-8"),
        (b"dimension,quantity,time\n" + b"x" * 300, "Line 2 has more than 200"),
    ],
)
def test_a_file_that_is_no_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    monkeypatch.setattr(bounded, "LONGEST", 200)
    path = tmp_path / "usage.csv"
    path.write_bytes(content)
    with pytest.raises(FileError, match=said):
        events_of(path)


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text('id,dimension,quantity,time\n"a\nb",d,1,t\n\nc,d,1,t\nd,d\n')
    assert [one.line for one in UsageFile.opened(path, None, {}).rows()] == [2, 5, 6]


def test_json_numbers_are_taken_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    whole = json.dumps(row("#") | {"tags": {"team": "a"}})
    written = ("0.1", "12345678.123456", "3", "1.5e1", '"0.5"')
    path.write_text("\n".join(whole.replace('"#"', number) for number in written) + "\n\n")
    found = events_of(path)
    assert [one.members["quantity"] for one in found] == ["0.1", "12345678.123456", "3", "15", "0.5"]
    assert found[0].members["tags"] == {"team": "a"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "no JSON"),
        (json.dumps(row("#")).replace('"#"', "NaN"), "no JSON"),
        (json.dumps(row("#")).replace('"#"', "0.30000000000000004"), "none is rounded"),
        (json.dumps(row() | {"tags": ["a"]}), "Tags are keys"),
        (json.dumps(row() | {"tags": {"team": 1}}), "tag's value"),
        (json.dumps(row() | {"time": 1763806500}), "The time is text"),
        (json.dumps(row() | {"id": 7}), "id is text"),
    ],
)
def test_lines_of_json_that_are_refused(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InvalidEvent, match=re.escape(why)):
        events_of(path)


def parquet(path: Path, **columns: Any) -> Path:
    table = {"subscription_id": ["sub_a"], "dimension": ["tokens"], "quantity": ["1"], "time": [AT]} | columns
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    return path


@pytest.mark.parametrize(
    ("quantity", "sent"),
    [
        (pyarrow.array([Decimal("0.100000")], pyarrow.decimal128(16, 6)), "0.1"),
        (pyarrow.array([Decimal("9999999999.999999")], pyarrow.decimal128(38, 18)), "9999999999.999999"),
        (pyarrow.array([7], pyarrow.int64()), "7"),
        (pyarrow.array(["0.5"]), "0.5"),
        (pyarrow.array(["0.5"]).dictionary_encode(), "0.5"),
    ],
)
def test_exact_columns_of_parquet(tmp_path: Path, quantity: Any, sent: str) -> None:
    (one,) = events_of(parquet(tmp_path / "usage.parquet", quantity=quantity))
    assert one.members["quantity"] == sent


@pytest.mark.parametrize("kind", [pyarrow.float64(), pyarrow.float32(), pyarrow.float16()])
def test_doubles_of_parquet_are_refused(tmp_path: Path, kind: Any) -> None:
    path = parquet(tmp_path / "usage.parquet", amount=pyarrow.array([0.5]).cast(kind))
    with pytest.raises(FileError, match=re.escape("CAST(amount AS DECIMAL(16, 6))")):
        UsageFile.opened(path, None, {"amount": "quantity"})
    # It is the quantity that has to be exact; another column of floats harms nothing.
    assert [one.members["quantity"] for one in events_of(path)] == ["1"]


def test_times_of_parquet(tmp_path: Path) -> None:
    nanoseconds = pyarrow.array([1763806500_123456_789], pyarrow.timestamp("ns", tz="Europe/Berlin"))
    (one,) = events_of(parquet(tmp_path / "usage.parquet", time=nanoseconds))
    assert one.members["time"] == "2025-11-22T10:15:00.123456Z"
    text = pyarrow.array(["2026-11-22T10:15:00Z"])
    (one,) = events_of(parquet(tmp_path / "usage.parquet", time=text))
    assert one.members["time"] == "2026-11-22T10:15:00.000000Z"
    naive = pyarrow.array([datetime(2026, 11, 22, tzinfo=UTC)], pyarrow.timestamp("us"))
    with pytest.raises(FileError, match="without a zone"):
        UsageFile.opened(parquet(tmp_path / "usage.parquet", time=naive), None, {})


@pytest.mark.parametrize(
    "kind",
    [
        pyarrow.map_(pyarrow.string(), pyarrow.string()),
        pyarrow.struct([("team", pyarrow.string()), ("site", pyarrow.string())]),
    ],
)
def test_tags_of_parquet(tmp_path: Path, kind: Any) -> None:
    tags = pyarrow.array([{"team": "a"} if pyarrow.types.is_struct(kind) else [("team", "a")]], kind)
    (one,) = events_of(parquet(tmp_path / "usage.parquet", tags=tags))
    assert one.members["tags"] == {"team": "a"}


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "usage.parquet").write_text("no")
    with pytest.raises(FileError, match="no Parquet"):
        UsageFile.opened(tmp_path / "usage.parquet", None, {})


def test_parquet_is_read_in_pieces(tmp_path: Path) -> None:
    rows = [row(str(number)) for number in range(2500)]
    found = events_of(write_parquet(tmp_path / "usage.parquet", rows))
    assert [one.members["quantity"] for one in found] == [one["quantity"] for one in rows]


def test_a_file_of_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "usage.txt").write_text("x")
    with pytest.raises(FileError, match="--format"):
        UsageFile.opened(tmp_path / "usage.txt", None, {})


WRITE: list[Callable[..., Path]] = [write_csv, write_jsonl, write_parquet]


@pytest.mark.parametrize("write", WRITE)
def test_the_number_of_rows_is_known_before(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path / f"usage.{write.__name__.removeprefix('write_')}", [row("1"), row("2"), row("3")])
    assert UsageFile.opened(path, None, {}).about == 3
