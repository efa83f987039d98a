"""How far an import has come: all rows up to a place are acknowledged or written down as refused."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from marketplane.importing.errors import FileError


@dataclass(frozen=True)
class Place:
    """
    Attributes:
        rows: so many of the first rows are done.
        accepted: so many of them are durable.
        refused: so many are not, and never will be.
        refused_bytes: so long is the file of refused rows.
        finished: there are no more.
    """

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    refused_bytes: int = 0
    finished: bool = False


class State:
    """
    Args:
        path: of the file it is kept in.
        belongs_to: what must be the same for an import to be resumed: the file's content, and whatever its
            ids and its destination come from.
    """

    def __init__(self, path: Path, belongs_to: dict[str, object]) -> None:
        self._path = path
        self._belongs_to = belongs_to

    def read(self) -> Place:
        """
        Raises:
            FileError: it is of another import.
        """
        try:
            kept = json.loads(self._path.read_bytes())
            belongs_to, place = kept["belongs_to"], Place(**kept["place"])
        except FileNotFoundError:
            return Place()
        except (ValueError, TypeError, KeyError):
            raise FileError(f"{self._path} is no state of an import; remove it, or name another.") from None
        if belongs_to != self._belongs_to:
            other = [name for name, value in self._belongs_to.items() if belongs_to.get(name) != value]
            raise FileError(
                f"{self._path} is the state of another import: {', '.join(other)} differs. Remove it to begin"
                " anew, or name another with --state."
            )
        return place

    def write(self, place: Place) -> None:
        # Not synchronised: a state that is behind costs sending some rows again, which count once.
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(json.dumps({"belongs_to": self._belongs_to, "place": asdict(place)}, indent=1) + "\n")
        os.replace(new, self._path)
