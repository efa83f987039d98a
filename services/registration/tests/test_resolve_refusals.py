"""Whose fault an error of ResolveCustomer is."""

import pytest

from registration.resolve_refusals import Refusal, name_refusal

OURS_EXPIRED = "The security token included in the request is expired"


@pytest.mark.parametrize(
    ("code", "message", "status", "refusal"),
    [
        ("InvalidTokenException", "Registration token is invalid", 400, Refusal.INVALID_TOKEN),
        ("ExpiredTokenException", "Registration token has expired", 400, Refusal.EXPIRED_TOKEN),
        ("ExpiredTokenException", OURS_EXPIRED, 400, Refusal.OUR_FAULT),
        ("ExpiredTokenException", OURS_EXPIRED, 403, Refusal.OUR_FAULT),
        (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            400,
            Refusal.OUR_FAULT,
        ),
        (
            "AccessDeniedException",
            "not authorized to perform aws-marketplace:ResolveCustomer",
            400,
            Refusal.OUR_FAULT,
        ),
        ("DisabledApiException", "", 400, Refusal.OUR_FAULT),
        ("InvalidSignatureException", "", 403, Refusal.OUR_FAULT),
        ("SomethingNew", "", 400, Refusal.OUR_FAULT),
        ("ThrottlingException", "Rate exceeded", 400, Refusal.AWAY),
        ("InternalServiceErrorException", "", 500, Refusal.AWAY),
        ("502", "Bad Gateway", 502, Refusal.AWAY),
        (
            "ValidationException",
            "1 validation error detected at 'registrationToken'",
            400,
            Refusal.INVALID_TOKEN,
        ),
    ],
)
def test_each_error_has_its_name(code: str, message: str, status: int, refusal: Refusal) -> None:
    assert name_refusal(code, message, status) is refusal
