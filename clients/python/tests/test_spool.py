"""What is on disk is what is undecided."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from made_up import event, events

from marketplane import SpoolInUse
from marketplane.spool import MOST_LINES, Place, Spool


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left_in(folder: Path) -> list[str]:
    """The ids that the next process would send; the folder is given back."""
    spool = Spool(folder)
    found = [one.id for one, _ in spool.recover()]
    spool.close()
    return found


def test_the_next_one_finds_what_is_undecided(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new" / "spool")
    assert spool.recover() == []
    written = events(3)
    places = [spool.append(one) for one in written]
    spool.decided([places[1]])
    spool.close()
    after = Spool(tmp_path / "new" / "spool")
    assert after.recover() == [(written[0], places[0]), (written[2], places[2])]
    after.decided([places[0], places[2]])
    after.close()
    assert names(tmp_path / "new" / "spool") == ["lock"]


def test_what_is_decided_is_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for _ in range(3):
        spool.decided([spool.append(event())])
        assert names(tmp_path) == ["lock"]
    spool.close()


def test_segments_are_numbered_and_go_one_by_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    places = [spool.append(one) for one in events(MOST_LINES + 1)]
    assert names(tmp_path) == ["00000001.jsonl", "00000002.jsonl", "lock"]
    spool.decided(places[:MOST_LINES])
    assert names(tmp_path) == ["00000002.jsonl", "lock"]
    spool.close()
    assert left_in(tmp_path) == [f"e{MOST_LINES}"]


def test_what_comes_later_goes_into_a_new_segment(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.append(event("e1"))
    first.close()
    second = Spool(tmp_path)
    second.recover()
    assert second.append(event("e2")) == Place(2, 0)
    second.close()
    assert left_in(tmp_path) == ["e1", "e2"]


def test_a_torn_last_line_is_borne(tmp_path: Path) -> None:
    whole = event("e1").body
    (tmp_path / "00000001.jsonl").write_bytes(whole + b"\n" + whole[:20])
    assert left_in(tmp_path) == ["e1"]
    assert not list(tmp_path.glob("*.rejected"))


def test_lines_that_cannot_be_read_are_set_aside_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [b"\0\0\0", b'{"id": "half', b"[1]"]
    lines = [event("e1").body, *bad, event("e2").body]
    (tmp_path / "00000007.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert left_in(tmp_path) == ["e1", "e2"]
    assert (tmp_path / "00000007.rejected").read_bytes() == b"\n".join(bad) + b"\n"
    assert "3 lines of the spool cannot be read" in caplog.text
    spool = Spool(tmp_path)
    spool.decided(place for _, place in spool.recover())
    assert names(tmp_path) == ["00000007.rejected", "lock"]
    assert spool.append(event()) == Place(8, 0), "a number is not used again"
    spool.close()


@pytest.mark.parametrize(
    ("done", "left"),
    [
        (b"", ["e0", "e1", "e2"]),
        (b"\n00000001", ["e0", "e2"]),
        (b"\n0000000", ["e0", "e1", "e2"]),
        # Torn, and then another process went on.
        (b"\n0000000\n00000002", ["e0", "e1"]),
        (b"\n00000000\n00000001\n00000002", []),
    ],
)
def test_what_was_noted_as_decided_is_not_sent_again(tmp_path: Path, done: bytes, left: list[str]) -> None:
    (tmp_path / "00000001.jsonl").write_bytes(b"".join(one.body + b"\n" for one in events(3)))
    (tmp_path / "00000001.done").write_bytes(done)
    assert left_in(tmp_path) == left


def test_a_note_without_its_segment_goes(tmp_path: Path) -> None:
    (tmp_path / "00000001.done").write_bytes(b"\n00000000")
    spool = Spool(tmp_path)
    assert spool.recover() == []
    spool.append(event("e1"))
    spool.close()
    assert left_in(tmp_path) == ["e1"]


def test_one_reporter_for_a_directory(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolInUse, match="belongs to another reporter"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


def test_others_on_the_machine_may_not_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    places = [spool.append(one) for one in events(2)]
    spool.decided(places[:1])
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()}
    assert found == dict.fromkeys(["00000001.jsonl", "00000001.done", "lock"], 0o600)
    spool.close()


@pytest.mark.parametrize(
    ("sync", "after_append", "after_sending"), [("each", [1, 2], 2), ("batch", [0, 0], 1)]
)
def test_when_the_disk_is_told_to_keep_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sync: str,
    after_append: list[int],
    after_sending: int,
) -> None:
    spool = Spool(tmp_path, sync)  # type: ignore[arg-type]
    synced: list[str] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            synced.append("file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    counts = []
    for one in events(2):
        spool.append(one)
        counts.append(len(synced))
    assert counts == after_append
    spool.before_sending()
    spool.before_sending()
    assert len(synced) == after_sending
    spool.close()


@pytest.mark.parametrize("failure", ["full", "half"])
def test_an_event_that_the_disk_did_not_take_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    spool = Spool(tmp_path)
    spool.append(event("e1"))
    write = os.write

    def broken(descriptor: int, data: bytes) -> int:
        if failure == "full":
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        with pytest.raises(OSError, match=r"No space|only a part"):
            spool.append(event("e2"))
    spool.append(event("e3"))
    spool.close()
    assert left_in(tmp_path) == ["e1", "e3"]
    assert not list(tmp_path.glob("*.rejected"))


def test_an_event_that_the_disk_did_not_keep_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, "each")
    spool.append(event("e1"))

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            spool.append(event("e2"))
    spool.append(event("e3"))
    spool.close()
    assert left_in(tmp_path) == ["e1", "e3"]


def test_what_was_taken_before_a_failure_is_on_the_disk_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segment is left at the failure; whoever sends then looks at the new one only."""
    spool = Spool(tmp_path, "batch")
    spool.append(event("e1"))
    first = next(tmp_path.glob("*.jsonl")).stat().st_ino
    synced: set[int] = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", noted)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            spool.append(event("e2"))
    spool.before_sending()
    assert first in synced
    spool.close()


def test_only_known_ways_to_synchronise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each"):
        Spool(tmp_path, "never")  # type: ignore[arg-type]
