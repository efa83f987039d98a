"""Signature Version 4 as far as it tells who calls and where: parsed, never recomputed.

A simulator has no secrets to recompute a signature with; what goes wrong in practice is the service's name,
the Region and the account, and those are in the clear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from marketplace_simulator.aws_errors import AwsError

# The name all three services sign with, and not "metering.marketplace".
SIGNING_NAME = "aws-marketplace"
# Marketplace developer guide, "Region support"; botocore lists the same. With the European Sovereign Cloud.
METERING_REGIONS = frozenset(
    (
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-central-1"),
        *("eu-central-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2"),
        *("af-south-1", "me-south-1", "me-central-1", "il-central-1", "ap-south-1", "ap-south-2"),
        *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-northeast-1"),
        *("ap-northeast-2", "ap-northeast-3", "ap-east-1", "cn-northwest-1", "eusc-de-east-1"),
    )
)
# Entitlements and agreements live here alone, whatever address an SDK builds.
ONLY_REGION = "us-east-1"

_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 (?:.*[ ,])?Credential=(?P<key>[^/, ]+)/\d{8}/(?P<region>[a-z0-9-]{1,32})"
    r"/(?P<service>[^/, ]+)/aws4_request(?=[, ]|$)"
)


@dataclass(frozen=True)
class Caller:
    """Who signed: the account of the key, and the Region of the credential scope."""

    account: str
    region: str


class Accounts:
    """Which account an access key belongs to.

    Args:
        seller_account: the account that published the products.
        access_keys: known keys and their accounts; empty: every key is the seller's.
    """

    def __init__(self, seller_account: str, access_keys: Mapping[str, str]) -> None:
        self.seller = seller_account
        self._keys = dict(access_keys)

    def caller(self, authorization: str | None) -> Caller:
        """Read a request's Authorization header.

        Raises:
            AwsError: MissingAuthenticationTokenException, IncompleteSignatureException,
                InvalidSignatureException (signed for another service),
                UnrecognizedClientException (unknown key).
        """
        if not authorization:
            raise AwsError(
                "MissingAuthenticationTokenException", "The request carries no Authorization header."
            )
        credential = _CREDENTIAL.match(authorization)
        if credential is None:
            raise AwsError(
                "IncompleteSignatureException", "The Authorization header is no Signature Version 4."
            )
        key, region, service = credential.groups()
        if service != SIGNING_NAME:
            raise AwsError(
                "InvalidSignatureException",
                f"Credential should be scoped to correct service: '{SIGNING_NAME}'.",
            )
        if not self._keys:
            return Caller(self.seller, region)
        account = self._keys.get(key)
        if account is None:
            raise AwsError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        return Caller(account, region)
