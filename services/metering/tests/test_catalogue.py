"""A mistake in the catalogue stops the start with a sentence."""

from pathlib import Path

import pytest
from house import PRODUCTS_YAML

from metering.catalogue import read_catalogue

ROOT = Path(__file__).parents[3]


def test_it_knows_what_is_metered(tmp_path: Path) -> None:
    file = tmp_path / "products.yaml"
    file.write_text(PRODUCTS_YAML)
    catalogue = read_catalogue(file)
    legacy, contract = catalogue.product("5legacy"), catalogue.product("74contract")
    assert legacy
    assert legacy.is_metered
    assert legacy.dimensions == {"gpu_hours", "requests"}
    assert contract
    assert not contract.is_metered
    assert catalogue.product("nobody's") is None
    assert catalogue.dimensions == {"gpu_hours", "cpu_hours", "requests", "seats", "plan"}


def test_the_catalogue_of_this_repository_is_read() -> None:
    found = read_catalogue(ROOT / "products.yaml")
    assert found.products["74azexampleendpoints00000"].endpoints == {"CPU": "cpu_hours", "GPU": "gpu_hours"}
    assert found.products["5fexampleclassic0000000000"].endpoints == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no product"),
        ("products: []", "names no product"),
        ("[]", "names no product"),
        ("products: {a: b}", "names no product"),
        ("products: [", "cannot be read"),
        ("products: [{pricing_model: subscription, dimensions: []}]", "product 1: 'product_code' is missing"),
        ("products: [{product_code: a, dimensions: []}]", "'pricing_model' is missing"),
        ("products: [{product_code: a, pricing_model: subscription}]", "'dimensions' is missing"),
        (
            "products: [{product_code: a, pricing_model: subscription, dimensions: [gpu]}]",
            "not of the right kind",
        ),
        (
            "products: [{product_code: a, pricing_model: subscription, dimensions: null}]",
            "not of the right kind",
        ),
        ("products: [a]", "not of the right kind"),
        ("products: [{product_code: a, pricing_model: free, dimensions: []}]", "'free' is not a valid"),
        (
            "products: [{product_code: a, pricing_model: contract_with_consumption, dimensions: [{key: gpu, "
            "draws_on: seats}]}]",
            "draws_on names seats",
        ),
        (
            "products: [{product_code: a, pricing_model: subscription, dimensions: [], "
            "metering: {usage_by_customer: newest}}]",
            "'newest' is not a valid",
        ),
        (
            "products: [{product_code: a, pricing_model: subscription, dimensions: [], "
            "metering: {zero_records: sometimes}}]",
            "neither true nor false",
        ),
        *(
            (
                "products: [{product_code: a, pricing_model: subscription, dimensions: [], "
                f"metering: {{cut_over: {written}}}}}]",
                "cut_over|RFC 3339",
            )
            for written in (
                "'2026-12-01T00:30:00Z'",
                "2026-12-01",
                "2026-12-01 00:00:01Z",
                "noon",
                "null",
            )
        ),
        *(
            (
                f"products: [{{product_code: a, pricing_model: {model}, "
                f"dimensions: [{{key: gpu}}], {members}}}]",
                says,
            )
            for model, members, says in (
                ("subscription", "endpoints: {GPU: gpus}", "endpoints names gpus, which is no dimension"),
                ("subscription", "endpoints: {APU: gpu}", "endpoints names APU, which is no accelerator"),
                ("subscription", "endpoints: {GPU: [gpu]}", "which is no dimension"),
                ("subscription", "endpoints: 7", "not of the right kind"),
                ("contract", "endpoints: {GPU: gpu}", "a contract is never metered"),
            )
        ),
        (
            "products: [{product_code: a, pricing_model: contract, dimensions: []},"
            " {product_code: a, pricing_model: contract, dimensions: []}]",
            "stands there twice",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "products.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        read_catalogue(file)


@pytest.mark.parametrize("written", ["'2026-12-01T00:00:00Z'", "2026-12-01T00:00:00Z"])
def test_the_cut_over_is_an_hour_in_quotes_or_without(tmp_path: Path, written: str) -> None:
    file = tmp_path / "products.yaml"
    file.write_text(
        "products: [{product_code: a, pricing_model: subscription, dimensions: [], "
        f"metering: {{cut_over: {written}}}}}]"
    )
    product = read_catalogue(file).product("a")
    assert product
    assert product.cut_over == "2026-12-01T00"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.yaml cannot be read"):
        read_catalogue(tmp_path / "nowhere.yaml")
