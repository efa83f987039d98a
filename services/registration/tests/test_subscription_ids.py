"""The derived id, held to the vectors that all services share."""

import json

import pytest
from conftest import OPENAPI

from registration import subscription_ids

VECTORS = json.loads((OPENAPI / "tables" / "subscription_id.vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["subscription_id"][:8])
def test_the_shared_vectors(vector: dict[str, str]) -> None:
    if "license_arn" in vector:
        found = subscription_ids.of_license(vector["license_arn"])
    else:
        found = subscription_ids.of_legacy_customer(vector["product_code"], vector["customer_identifier"])
    assert found == vector["subscription_id"]
