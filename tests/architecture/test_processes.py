"""The processes of the house are the same wherever they are written down, and what is released is kept to."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
import yaml

from tests.architecture.sources import ROOT, SERVICES
from tools import compose_check, contract_diff, contract_lint
from tools.stack import procfile


def test_compose_runs_the_processes_of_the_procfile() -> None:
    assert compose_check.differences() == []


def test_each_service_has_a_web_process_and_a_worker() -> None:
    assert {f"{service}-{role}" for service in SERVICES for role in ("web", "worker")} <= procfile().keys()


def test_the_contracts_and_schemas_are_valid() -> None:
    assert list(contract_lint.problems()) == []


def test_no_released_promise_is_broken() -> None:
    assert contract_diff.unjudged(ROOT / "openapi/released", ROOT / "openapi") == []


def test_the_catalogue_fits_its_schema() -> None:
    schema = json.loads((ROOT / "openapi/catalogue/products.schema.json").read_text())
    products = yaml.safe_load((ROOT / "products.yaml").read_text())
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(products)] == []
    assert not validator.is_valid({"products": []})


def test_the_catalogue_has_both_generations() -> None:
    products = yaml.safe_load((ROOT / "products.yaml").read_text())["products"]
    assert {product["generation"] for product in products} == {"legacy", "concurrent_agreements"}


@pytest.mark.parametrize("name", ["product_code", "product_id"])
def test_no_two_products_are_the_same(name: str) -> None:
    products = yaml.safe_load((ROOT / "products.yaml").read_text())["products"]
    assert len({product[name] for product in products}) == len(products)
