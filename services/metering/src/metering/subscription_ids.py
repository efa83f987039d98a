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
    license_id = re.split("[:/]", license_arn)[-1]
    return "sub_" + b32encode(sha256(license_id.encode()).digest()).decode().lower()[:26]
