"""The catalogue as metering reads it: which dimensions of which product are metered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Product:
    product_code: str
    pricing_model: str
    dimensions: frozenset[str]

    @property
    def is_metered(self) -> bool:
        """Usage of a pure contract is never sent to AWS: it was paid for upfront."""
        return self.pricing_model == "subscription"


@dataclass(frozen=True)
class Catalogue:
    products: dict[str, Product]

    def product(self, product_code: str) -> Product | None:
        return self.products.get(product_code)

    def has_dimension(self, dimension: str) -> bool:
        """True where any product has it; for usage of a subscription that is not known yet."""
        return any(dimension in product.dimensions for product in self.products.values())


def read_catalogue(file: Path) -> Catalogue:
    """Read `products.yaml`.

    Raises:
        ValueError: a mistake in the file, in a sentence that says where.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"The catalogue {file} cannot be read: {error}") from error
    products: dict[str, Product] = {}
    entries = document.get("products") if isinstance(document, dict) else None
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        product = _product(entry, f"{file}, product {number + 1}")
        if product.product_code in products:
            raise ValueError(f"{file}: product code {product.product_code} stands there twice.")
        products[product.product_code] = product
    if not products:
        raise ValueError(f"The catalogue {file} names no product.")
    return Catalogue(products)


def _product(entry: Any, place: str) -> Product:
    try:
        code, model = entry["product_code"], entry["pricing_model"]
        dimensions = frozenset(dimension["key"] for dimension in entry["dimensions"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{place}: {error} is missing or not of the right kind.") from error
    if model not in ("subscription", "contract"):
        raise ValueError(
            f"{place}: pricing_model is {model!r}. This release meters `subscription` and leaves `contract` "
            "alone; it would bill a contract with consumption from its first unit, so it refuses to start."
        )
    return Product(code, model, dimensions)
