"""The id of a subscription is derived, never looked up, so that every service computes the same one alone."""

import re
from base64 import b32encode
from hashlib import sha256


def of_license(license_arn: str) -> str:
    """The id of a concurrent agreement's subscription (openapi/tables/subscription_id.vectors.json).

    Args:
        license_arn: in any of AWS's spellings; only the last part counts, as AWS's own sources spell the rest
            differently.
    """
    return _derive(re.split("[:/]", license_arn)[-1])


def of_customer(product_code: str, customer_identifier: str) -> str:
    """The id of a legacy product's subscription (same vectors)."""
    return _derive(f"{product_code}/{customer_identifier}")


def _derive(identity: str) -> str:
    return "sub_" + b32encode(sha256(identity.encode()).digest()).decode().lower()[:26]
