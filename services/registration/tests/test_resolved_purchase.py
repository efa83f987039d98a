"""What ResolveCustomer's answer means, for both generations."""

import pytest
from conftest import CONCURRENT, LICENSE_ARN, concurrent_answer, legacy_answer

from registration import subscription_ids
from registration.catalogue import Catalogue
from registration.resolved_purchase import IncompleteAnswer, UnknownProduct, understand


@pytest.mark.parametrize("identifier", [None, ""])
def test_concurrent_agreements_are_known_by_their_licence(
    catalogue: Catalogue, identifier: str | None
) -> None:
    answer = concurrent_answer(CustomerIdentifier=identifier)
    if identifier is None:
        del answer["CustomerIdentifier"]

    purchase = understand(answer, catalogue)

    assert purchase.subscription_id == subscription_ids.of_license(LICENSE_ARN)
    assert (purchase.license_arn, purchase.agreement_id) == (LICENSE_ARN, "agmt-example")
    assert purchase.customer_identifier is None


def test_a_concurrent_purchase_never_takes_the_legacy_identity_along(catalogue: Catalogue) -> None:
    assert understand(concurrent_answer(CustomerIdentifier="X01"), catalogue).customer_identifier is None


def test_the_agreement_id_may_be_missing(catalogue: Catalogue) -> None:
    answer = concurrent_answer()
    del answer["Metadata"]
    assert understand(answer, catalogue).agreement_id is None


def test_a_legacy_purchase_is_known_by_product_and_customer(catalogue: Catalogue) -> None:
    purchase = understand(legacy_answer(), catalogue)
    assert purchase.customer_identifier == "X01EXAMPLEX"
    assert purchase.subscription_id == subscription_ids.of_legacy_customer(
        purchase.product_code, "X01EXAMPLEX"
    )


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (concurrent_answer(license_arn=""), "LicenseArn"),
        (concurrent_answer(CustomerAWSAccountId=""), "CustomerAWSAccountId"),
        (legacy_answer(customer_identifier=""), "CustomerIdentifier"),
    ],
)
def test_an_answer_without_its_identity_is_refused(
    catalogue: Catalogue, answer: dict[str, str], missing: str
) -> None:
    with pytest.raises(IncompleteAnswer) as refused:
        understand(answer, catalogue)
    assert refused.value.missing == missing


@pytest.mark.parametrize("product_code", ["", "another-sellers", CONCURRENT.upper()])
def test_a_product_that_is_not_ours_is_refused(catalogue: Catalogue, product_code: str) -> None:
    with pytest.raises(UnknownProduct):
        understand(concurrent_answer(ProductCode=product_code), catalogue)
