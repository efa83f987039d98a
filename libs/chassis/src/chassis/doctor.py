"""Looks at what a process will need, part by part, and says what is amiss and how it is mended.

Nothing is changed, and nothing is sent that anybody could count or bill.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from pynamodb.exceptions import PynamoDBException

from chassis.aws import error_code


class Ill(Exception):
    """A part is not as it has to be.

    Args:
        what: what was found, in words.
        mend: what a person is to do.
    """

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


@dataclass(frozen=True)
class Check:
    """One part.

    Attributes:
        part: its name.
        look: answers what was found, in words; raises Ill, or an error of AWS's.
    """

    part: str
    look: Callable[[], str]


@dataclass(frozen=True)
class Finding:
    """What came of a check; `mend` where something is to be done."""

    part: str
    what: str
    mend: str | None = None

    def __str__(self) -> str:
        said = f"{'ok ' if self.mend is None else 'ILL'} {self.part}: {self.what}"
        return said if self.mend is None else f"{said}\n    {self.mend}"


def examine(checks: Iterable[Check]) -> Iterable[Finding]:
    """Make each check; none holds up the others."""
    for check in checks:
        try:
            yield Finding(check.part, check.look())
        except Ill as ill:
            yield Finding(check.part, ill.what, ill.mend)
        except Exception as error:
            ill = ill_of(error)
            yield Finding(check.part, ill.what, ill.mend)


# Error codes of AWS's services, each in more than one spelling.
_DENIED = {"AccessDeniedException", "AccessDenied", "AuthorizationError", "UnauthorizedOperation"}
_BAD_CREDENTIALS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredTokenException",
    "ExpiredToken",
}


def is_about_us(error: ClientError) -> bool:
    """Whether AWS refused who asks, or could not answer, rather than what was asked."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error_code(error) in _DENIED | _BAD_CREDENTIALS | {"DisabledApiException"}


def ill_of(error: Exception) -> Ill:
    """What an error of a call means for who deploys."""
    cause = error.cause if isinstance(error, PynamoDBException) and error.cause is not None else error
    if isinstance(cause, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return Ill(f"There are no credentials ({cause}).", "Give the process a role, or set AWS_PROFILE.")
    code = error_code(cause)
    if code in _DENIED:
        message = cause.response["Error"].get("Message", "") if isinstance(cause, ClientError) else ""
        return Ill(f"AWS does not allow it: {message or code}", "Allow the action in the role's policy.")
    if code in _BAD_CREDENTIALS:
        return Ill(
            f"AWS does not take the credentials ({code}).",
            "Renew them. If they are good, set the clock of this machine.",
        )
    return Ill(
        f"It cannot be asked ({type(cause).__name__}: {cause}).",
        "See that the Region is right (AWS_REGION), that there is a way to AWS, and that no "
        "AWS_ENDPOINT_URL_… leads elsewhere.",
    )
