"""What it means when AWS does not resolve a token: whose fault it is, and whether to ask again."""

from enum import Enum

# The reason in the name of each comes from botocore's model of ResolveCustomer.
_AWAY_CODES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "InternalServiceErrorException",
        "InternalServiceError",
        "InternalFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)

# AWS's generic errors about *our* session credentials share names with the errors about the buyer's token;
# only this part of their message tells them apart. Telling a buyer "your link has expired" when our own role
# session has expired would send every buyer in circles.
_ABOUT_OUR_CREDENTIALS = "security token included in the request"


class Refusal(Enum):
    INVALID_TOKEN = "invalid-token"  # nosec B105 # why it was refused, no token
    """Not a token, cut short, or another seller's. The buyer starts again at AWS."""
    EXPIRED_TOKEN = "expired-token"  # nosec B105 # why it was refused, no token
    """The buyer was too slow, or the token was held somewhere. The buyer starts again at AWS."""
    AWAY = "away"
    """AWS is down, slow or throttling us. The same token may work in a moment."""
    OUR_FAULT = "our-fault"
    """Credentials, permissions, Region. No buyer can mend it, a person of ours must."""


class TokenNotResolved(Exception):
    """AWS did not resolve the token.

    Args:
        refusal: what it means.
        error_code: AWS's name of the error, for the log. Never its message: it could repeat the token.
    """

    def __init__(self, refusal: Refusal, error_code: str) -> None:
        super().__init__(f"{refusal.value} ({error_code})")
        self.refusal = refusal
        self.error_code = error_code


def name_refusal(error_code: str, message: str, http_status: int) -> Refusal:
    """Name an error answer of ResolveCustomer.

    Args:
        error_code: such as `ExpiredTokenException`.
        message: AWS's words.
        http_status: of the answer.
    """
    if http_status >= 500 or error_code in _AWAY_CODES:
        return Refusal.AWAY
    if _ABOUT_OUR_CREDENTIALS in message.lower():
        return Refusal.OUR_FAULT
    if error_code == "ExpiredTokenException":
        return Refusal.EXPIRED_TOKEN
    # The token is all that we send, so what does not validate is the token.
    if error_code in ("InvalidTokenException", "ValidationException"):
        return Refusal.INVALID_TOKEN
    return Refusal.OUR_FAULT
