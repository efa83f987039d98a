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


@pytest.mark.parametrize(
    ("metering", "fits"),
    [
        ({"cut_over": "2026-12-01T00:00:00Z", "zero_records": True}, True),
        ({"cut_over": "2026-12-01T00:30:00Z"}, False),
        ({"cut_over": "2026-12-01T00:00:00+01:00"}, False),
        ({"zero_records": "sometimes"}, False),
    ],
)
def test_how_usage_is_metered_fits_the_schema_of_the_catalogue(
    metering: dict[str, object], fits: bool
) -> None:
    schema = json.loads((ROOT / "openapi/catalogue/products.schema.json").read_text())
    product = yaml.safe_load((ROOT / "products.yaml").read_text())["products"][0]
    document = {"products": [product | {"metering": metering}]}
    assert jsonschema_rs.validator_for(schema).is_valid(document) is fits


@pytest.mark.parametrize(
    ("endpoints", "fits"),
    [
        ({"CPU": "cpu_hours", "GPU": "gpu_hours", "TPU": "tpu-hours.v2"}, True),
        ({}, False),
        ({"APU": "gpu_hours"}, False),
        ({"GPU": ""}, False),
    ],
)
def test_what_endpoints_are_metered_by_fits_the_schema_of_the_catalogue(
    endpoints: dict[str, str], fits: bool
) -> None:
    schema = json.loads((ROOT / "openapi/catalogue/products.schema.json").read_text())
    product = yaml.safe_load((ROOT / "products.yaml").read_text())["products"][0]
    document = {"products": [product | {"endpoints": endpoints}]}
    assert jsonschema_rs.validator_for(schema).is_valid(document) is fits


def test_the_catalogue_has_both_generations() -> None:
    products = yaml.safe_load((ROOT / "products.yaml").read_text())["products"]
    assert {product["generation"] for product in products} == {"legacy", "concurrent_agreements"}


@pytest.mark.parametrize("name", ["product_code", "product_id"])
def test_no_two_products_are_the_same(name: str) -> None:
    products = yaml.safe_load((ROOT / "products.yaml").read_text())["products"]
    assert len({product[name] for product in products}) == len(products)
