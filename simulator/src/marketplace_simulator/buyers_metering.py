"""MeterUsage and RegisterUsage: for software in the buyer's account, so a SaaS seller is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.products import Product


def meter_usage(request: Mapping[str, Any], product: Product | None) -> NoReturn:
    """Refuse: the caller is the seller, and no buyer of the product (error name assumed).

    Raises:
        AwsError: InvalidProductCodeException, CustomerNotEntitledException.
    """
    _require_product(request, product)
    raise AwsError(
        "CustomerNotEntitledException",
        "The calling account has no subscription to the product."
        " MeterUsage is called from the buyer's account; SaaS products use BatchMeterUsage.",
    )


def register_usage(request: Mapping[str, Any], product: Product | None) -> NoReturn:
    """Refuse: the caller is no ECS task and no EKS pod.

    Raises:
        AwsError: InvalidProductCodeException, PlatformNotSupportedException.
    """
    _require_product(request, product)
    raise AwsError(
        "PlatformNotSupportedException",
        "AWS Marketplace does not support metering usage from the underlying platform."
        " Currently, Amazon ECS, Amazon EKS, and Fargate are supported.",
    )


def _require_product(request: Mapping[str, Any], product: Product | None) -> None:
    if product is None:
        raise AwsError("InvalidProductCodeException", f"There is no product {request['ProductCode']!r}.")
