"""What an answer of BatchMeterUsage means for each record. Every status and every error has a rule here.

Three kinds of error must never be mixed up: AWS cannot now (try again), we cannot (stop and alarm, touch no
record), and AWS will not take this record (it alone is at fault).
"""

from dataclasses import dataclass
from enum import StrEnum

from metering.records import Outcome

# UsageRecordResult.Status (botocore 1.44.5).
_OF_STATUS = {
    "Success": Outcome.BILLED,
    "DuplicateRecord": Outcome.DUPLICATE_CONFLICT,
    "CustomerNotSubscribed": Outcome.NOT_SUBSCRIBED,
}


def of_status(status: str, was_in_doubt: bool) -> Outcome | None:
    """What AWS's answer means for a record; None where the status is new to us.

    Args:
        status: AWS's word.
        was_in_doubt: an earlier attempt may have been counted. Then a refusal of this one does not say that
            nothing is billed, and a person who bills it again would bill it twice.
    """
    outcome = _OF_STATUS.get(status)
    return Outcome.UNKNOWN if outcome is Outcome.NOT_SUBSCRIBED and was_in_doubt else outcome


def when_refused(was_in_doubt: bool) -> Outcome:
    """A record that AWS refuses for itself: in doubt, an earlier attempt may have been counted."""
    return Outcome.UNKNOWN if was_in_doubt else Outcome.REJECTED


class Verdict(StrEnum):
    """What to do about a call that ended in an error."""

    TRY_AGAIN = "try_again"
    """Nothing was counted, and the same call may succeed later."""
    TRY_AGAIN_IN_DOUBT = "try_again_in_doubt"
    """The call may have been counted although no good answer came: only the identical record may go again."""
    STOP = "stop"
    """Our credentials, permissions or Region: nothing is sent until a person has mended it."""
    STOP_PRODUCT = "stop_product"
    """The product code or its listing: nothing of this product is sent until a person has mended it."""
    OUTSIDE_WINDOW = "outside_window"
    """One of the records has a timestamp that AWS takes no more; nothing of the call was counted."""
    RECORD_AT_FAULT = "record_at_fault"
    """At least one of the records is refused for itself; nothing of the call was counted."""


# Errors of the operation (botocore 1.44.5), and the ones that any AWS API may answer.
OF_ERROR = {
    "ThrottlingException": Verdict.TRY_AGAIN,
    "Throttling": Verdict.TRY_AGAIN,
    "RequestLimitExceeded": Verdict.TRY_AGAIN,
    "InternalServiceErrorException": Verdict.TRY_AGAIN_IN_DOUBT,
    "TimestampOutOfBoundsException": Verdict.OUTSIDE_WINDOW,
    "InvalidUsageDimensionException": Verdict.RECORD_AT_FAULT,
    "InvalidTagException": Verdict.RECORD_AT_FAULT,
    "InvalidUsageAllocationsException": Verdict.RECORD_AT_FAULT,
    "InvalidCustomerIdentifierException": Verdict.RECORD_AT_FAULT,
    "InvalidLicenseException": Verdict.RECORD_AT_FAULT,
    "ValidationException": Verdict.RECORD_AT_FAULT,
    "InvalidParameterException": Verdict.RECORD_AT_FAULT,
    "InvalidProductCodeException": Verdict.STOP_PRODUCT,
    # A listing that is not there. Not an error of this operation, but of the others of AWS Marketplace.
    "ResourceNotFoundException": Verdict.STOP_PRODUCT,
    "DisabledApiException": Verdict.STOP,
    "AccessDeniedException": Verdict.STOP,
    "AccessDenied": Verdict.STOP,
    "UnrecognizedClientException": Verdict.STOP,
    "InvalidClientTokenId": Verdict.STOP,
    "InvalidSignatureException": Verdict.STOP,
    "SignatureDoesNotMatch": Verdict.STOP,
    "ExpiredTokenException": Verdict.STOP,
    "ExpiredToken": Verdict.STOP,
    "RequestExpired": Verdict.STOP,
    "MissingAuthenticationToken": Verdict.STOP,
    "MissingAuthenticationTokenException": Verdict.STOP,
    "IncompleteSignature": Verdict.STOP,
    "OptInRequired": Verdict.STOP,
    "NotAuthorized": Verdict.STOP,
    # Raised by boto3 before anything is sent.
    "ParamValidationError": Verdict.RECORD_AT_FAULT,
    "NoCredentialsError": Verdict.STOP,
    "PartialCredentialsError": Verdict.STOP,
    "CredentialRetrievalError": Verdict.STOP,
    "TokenRetrievalError": Verdict.STOP,
    "UnauthorizedSSOTokenError": Verdict.STOP,
    "NoRegionError": Verdict.STOP,
    "EndpointConnectionError": Verdict.TRY_AGAIN,
    "ConnectTimeoutError": Verdict.TRY_AGAIN,
}


@dataclass(frozen=True)
class Failure:
    """A call that ended in an error: AWS's name of it (or boto3's), its HTTP status if any, its words."""

    code: str
    http_status: int | None
    message: str

    @property
    def verdict(self) -> Verdict:
        """5xx, a lost answer, and any error nobody foresaw leave the records in doubt: perhaps counted."""
        if self.http_status is not None and self.http_status >= 500:
            return Verdict.TRY_AGAIN_IN_DOUBT
        return OF_ERROR.get(self.code, Verdict.TRY_AGAIN_IN_DOUBT)


def when_window_closed(in_doubt: bool) -> Outcome:
    """A record that AWS takes no more: never sent, it goes to a later hour; in doubt, a person must look."""
    return Outcome.UNKNOWN if in_doubt else Outcome.EXPIRED
