"""Refusals in AWS's words: what a rule raises and the wire turns into an answer."""

from __future__ import annotations


class AwsError(Exception):
    """One named AWS error for the whole request; nothing of the request has been done.

    Args:
        code: the name of AWS, e.g. `InvalidLicenseException`.
        message: what was wrong, in words.
        status: HTTP status; the services' model lists none, so 400 unless a source says otherwise.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
