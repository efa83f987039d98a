"""The products that this installation serves, read from `products.yaml` once, at start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

Generation = Literal["legacy", "concurrent_agreements"]


class CatalogueError(ValueError):
    """The catalogue cannot be used; the message says the mend."""


@dataclass(frozen=True)
class Support:
    """Where a buyer finds help. AWS requires a support contact on the landing page."""

    email: str | None = None
    url: str | None = None

    def in_words(self) -> str:
        """`support@example.com or https://example.com/help`."""
        return " or ".join(way for way in (self.email, self.url) if way) or "the seller's support"


@dataclass(frozen=True)
class Product:
    product_code: str
    title: str
    generation: Generation
    support: Support = Support()


@dataclass(frozen=True)
class Catalogue:
    products: Mapping[str, Product]

    def find(self, product_code: str) -> Product | None:
        return self.products.get(product_code)

    def title_of(self, product_code: str) -> str | None:
        """None where the product has left the catalogue; its buyers have not left."""
        product = self.find(product_code)
        return product.title if product else None

    def any_support(self) -> Support:
        """For pages that are shown before the product is known."""
        return next(iter(self.products.values())).support


def read_catalogue(file: Path) -> Catalogue:
    """Read the catalogue.

    Raises:
        CatalogueError: the file is missing, is no YAML, or lacks what registration needs of a product.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"PRODUCTS_FILE {file} cannot be read ({error.strerror}).") from error
    except yaml.YAMLError as error:
        raise CatalogueError(f"PRODUCTS_FILE {file} is not YAML: {error}.") from error
    return understand(content)


def understand(content: Any) -> Catalogue:
    """Take from the catalogue's content what registration needs; other members are for siblings.

    Raises:
        CatalogueError: something is missing or of the wrong kind.
    """
    entries = content.get("products") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise CatalogueError("The catalogue needs a list `products` with at least one product.")
    products: dict[str, Product] = {}
    for position, entry in enumerate(entries):
        product = _product(entry, f"products[{position}]")
        if product.product_code in products:
            raise CatalogueError(f"The catalogue names the product code {product.product_code} twice.")
        products[product.product_code] = product
    return Catalogue(products)


def _product(entry: Any, place: str) -> Product:
    if not isinstance(entry, dict):
        raise CatalogueError(f"{place} of the catalogue must be a mapping.")
    generation = _text(entry, "generation", place)
    if generation not in ("legacy", "concurrent_agreements"):
        raise CatalogueError(
            f"{place}.generation must be `legacy` or `concurrent_agreements`, not {generation!r}."
        )
    support = entry.get("support") or {}
    if not isinstance(support, dict):
        raise CatalogueError(f"{place}.support must be a mapping with `email` or `url`.")
    return Product(
        product_code=_text(entry, "product_code", place),
        title=_text(entry, "title", place),
        generation="legacy" if generation == "legacy" else "concurrent_agreements",
        support=Support(email=support.get("email"), url=support.get("url")),
    )


def _text(entry: dict[str, Any], name: str, place: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise CatalogueError(f"{place}.{name} of the catalogue must be a text.")
    return value
