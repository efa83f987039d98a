"""The id of a subscription is derived, never looked up, so that every service computes the same one alone."""

import re
from base64 import b32encode
from hashlib import sha256

_LENGTH = 26


def of_license(license_arn: str) -> str:
    """The id of a concurrent agreement's subscription.

    Args:
        license_arn: in any of AWS's spellings; only the last part counts, as AWS's own sources spell the rest
            differently.
    """
    return _derive(license_id(license_arn))


def of_customer(product_code: str, customer_identifier: str) -> str:
    """The id of a legacy product's subscription."""
    return _derive(f"{product_code}/{customer_identifier}")


def license_id(license_arn: str) -> str:
    """The last part of a licence ARN, such as `l-9d01d15f86334a8894365cd7350556ff`."""
    return re.split("[:/]", license_arn)[-1]


def _derive(identity: str) -> str:
    digest = sha256(identity.encode()).digest()
    return "sub_" + b32encode(digest).decode().lower()[:_LENGTH]
