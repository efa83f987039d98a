"""`marketplane usage import`: assembles the import of one file."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from marketplane.connection import Connection
from marketplane.errors import InvalidEvent, Stopped
from marketplane.importing.errors import FileError
from marketplane.importing.importer import Importer, chunks
from marketplane.importing.progress import progress
from marketplane.importing.refused_rows import RefusedRows
from marketplane.importing.row_ids import RowIds
from marketplane.importing.rows import Reader
from marketplane.importing.state import Place, State
from marketplane.importing.usage_file import UsageFile
from marketplane.retry import Backoff
from marketplane.sender import Sender, ToldToStop

ALL_ACCEPTED, SOME_REFUSED, UNUSABLE, STOPPED, INTERRUPTED = 0, 1, 2, 3, 130
SHOWN = 5  # of the mistakes that a dry run finds


@dataclass(frozen=True)
class Wish:
    """What the command line says; see `cli.py`."""

    file: Path
    url: str
    source: str
    format: str | None
    renamed: Mapping[str, str]
    state: Path | None
    dry_run: bool
    in_flight: int
    give_up_after: float | None


def run(wish: Wish, api_key: str) -> int:
    """Answers the exit code."""
    try:
        file = UsageFile.opened(wish.file, wish.format, wish.renamed)
        return _try_out(wish, file) if wish.dry_run else _send(wish, file, api_key)
    except (FileError, OSError) as error:
        return _end(UNUSABLE, str(error))
    except Stopped as error:
        return _end(STOPPED, f"{error} All up to here is noted: the same command goes on from there.")
    except ToldToStop:
        return _end(INTERRUPTED, "Interrupted. All up to here is noted: the same command goes on from there.")


def _send(wish: Wish, file: UsageFile, api_key: str) -> int:
    state = State(
        wish.state or _beside(wish.file, ".state.json"),
        {
            "file": file.digest,
            "format": file.format,
            "columns": dict(sorted(file.columns.fields.items())),
            "source": wish.source,
            "url": wish.url,
        },
    )
    place = state.read()
    refused = RefusedRows(_beside(wish.file, ".refused.jsonl"), place.refused_bytes)
    if place.finished:
        _say("Nothing is left to do; remove the state file to send all of it again.")
    else:
        place = _send_from(place, wish, file, api_key, state, refused)
    _say(f"{place.rows:,} rows: {place.accepted:,} accepted, {place.refused:,} refused.")
    if place.refused:
        _say(f"Why, row by row: {refused.path}")
    return SOME_REFUSED if place.refused else ALL_ACCEPTED


def _send_from(
    place: Place, wish: Wish, file: UsageFile, api_key: str, state: State, refused: RefusedRows
) -> Place:
    connection = _connection(wish, api_key)
    shown = progress(file.about, place.rows, sys.stderr, time.monotonic)
    with _until_interrupted() as stop, closing(connection), closing(shown), closing(RowIds()) as row_ids:
        sender = Sender(
            connection.post,
            stop.wait,
            backoff=Backoff(),
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            give_up_after=wish.give_up_after,
        )
        reader = Reader(file.columns, wish.source, row_ids)
        importer = Importer(sender, stop, state, refused, wish.in_flight, shown.advance)
        return importer.run(chunks(file.rows(), reader, skip=place.rows), place)


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C or SIGTERM, so that what is on its way is noted; the second ends at once."""
    stop = threading.Event()

    def told(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _connection(wish: Wish, api_key: str) -> Connection:
    try:
        return Connection(wish.url, api_key=api_key, connections=wish.in_flight)
    except ValueError as error:
        raise FileError(str(error)) from None


def _try_out(wish: Wish, file: UsageFile) -> int:
    """Reads all and sends nothing; what the service would say of an event only it knows."""
    rows = mistakes = 0
    with closing(RowIds()) as row_ids:
        reader = Reader(file.columns, wish.source, row_ids)
        for row in file.rows():
            rows += 1
            try:
                reader.event(row)
            except InvalidEvent as error:
                mistakes += 1
                if mistakes <= SHOWN:
                    _say(f"line {row.line}: {error}")
    if mistakes > SHOWN:
        _say(f"and {mistakes - SHOWN:,} more.")
    _say(f"{rows:,} rows: {rows - mistakes:,} could be sent, {mistakes:,} could not. Nothing was sent.")
    return SOME_REFUSED if mistakes else ALL_ACCEPTED


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _end(code: int, sentence: str) -> int:
    _say(sentence)
    return code
