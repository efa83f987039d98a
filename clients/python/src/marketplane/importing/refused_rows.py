"""The file of refused rows: JSON lines with the line in the input, the reason, and the row itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marketplane.answers import Refusal
from marketplane.importing.rows import Row


@dataclass(frozen=True)
class RefusedRow:
    row: Row
    refusal: Refusal


class RefusedRows:
    """
    Args:
        path: made with the first refused row.
        length: of what is in it rightly; what comes after that was written by a run that ended before its
            place was, and comes again.
    """

    def __init__(self, path: Path, length: int) -> None:
        self.path = path
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(length)

    def write(self, refused: Sequence[RefusedRow]) -> int:
        """Write them down; answers the length of the file."""
        if refused:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(_line(one) for one in refused)
        return self.path.stat().st_size if self.path.exists() else 0


def _line(one: RefusedRow) -> str:
    said = {
        "line": one.row.line,
        "reason": one.refusal.reason,
        "detail": one.refusal.detail,
        "row": one.row.cells,
    }
    return json.dumps(said, ensure_ascii=False, default=str) + "\n"
