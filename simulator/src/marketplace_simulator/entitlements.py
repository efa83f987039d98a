"""GetEntitlements: what contract buyers own, by page and by filter."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.products import Product
from marketplace_simulator.switches import Switches

LARGEST_PAGE = 25
_FILTER_MEMBERS = {
    "CUSTOMER_IDENTIFIER": "CustomerIdentifier",
    "CUSTOMER_AWS_ACCOUNT_ID": "CustomerAWSAccountId",
    "DIMENSION": "Dimension",
    "LICENSE_ARN": "LicenseArn",
}


def get_entitlements(
    request: Mapping[str, Any],
    product: Product | None,
    agreements: Sequence[Agreement],
    now: datetime,
    switches: Switches,
) -> dict[str, Any]:
    """One page: rows are paged first and filtered after, so a page may be empty and still carry NextToken.

    Args:
        request: GetEntitlements' members as sent, shape checked.
        agreements: all agreements of the product, in a steady order.

    Returns:
        The members of the answer; no `Entitlements` key when the page has no row, as AWS does.

    Raises:
        AwsError: InvalidParameterException.
    """
    if product is None and switches.entitlements_of_unknown_product == "empty":
        return {}
    if product is None:
        raise AwsError("InvalidParameterException", f"There is no product {request['ProductCode']!r}.")
    wanted: Mapping[str, list[str]] = request.get("Filter", {})
    if "CUSTOMER_IDENTIFIER" in wanted and "CUSTOMER_AWS_ACCOUNT_ID" in wanted:
        raise AwsError(
            "InvalidParameterException", "CUSTOMER_IDENTIFIER and CUSTOMER_AWS_ACCOUNT_ID exclude each other."
        )
    rows = [row for agreement in agreements for row in _rows(agreement, now)]
    start = _read_token(request["NextToken"]) if "NextToken" in request else 0
    end = start + request.get("MaxResults", LARGEST_PAGE)
    page = [
        row
        for row in rows[start:end]
        if all(row.get(_FILTER_MEMBERS[key]) in values for key, values in wanted.items())
    ]
    answer: dict[str, Any] = {}
    if page:
        answer["Entitlements"] = page
    if end < len(rows):
        answer["NextToken"] = _token(end)
    return answer


def _rows(agreement: Agreement, now: datetime) -> Iterator[dict[str, Any]]:
    if not agreement.entitles_at(now):
        return
    for dimension, units in agreement.entitlements.items():
        row = {
            "ProductCode": agreement.product_code,
            "Dimension": dimension,
            "CustomerAWSAccountId": agreement.customer_aws_account_id,
            "LicenseArn": agreement.license_arn,
            "Value": {"BooleanValue" if isinstance(units, bool) else "IntegerValue": units},
            "ExpirationDate": agreement.end_time.timestamp(),
        }
        if agreement.customer_identifier is not None:
            row["CustomerIdentifier"] = agreement.customer_identifier
        yield row


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from:{offset}".encode()).decode()


def _read_token(token: str) -> int:
    try:
        word, _, offset = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "from" and offset.isascii() and offset.isdigit() and len(offset) < 10:
            return int(offset)
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise AwsError("InvalidParameterException", "NextToken is not one that this service gave.")
