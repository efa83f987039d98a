"""PutDeploymentParameter: what a seller hands to a buyer's Quick Launch, such as an API key.

A parameter belongs to a buyer and a product and is known by its name there: putting the name again is a new
version of it. Whatever is put is named by its client token, so that a repeat changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import orjson

from marketplace_simulator.agreements import Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.products import Product
from marketplace_simulator.times import parse_rfc3339

# Documentation of `catalog`: "Fixed value".
CATALOG = "AWSMarketplace"
# Marketplace API reference, "Service quotas for AWS Marketplace Deployment API".
MOST_PER_BUYER_AND_PRODUCT = 10
MOST_UPDATES = 100
UPDATES_COUNT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class DeploymentParameter:
    """One parameter as it stands; AWS keeps its secret in the buyer's Secrets Manager.

    `agreement_id`, `secret_string` and `expires_at` are the latest version's; `tags` the first one's.
    """

    deployment_parameter_id: str
    resource_arn: str
    customer_aws_account_id: str
    product_id: str
    name: str
    agreement_id: str
    secret_string: str
    expires_at: datetime | None
    tags: Mapping[str, str]
    created_at: datetime
    updated_at: datetime

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


class Version(NamedTuple):
    """What a client token stands for."""

    client_token: str
    deployment_parameter_id: str
    request_digest: str


class Book(Protocol):
    """What has been put so far."""

    def version(self, client_token: str) -> Version | None: ...

    def by_id(self, deployment_parameter_id: str) -> DeploymentParameter: ...

    def of_buyer(
        self, customer_aws_account_id: str, product_id: str, now: datetime
    ) -> Sequence[DeploymentParameter]:
        """Those that have not expired."""
        ...

    def updates_since(self, deployment_parameter_id: str, moment: datetime) -> int: ...

    def keep(self, parameter: DeploymentParameter, version: Version) -> None: ...


def put(
    request: Mapping[str, Any],
    book: Book,
    *,
    product: Product | None,
    agreement: Agreement | None,
    seller: str,
    region: str,
    new_id: Callable[[], str],
    now: datetime,
) -> dict[str, Any]:
    """Put a parameter.

    A token that has been used answers before the agreement is looked at: a repeat whose first answer was lost
    must not fail for what has changed since.

    Args:
        request: the members as sent, shape checked.
        product, agreement: those that the request names, if there are such.
        seller: the account that calls; the parameter is its resource, as in AWS's examples.

    Returns:
        The members of PutDeploymentParameter's answer.

    Raises:
        AwsError: ValidationException, ResourceNotFoundException, ConflictException,
            ServiceQuotaExceededException.
    """
    _require_catalog_and_token(request)
    if product is None:
        raise _not_found(f"There is no product {request['productId']}.")
    digest = _digest(request)
    earlier = book.version(request["clientToken"])
    if earlier is not None:
        if earlier.request_digest != digest:
            raise _conflict(
                "The clientToken has been used with another request.", earlier.deployment_parameter_id
            )
        return _answer(book.by_id(earlier.deployment_parameter_id), request)
    agreement = _require_alive(agreement, request["agreementId"], product, now)
    parameter = _next_version(request, book, agreement, now) or _new(
        request, book, agreement, new_id(), f"arn:aws:aws-marketplace:{region}:{seller}", now
    )
    book.keep(parameter, Version(request["clientToken"], parameter.deployment_parameter_id, digest))
    return _answer(parameter, request)


def _require_catalog_and_token(request: Mapping[str, Any]) -> None:
    """What the model's words ask for besides its shapes."""
    if request["catalog"] != CATALOG:
        raise _invalid("catalog", f"The catalog must be {CATALOG}.")
    if "clientToken" not in request:
        # SDKs fill it in; "otherwise, a clientToken must be provided".
        raise _invalid("clientToken", "A clientToken must be provided.")


def _digest(request: Mapping[str, Any]) -> str:
    """What makes two requests the same: all but their token, and tags, which a repeat does not touch."""
    said = {name: value for name, value in request.items() if name not in ("clientToken", "tags")}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _require_alive(
    agreement: Agreement | None, agreement_id: str, product: Product, now: datetime
) -> Agreement:
    if agreement is None or agreement.product_code != product.product_code:
        raise _not_found(f"There is no agreement {agreement_id} for product {product.product_id}.")
    if now < agreement.starts_at or agreement.agreement_status(now) != "ACTIVE":
        raise _conflict(f"Agreement {agreement_id} is not active.", agreement_id)
    return agreement


def _next_version(
    request: Mapping[str, Any], book: Book, agreement: Agreement, now: datetime
) -> DeploymentParameter | None:
    """The buyer's parameter of that name, brought up to date; None: there is none."""
    wanted = request["deploymentParameter"]
    held = book.of_buyer(agreement.customer_aws_account_id, request["productId"], now)
    known = next((item for item in held if item.name == wanted["name"]), None)
    if known is None:
        return None
    if book.updates_since(known.deployment_parameter_id, now - UPDATES_COUNT_FOR) >= MOST_UPDATES:
        raise _too_much(f"A deployment parameter can be updated {MOST_UPDATES} times in 24 hours.")
    return replace(
        known,
        agreement_id=agreement.agreement_id,
        secret_string=wanted["secretString"],
        expires_at=_expires_at(request, now),
        updated_at=now,
    )


def _new(
    request: Mapping[str, Any], book: Book, agreement: Agreement, new_id: str, owner: str, now: datetime
) -> DeploymentParameter:
    product_id, buyer = request["productId"], agreement.customer_aws_account_id
    if len(book.of_buyer(buyer, product_id, now)) >= MOST_PER_BUYER_AND_PRODUCT:
        raise _too_much(
            f"A buyer can have {MOST_PER_BUYER_AND_PRODUCT} deployment parameters of a product at most."
        )
    return DeploymentParameter(
        deployment_parameter_id=new_id,
        resource_arn=f"{owner}:DeploymentParameter:catalogs/{CATALOG}/products/{product_id}/{new_id}",
        customer_aws_account_id=buyer,
        product_id=product_id,
        name=request["deploymentParameter"]["name"],
        agreement_id=agreement.agreement_id,
        secret_string=request["deploymentParameter"]["secretString"],
        expires_at=_expires_at(request, now),
        tags=dict(request.get("tags", {})),
        created_at=now,
        updated_at=now,
    )


def _expires_at(request: Mapping[str, Any], now: datetime) -> datetime | None:
    if "expirationDate" not in request:
        return None
    moment = parse_rfc3339(request["expirationDate"])
    if moment <= now:
        raise _invalid("expirationDate", "The expirationDate is past.")
    return moment


def _answer(parameter: DeploymentParameter, request: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "agreementId": request["agreementId"],
        "deploymentParameterId": parameter.deployment_parameter_id,
        "resourceArn": parameter.resource_arn,
    }
    if parameter.tags:
        said["tags"] = dict(parameter.tags)
    return said


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def _conflict(message: str, resource_id: str) -> AwsError:
    return AwsError("ConflictException", message, 409, {"resourceId": resource_id})


def _invalid(field_name: str, message: str) -> AwsError:
    return AwsError("ValidationException", message, 400, {"fieldName": field_name})


def _too_much(message: str) -> AwsError:
    return AwsError("ServiceQuotaExceededException", message, 402)
