"""The place up to which a file is done, when something in the middle fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from marketplane.errors import Stopped
from marketplane.events import UsageEvent
from marketplane.importing.importer import Chunk, Importer
from marketplane.importing.refused_rows import RefusedRows
from marketplane.importing.rows import Row
from marketplane.importing.state import Place, State
from marketplane.sender import Decided


class FailsInTheMiddle:
    """Takes every batch but the second, which fails once the third is taken."""

    def __init__(self) -> None:
        self.third = threading.Event()

    def send(self, events: Sequence[UsageEvent], *_: Any) -> Iterator[Decided]:
        (event,) = events
        if event.id == "2":
            assert self.third.wait(60)
            raise Stopped("A person must act.")
        yield Decided(events, {})
        if event.id == "3":
            self.third.set()


def test_what_follows_a_failed_request_is_not_done(tmp_path: Path) -> None:
    """The third request was taken; but who resumes behind it would leave the second out for ever."""
    found = [
        Chunk(rows=1, sent=[(Row(number, {}), UsageEvent("import", str(number), b"{}"))])
        for number in range(1, 4)
    ]
    state = State(tmp_path / "state.json", {"file": "this one"})
    refused = RefusedRows(tmp_path / "refused.jsonl", 0)
    importer = Importer(FailsInTheMiddle(), threading.Event(), state, refused, 3, lambda _: None)  # type: ignore[arg-type]
    with pytest.raises(Stopped):
        importer.run(found, Place())
    assert state.read().rows == 1
