"""The catalogue as metering reads it: which dimensions of which product are metered, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from chassis.times import parse_rfc3339
from metering.hours import hour_of, start_of

ACCELERATORS = frozenset({"CPU", "GPU", "TPU"})
"""What an endpoint may run on."""


class Choice(StrEnum):
    """For which subscription usage is that names a customer only, where the customer has several of the
    product."""

    NAMED = "named"
    """Such usage is refused: it has to name its subscription."""
    OLDEST = "oldest"
    """The one that began first of those that were active in the hour of use."""
    HELD = "held"
    """None: it is held until one alone is left, or a person says which."""


class PricingModel(StrEnum):
    SUBSCRIPTION = "subscription"
    CONTRACT = "contract"
    CONTRACT_WITH_CONSUMPTION = "contract_with_consumption"


@dataclass(frozen=True)
class Product:
    """A product.

    Attributes:
        dimensions: the API ids of what is metered.
        draws_on: for a dimension, the one of the contract whose entitlement pays for its usage first; itself
            where none is named.
        choice: see there.
        cut_over: the first hour of concurrent agreements, where the listing was switched to them.
        zero_records: whether AWS is told of hours without usage.
        endpoints: which accelerators endpoints may run on, each with the dimension that it is metered by.
    """

    product_code: str
    pricing_model: PricingModel
    dimensions: frozenset[str]
    draws_on: Mapping[str, str] = field(default_factory=dict)
    choice: Choice = Choice.HELD
    cut_over: str | None = None
    zero_records: bool = False
    endpoints: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_metered(self) -> bool:
        """Usage of a pure contract is never sent to AWS: it was paid for upfront."""
        return self.pricing_model is not PricingModel.CONTRACT

    @property
    def metered_dimensions(self) -> frozenset[str]:
        """Without those of a contract that only pay for the usage of others."""
        return self.dimensions - {contract for key, contract in self.draws_on.items() if key != contract}

    @property
    def has_entitlements(self) -> bool:
        """Whether usage is paid for by a contract first, and billed only above it."""
        return self.pricing_model is PricingModel.CONTRACT_WITH_CONSUMPTION

    def entitlement_of(self, dimension: str) -> str:
        return self.draws_on.get(dimension, dimension)


@dataclass(frozen=True)
class Catalogue:
    products: dict[str, Product]

    def product(self, product_code: str) -> Product | None:
        return self.products.get(product_code)

    @cached_property
    def dimensions(self) -> frozenset[str]:
        """All that any product has; for usage of a subscription that is not known yet."""
        return frozenset().union(*(product.dimensions for product in self.products.values()))


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
        code, dimensions = entry["product_code"], entry["dimensions"]
        keys = frozenset(dimension["key"] for dimension in dimensions)
        model = PricingModel(entry["pricing_model"])
        draws_on = {one["key"]: one["draws_on"] for one in dimensions if "draws_on" in one}
        metering = entry.get("metering") or {}
        choice = Choice(metering.get("usage_by_customer", Choice.HELD))
        cut_over = _full_hour(metering["cut_over"]) if "cut_over" in metering else None
        zero_records = metering.get("zero_records", False)
        endpoints = {str(one): str(key) for one, key in (entry.get("endpoints") or {}).items()}
        if not isinstance(zero_records, bool):
            raise ValueError(f"zero_records {zero_records} is neither true nor false")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{place}: {error} is missing or not of the right kind.") from error
    except ValueError as error:
        raise ValueError(f"{place}: {error}.") from error
    if unknown := set(draws_on.values()) - keys:
        raise ValueError(f"{place}: draws_on names {', '.join(sorted(unknown))}, which is no dimension.")
    if strangers := set(endpoints) - ACCELERATORS:
        raise ValueError(f"{place}: endpoints names {', '.join(sorted(strangers))}, which is no accelerator.")
    if unknown := set(endpoints.values()) - keys:
        raise ValueError(f"{place}: endpoints names {', '.join(sorted(unknown))}, which is no dimension.")
    if endpoints and model is PricingModel.CONTRACT:
        raise ValueError(f"{place}: a contract is never metered, so it has no endpoints.")
    return Product(code, model, keys, draws_on, choice, cut_over, zero_records, endpoints)


def _full_hour(written: Any) -> str:
    """
    Args:
        written: RFC 3339; YAML makes a time of it unless it is in quotes.

    Raises:
        ValueError: not a full hour in UTC.
    """
    moment = written if isinstance(written, datetime) else parse_rfc3339(str(written))
    if moment.tzinfo is None or moment.utcoffset() or moment != start_of(hour_of(moment)):
        raise ValueError(f"cut_over {written} is not a full hour in UTC, such as 2026-12-01T00:00:00Z")
    return hour_of(moment)
