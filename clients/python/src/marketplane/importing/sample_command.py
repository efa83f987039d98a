"""`marketplane usage import-sample`: from AWS's serverless SaaS sample to Marketplane, once."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from marketplane.importing import aws_sample, command
from marketplane.importing.errors import FileError

NOT_STOPPED = (
    "Is the sample stopped? What it sends after the scan would be billed twice. Disable its hourly schedule, "
    "wait an hour (its queue keeps nothing longer), scan then, and say --sample-stopped; --dry-run shows "
    "what would be sent."
)


TOO_EARLY = (
    "The sample may have sent in this hour, and AWS takes one record for a dimension and an hour: what is "
    "pending counts in the hour that begins at {:%Y-%m-%dT%H:%MZ}. Run this again then, within a day."
)


@dataclass(frozen=True)
class SampleWish:
    """What the command line says; see `cli.py`."""

    scan: Path
    product_code: str
    url: str
    stopped: bool
    dry_run: bool
    in_flight: int
    give_up_after: float | None


def now() -> datetime:
    return datetime.now(UTC)


def run(wish: SampleWish, api_key: str) -> int:
    """Writes what is pending into a file beside the scan and imports that one. Answers the exit code."""
    if not (wish.stopped or wish.dry_run):
        return _end(NOT_STOPPED)
    try:
        moment = now()
        made = aws_sample.plan(_read(wish.scan), wish.product_code, moment)
        if made.events and made.first_hour > moment and not wish.dry_run:
            return _end(TOO_EARLY.format(made.first_hour))
        usage = _written(wish.scan, ".usage.jsonl", made.events)
        left_out = _written(wish.scan, ".left-out.jsonl", made.left_out)
    except (FileError, OSError) as error:
        return _end(str(error))
    _say(f"{made.sent:,} rows the sample has sent; they stay as they are.")
    _say(f"{len(made.left_out):,} rows wait for a person.")
    if made.left_out:
        _say(f"Why, row by row: {left_out}")
    _say(f"{len(made.events):,} events count in the hour from {made.first_hour:%Y-%m-%dT%H:%MZ}: {usage}")
    code = command.run(
        command.Wish(
            file=usage,
            url=wish.url,
            source=aws_sample.source(wish.product_code),
            format="jsonl",
            renamed={},
            state=None,
            dry_run=wish.dry_run,
            in_flight=wish.in_flight,
            give_up_after=wish.give_up_after,
        ),
        api_key,
    )
    return code or (command.SOME_REFUSED if made.left_out else command.ALL_ACCEPTED)


def _read(scan: Path) -> object:
    try:
        # Numbers are text in DynamoDB's JSON: no digit is lost here.
        return json.loads(scan.read_text(encoding="utf-8"))
    except ValueError:
        raise FileError(f"{scan.name} is no JSON.") from None


def _written(scan: Path, ending: str, rows: list[dict[str, str]]) -> Path:
    """
    Raises:
        FileError: another run made another file of this scan: events that were sent would get other hours.
    """
    path = scan.with_name(scan.name + ending)
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise FileError(
            f"{path.name} is there and says something else. If nothing of it was sent, remove it."
        )
    path.write_text(text, encoding="utf-8")
    return path


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _end(sentence: str) -> int:
    _say(sentence)
    return command.UNUSABLE
