"""What ResolveCustomer's answer means: which purchase, under which identity, of which generation.

All members of the answer are optional in AWS's model. For a product with concurrent agreements the licence is
the identity (one buyer account may hold several) and `CustomerIdentifier` is absent or empty; for a legacy
product it is `CustomerIdentifier`, together with the product code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registration import subscription_ids
from registration.catalogue import Catalogue, Generation, Product


class UnknownProduct(Exception):
    """The purchase is of a product that is not in the catalogue."""

    def __init__(self, product_code: str) -> None:
        super().__init__(product_code)
        self.product_code = product_code


class IncompleteAnswer(Exception):
    """AWS's answer lacks what identifies the purchase. Likely the catalogue names the wrong generation."""

    def __init__(self, product_code: str, generation: Generation, missing: str) -> None:
        super().__init__(f"{product_code} ({generation}) without {missing}")
        self.product_code = product_code
        self.generation = generation
        self.missing = missing


@dataclass(frozen=True)
class ResolvedPurchase:
    subscription_id: str
    product_code: str
    generation: Generation
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None


def understand(answer: Mapping[str, Any], catalogue: Catalogue) -> ResolvedPurchase:
    """Read an answer of ResolveCustomer.

    Args:
        answer: as boto3 gives it.
        catalogue: the products that are ours; the product code must be one of them.

    Raises:
        UnknownProduct: it is not.
        IncompleteAnswer: the identity that the product's generation needs is missing.
    """
    product_code = _text(answer, "ProductCode") or ""
    product = catalogue.find(product_code)
    if product is None:
        raise UnknownProduct(product_code)
    return ResolvedPurchase(
        subscription_id=_subscription_id(answer, product),
        product_code=product.product_code,
        generation=product.generation,
        customer_aws_account_id=_text(answer, "CustomerAWSAccountId"),
        # Never both identities for one purchase: metered under both, an hour is billed twice.
        customer_identifier=_text(answer, "CustomerIdentifier") if product.generation == "legacy" else None,
        license_arn=_text(answer, "LicenseArn"),
        agreement_id=_text(answer.get("Metadata") or {}, "AgreementId"),
    )


def _subscription_id(answer: Mapping[str, Any], product: Product) -> str:
    if product.generation == "legacy":
        return subscription_ids.of_legacy_customer(
            product.product_code, _needed(answer, "CustomerIdentifier", product)
        )
    _needed(answer, "CustomerAWSAccountId", product)
    return subscription_ids.of_license(_needed(answer, "LicenseArn", product))


def _needed(answer: Mapping[str, Any], member: str, product: Product) -> str:
    value = _text(answer, member)
    if value is None:
        raise IncompleteAnswer(product.product_code, product.generation, member)
    return value


def _text(answer: Mapping[str, Any], member: str) -> str | None:
    """AWS leaves a member out or empty; both mean that there is none."""
    return answer.get(member) or None
