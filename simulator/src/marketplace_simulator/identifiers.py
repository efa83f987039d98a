"""New identifiers in the forms that AWS gives them."""

from __future__ import annotations

import hashlib
import os
import secrets
import string
import uuid

# The account that issues licences, as seen in live events.
LICENSE_ISSUER = "294406891311"
_ALPHANUMERIC = string.ascii_lowercase + string.digits


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(count))


def new_product_code() -> str:
    return _letters(25)


def new_product_id() -> str:
    return f"prod-{_letters(13)}"


def new_agreement_id() -> str:
    return f"agmt-{_letters(25)}"


def new_offer_id() -> str:
    return f"offer-{_letters(13)}"


def new_resale_authorization_id() -> str:
    return f"resaleauthz-{_letters(13)}"


def new_cancellation_request_id() -> str:
    return f"acr-{_letters(25)}"


def new_deployment_parameter_id() -> str:
    return f"dp-{_letters(25)}"


def new_license_arn() -> str:
    """A licence ARN as seen live: no Region, AWS's issuer account, `license:l-` and 32 hex digits."""
    return f"arn:aws:license-manager::{LICENSE_ISSUER}:license:l-{uuid.uuid4().hex}"


def new_account_id() -> str:
    return str(secrets.randbelow(9 * 10**11) + 10**11)


def new_registration_token() -> str:
    return secrets.token_urlsafe(96)


def new_uuid() -> str:
    """A random UUID (version 4), in a third of the time that the library takes: every record needs one."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def customer_identifier(product_code: str, customer_aws_account_id: str) -> str:
    """A legacy customer's handle: the same for each purchase of one product by one account."""
    digest = hashlib.sha256(f"{product_code}/{customer_aws_account_id}".encode()).digest()
    number = int.from_bytes(digest, "big")
    alphabet = string.ascii_letters + string.digits
    text = ""
    for _ in range(11):
        number, index = divmod(number, len(alphabet))
        text += alphabet[index]
    return text
