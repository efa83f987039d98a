"""Refusals in AWS's words: what a rule raises and the wire turns into an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """One named AWS error for the whole request; nothing of the request has been done.

    Args:
        code: the name of AWS, e.g. `InvalidLicenseException`.
        message: what was wrong, in words.
        status: HTTP status; 400 unless the service's model or another source says otherwise.
        members: what the error carries besides, e.g. `resourceId`.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
