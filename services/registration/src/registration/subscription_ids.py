"""The id of a subscription, derived and never looked up, so that every service computes the same one.

The vectors that hold all services to it lie in `openapi/tables/subscription_id.vectors.json`.
"""

import base64
import hashlib
import re


def of_license(license_arn: str) -> str:
    """The subscription of a licence.

    Only the last part of the ARN counts (`l-9d01…`): AWS's sources spell the rest differently.
    """
    return _derived(re.split("[:/]", license_arn)[-1])


def of_legacy_customer(product_code: str, customer_identifier: str) -> str:
    """The subscription of a customer to a product from before concurrent agreements: one of each at most."""
    return _derived(f"{product_code}/{customer_identifier}")


def _derived(identity: str) -> str:
    return "sub_" + base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()[:26]
