"""One comparison of our books with a file of AWS's: what it was of, and its numbers."""

import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime

from metering.evidence import Source


@dataclass(frozen=True)
class Counts:
    """The numbers of a reconciliation. The contract says each in a sentence."""

    read: int = 0
    passed_over: int = 0
    compared: int = 0
    agreed: int = 0
    differences: int = 0
    settled_as_billed: int = 0
    settled_to_bill_again: int = 0


@dataclass(frozen=True)
class Reconciliation:
    """
    Args:
        by: who sent the file.
        at: when.
        finished_at: None where it was killed on its way; what it had settled stands.
        complete_from, complete_until: the time of which the file has everything, by that person's word.
    """

    reconciliation_id: str
    source: Source
    by: str
    at: datetime
    complete_from: datetime | None = None
    complete_until: datetime | None = None
    finished_at: datetime | None = None
    counts: Counts = Counts()


def new_id() -> str:
    return "rec_" + b32encode(secrets.token_bytes(20)).decode().lower()[:26]
