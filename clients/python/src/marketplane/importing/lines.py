"""Lines of a text file, none of them so long that it would fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from marketplane.importing.errors import FileError

LONGEST = 1_000_000  # characters


def lines(file: TextIO) -> Iterator[str]:
    """
    Raises:
        FileError: a longer line, or text that is not UTF-8.
    """
    number = 0
    try:
        while line := file.readline(LONGEST):
            number += 1
            if len(line) == LONGEST and not line.endswith("\n"):
                raise FileError(f"Line {number} has more than {LONGEST} characters.")
            yield line
    except UnicodeDecodeError:
        raise FileError(f"After line {number} comes what is not UTF-8.") from None
