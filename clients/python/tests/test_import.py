"""The command: all rows arrive once, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY
from fake_metering import FakeMetering, Gate, Request, Said, accept, hang_up, refuse, say, take_and_hang_up
from usage_files import events_of, numbered, row, write_csv, write_jsonl, write_parquet

from marketplane import cli
from marketplane.importing import command

LONG = 60.0
Run = Callable[..., int]


class NoPause:
    """Instead of the backoff: the next try comes at once."""

    def pause(self, failures: int, asked: float | None = None) -> float:
        return 0.0


@pytest.fixture
def run(metering: FakeMetering, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv(cli.KEY, KEY)
    monkeypatch.setattr(command, "Backoff", NoPause)

    def run(path: Path, *words: str) -> int:
        return cli.main(["usage", "import", str(path), "--url", metering.url, *words])

    return run


def beside(path: Path, ending: str) -> Any:
    text = path.with_name(path.name + ending).read_text()
    return json.loads(text) if ending.endswith("json") else [json.loads(line) for line in text.splitlines()]


def sent(path: Path) -> dict[str, dict[str, Any]]:
    """What has to be taken, by id."""
    return {one.id: one.members for one in events_of(path, source=cli.DEFAULT_SOURCE)}


def taken(metering: FakeMetering) -> dict[str, dict[str, Any]]:
    return {event_id: event for (_, event_id), event in metering.taken.items()}


@pytest.mark.parametrize(
    ("write", "ending"), [(write_csv, "csv"), (write_jsonl, "jsonl"), (write_parquet, "parquet")]
)
def test_every_row_arrives(
    run: Run,
    metering: FakeMetering,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    write: Callable[..., Path],
    ending: str,
) -> None:
    path = write(tmp_path / f"usage.{ending}", numbered(2500))
    assert run(path, "--in-flight", "3") == 0
    assert taken(metering) == sent(path)
    assert sorted(len(request.events) for request in metering.requests) == [500, 1000, 1000]
    assert "2,500 rows: 2,500 accepted, 0 refused." in capsys.readouterr().err
    assert not path.with_name(path.name + ".refused.jsonl").exists()
    assert beside(path, ".state.json")["place"] == {
        "rows": 2500,
        "accepted": 2500,
        "refused": 0,
        "refused_bytes": 0,
        "finished": True,
    }
    assert KEY not in path.with_name(path.name + ".state.json").read_text()


def test_requests_are_not_too_large(run: Run, metering: FakeMetering, tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "usage.csv", [row(str(number), **{"tags.x": "x" * 9000}) for number in range(1, 300)]
    )
    assert run(path) == 0
    assert len(metering.taken) == 299
    assert all(len(request.body) <= 1_000_000 for request in metering.requests)
    assert len(metering.requests) == 3


def test_refused_rows_are_written_down(run: Run, metering: FakeMetering, tmp_path: Path) -> None:
    rows = [row("1"), row("oops"), row("2"), row("3", time="2026-11-22")]
    path = write_csv(tmp_path / "usage.csv", rows)
    bad = events_of(write_csv(tmp_path / "bad.csv", [row("2")]), source=cli.DEFAULT_SOURCE)[0].id
    metering.otherwise = refuse(bad)
    assert run(path) == 1
    assert [event["quantity"] for event in metering.taken.values()] == ["1"]
    found = beside(path, ".refused.jsonl")
    assert [(one["line"], one["reason"]) for one in found] == [
        (3, "invalid_event"),
        (4, "unknown_dimension"),
        (5, "invalid_event"),
    ]
    assert found[1]["detail"] == "There is no such dimension."
    assert found[0]["row"] == rows[1]


def test_run_again_after_the_end_nothing_is_sent(
    run: Run, metering: FakeMetering, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv(tmp_path / "usage.csv", [row("1"), row("oops")])
    assert run(path) == 1
    before = len(metering.requests), beside(path, ".refused.jsonl")
    assert run(path) == 1
    assert (len(metering.requests), beside(path, ".refused.jsonl")) == before
    assert "Nothing is left to do" in capsys.readouterr().err


def test_without_the_state_all_is_sent_again_with_the_same_ids(
    run: Run, metering: FakeMetering, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "usage.csv", [row("1"), row("1"), row("2")])
    assert run(path) == 0
    path.with_name("usage.csv.state.json").unlink()
    assert run(path) == 0
    assert len(metering.requests) == 2
    assert len(metering.taken) == 3


def shaky(times: int) -> Callable[[FakeMetering, Request], Said]:
    guard, count = threading.Lock(), 0

    def act(fake: FakeMetering, request: Request) -> Said:
        nonlocal count
        with guard:
            count += 1
            mine = count
        return [accept, take_and_hang_up, say(503), hang_up][mine % 4 if mine <= times else 0](fake, request)

    return act


def test_a_service_that_fails_now_and_then(run: Run, metering: FakeMetering, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "usage.csv", numbered(5000))
    metering.otherwise = shaky(20)
    assert run(path) == 0
    assert taken(metering) == sent(path)
    assert len(metering.requests) > 5


@pytest.mark.parametrize("in_flight", ["1", "4"])
def test_stopped_and_resumed(
    run: Run, metering: FakeMetering, tmp_path: Path, capsys: pytest.CaptureFixture[str], in_flight: str
) -> None:
    rows = [*numbered(3500), row("oops"), *numbered(1500)]  # identical rows before and after the place
    path = write_csv(tmp_path / "usage.csv", rows)
    metering.script.extend([accept, accept, say(401)])
    metering.otherwise = say(401)
    assert run(path, "--in-flight", in_flight) == 3
    assert "401" in capsys.readouterr().err
    place = (
        beside(path, ".state.json")["place"]
        if path.with_name("usage.csv.state.json").exists()
        else {"rows": 0}
    )
    assert place["rows"] <= 2000
    metering.otherwise = accept
    before = len(metering.requests)
    assert run(path, "--in-flight", in_flight) == 1
    whole = sent(write_csv(tmp_path / "good.csv", [*numbered(3500), *numbered(1500)]))
    assert taken(metering) == whole
    again = [event_id for request in metering.requests[before:] for event_id in request.ids]
    assert len(again) == len(set(again)) == 5000 - place["rows"]
    assert [one["line"] for one in beside(path, ".refused.jsonl")] == [3502]
    assert beside(path, ".state.json")["place"]["rows"] == 5001


def test_given_up(run: Run, metering: FakeMetering, tmp_path: Path) -> None:
    metering.otherwise = say(503)
    path = write_csv(tmp_path / "usage.csv", numbered(3))
    assert run(path, "--give-up-after", "0.000001") == 3
    metering.otherwise = accept
    assert run(path) == 0
    assert len(metering.taken) == 3


def test_refused_rows_after_the_place_are_not_there_twice(
    run: Run, metering: FakeMetering, tmp_path: Path
) -> None:
    """Killed after refused rows were written and before the place was."""
    path = write_csv(tmp_path / "usage.csv", [row("oops"), row("1")])
    path.with_name("usage.csv.refused.jsonl").write_text('{"line": 2}\n')
    assert run(path) == 1
    assert [one["reason"] for one in beside(path, ".refused.jsonl")] == ["invalid_event"]


@pytest.mark.parametrize("change", ["content", "source", "map", "url"])
def test_the_state_of_another_import_is_not_taken_up(
    run: Run, metering: FakeMetering, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    path = write_csv(tmp_path / "usage.csv", [row("1", other="2")])
    assert run(path) == 0
    words = {
        "source": ["--source", "x"],
        "map": ["--map", "other=quantity"],
        "url": ["--url", "http://127.0.0.1:1"],
    }
    if change == "content":
        write_csv(path, [row("2", other="2")])
    assert run(path, *words.get(change, [])) == 2
    said = capsys.readouterr().err
    name = {"content": "file", "map": "columns"}.get(change, change)
    assert f"state of another import: {name} differs" in said
    assert len(metering.requests) == 1


def test_a_state_that_is_none(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_csv(tmp_path / "usage.csv", numbered(1))
    (tmp_path / "mine").write_text("{}")
    assert run(path, "--state", str(tmp_path / "mine")) == 2
    assert "no state of an import" in capsys.readouterr().err


def test_a_dry_run_sends_nothing(
    run: Run,
    metering: FakeMetering,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(cli.KEY)
    path = write_csv(tmp_path / "usage.csv", [row("1"), *[row("oops")] * 7])
    assert run(path, "--dry-run") == 1
    said = capsys.readouterr().err
    assert "8 rows: 1 could be sent, 7 could not. Nothing was sent." in said
    assert "line 3: A quantity as text" in said
    assert "and 2 more." in said
    assert metering.requests == []
    assert [one.name for one in tmp_path.iterdir()] == ["usage.csv"]


def test_the_key_comes_from_the_surroundings_only(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "usage.csv", numbered(1))
    monkeypatch.delenv(cli.KEY)
    assert run(path) == 2
    assert cli.KEY in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        run(path, "--api-key", KEY)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "csv", "--map", "a=b=quantity"], "no column a=b"),
        (["--url", "ftp://x"], "http"),
        (["--state", "/dev/null/x"], "Not a directory"),
    ],
)
def test_commands_that_cannot_be(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(write_csv(tmp_path / "usage.csv", numbered(1)), *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--map", "x"], ["--in-flight", "0"], ["--in-flight", "x"], ["--format", "xml"]]
)
def test_words_that_are_none(run: Run, tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(tmp_path / "usage.csv", *words)
    assert caught.value.code == 2


def test_a_file_that_is_not_there(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "usage.csv") == 2
    assert "No such file" in capsys.readouterr().err


def test_a_file_that_breaks_off(run: Run, metering: FakeMetering, tmp_path: Path) -> None:
    """What came before is sent and noted; once the file is mended it is another file, with the same ids."""
    path = write_csv(tmp_path / "usage.csv", numbered(1500))
    with path.open("a") as file:
        file.write('"broken')
    assert run(path) == 2
    assert beside(path, ".state.json")["place"]["rows"] == 1000
    write_csv(path, numbered(1500))
    assert run(path, "--state", str(tmp_path / "new.json")) == 0
    assert taken(metering) == sent(path)


def start(program: Callable[..., Any], metering: FakeMetering, path: Path) -> subprocess.Popen[str]:
    text = "import sys; from marketplane.cli import main; sys.exit(main())"
    words = ["usage", "import", path, "--url", metering.url, "--in-flight", "2"]
    found: subprocess.Popen[str] = program(text, *words, env=os.environ | {cli.KEY: KEY})
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_interrupted_and_resumed(
    run: Run, metering: FakeMetering, tmp_path: Path, program: Callable[..., Any], number: int, code: int
) -> None:
    path = write_csv(tmp_path / "usage.csv", [*numbered(2500), *numbered(2500)])
    gate = Gate()
    metering.script.extend([accept, accept])
    metering.otherwise = gate
    process = start(program, metering, path)
    metering.until(lambda: len(metering.requests) == 4)
    process.send_signal(number)
    if number == signal.SIGKILL:
        process.wait()
    gate.open()
    _, errors = process.communicate()
    assert process.returncode == code, errors
    noted = beside(path, ".state.json")["place"]
    # A request that was on its way is waited for and noted, unless the process was killed.
    assert noted["rows"] in ((4000,) if number != signal.SIGKILL else (1000, 2000))
    metering.otherwise = accept
    assert run(path) == 0
    assert taken(metering) == sent(path)
    assert len(metering.taken) == 5000


def test_progress_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from marketplane.importing.progress import progress

    times = iter([0.0, 4.0, 20.0, 21.0])
    shown = progress(4000, 1000, sys.stderr, lambda: next(times))
    for _ in range(3):
        shown.advance(1000)
    shown.close()
    assert capsys.readouterr().err == "3,000 of about 4,000 rows, 100 rows/s, 10 s left\n"


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from marketplane.importing.progress import progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = progress(4000, 1000, sys.stderr, lambda: 0.0)
    shown.advance(3000)
    shown.close()
    said = capsys.readouterr().err
    assert "25%" in said
    assert "100%" in said
    assert "4.00k/4.00k" in said
