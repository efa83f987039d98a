"""The command `marketplane`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from marketplane.importing import command, sample_command

KEY = "MARKETPLANE_API_KEY"
DEFAULT_SOURCE = "marketplane-import"


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    key = os.environ.get(KEY, "")
    if not key and not options.dry_run:
        print(
            f"The API key belongs into the variable {KEY}; it needs the scope usage:write.", file=sys.stderr
        )
        return command.UNUSABLE
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if options.act == "import-sample":
        return sample_command.run(
            sample_command.SampleWish(
                scan=options.scan,
                product_code=options.product_code,
                url=options.url.rstrip("/"),
                stopped=options.sample_stopped,
                dry_run=options.dry_run,
                in_flight=options.in_flight,
                give_up_after=options.give_up_after or None,
            ),
            key,
        )
    return command.run(
        command.Wish(
            file=options.file,
            url=options.url.rstrip("/"),
            source=options.source,
            format=options.format,
            renamed=dict(options.map),
            state=options.state,
            dry_run=options.dry_run,
            in_flight=options.in_flight,
            give_up_after=options.give_up_after or None,
        ),
        key,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="marketplane", description="Marketplane from the command line.")
    usage = parser.add_subparsers(required=True).add_parser("usage", help="report usage")
    acts = usage.add_subparsers(required=True, dest="act")
    _sample_parser(acts.add_parser("import-sample", help="report what AWS's SaaS sample has not sent yet"))
    one = acts.add_parser(
        "import",
        help="report the usage that is in a file",
        description="Sends each row of a file as a usage event. Run again, it goes on where it ended; rows"
        " that were sent before count once.",
        epilog=f"The API key is read from {KEY}. Exit codes: 0 all accepted, 1 some refused, 2 the file or"
        " the command cannot be used, 3 stopped (credentials, or no answer for too long), 130 interrupted.",
    )
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--url", required=True, help="of the metering service")
    one.add_argument(
        "--source",
        default=DEFAULT_SOURCE,
        help="of rows that name none; each part of a divided file needs its own",
    )
    one.add_argument(
        "--format", choices=("csv", "jsonl", "parquet"), help="where the file's name does not say"
    )
    one.add_argument(
        "--map",
        action="append",
        default=[],
        type=_pair,
        metavar="COLUMN=FIELD",
        help="e.g. qty=quantity, team=tags.team",
    )
    one.add_argument("--state", type=Path, help="where the place is noted (FILE.state.json)")
    _add_how(one)
    return parser


def _sample_parser(one: argparse.ArgumentParser) -> None:
    one.description = (
        "Sends the pending rows of AWSMarketplaceMeteringRecords as usage events, each once; never what the"
        " sample has sent. See docs/from-aws-samples.md."
    )
    one.add_argument("scan", type=Path, metavar="SCAN", help="what `aws dynamodb scan` printed of the table")
    one.add_argument("--url", required=True, help="of the metering service")
    one.add_argument("--product-code", required=True, help="of the sample's product")
    one.add_argument(
        "--sample-stopped",
        action="store_true",
        help="the scan was made an hour or more after the sample's schedule was disabled",
    )
    _add_how(one)


def _add_how(one: argparse.ArgumentParser) -> None:
    """What all imports ask."""
    one.add_argument("--dry-run", action="store_true", help="read and check all, send nothing")
    one.add_argument("--in-flight", type=_count, default=4, help="requests on their way at once (4)")
    one.add_argument(
        "--give-up-after",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="without an answer (600; 0: never)",
    )


def _pair(text: str) -> tuple[str, str]:
    column, equals, field = text.rpartition("=")
    if not (column and equals and field):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form COLUMN=FIELD")
    return column, field


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
