"""The products that this installation serves, as far as notifications needs to know them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from notifications.news import Generation, News


class PricingModel(StrEnum):
    SUBSCRIPTION = "subscription"
    CONTRACT = "contract"
    CONTRACT_WITH_CONSUMPTION = "contract_with_consumption"


@dataclass(frozen=True)
class Product:
    product_code: str
    generation: Generation
    pricing_model: PricingModel
    product_id: str = ""


class Catalogue:
    """Products by their product code (what events and ResolveCustomer call a product; not the `prod-` id)."""

    def __init__(self, products: list[Product]) -> None:
        self._products = {product.product_code: product for product in products}
        self._by_id = {product.product_id: product for product in products if product.product_id}

    def __len__(self) -> int:
        return len(self._products)

    @property
    def product_codes(self) -> frozenset[str]:
        return frozenset(self._products)

    def of_id(self, product_id: str) -> Product | None:
        """The product of this `prod-` id, which is what agreements name; None: it is not ours."""
        return self._by_id.get(product_id)

    def knows(self, news: News) -> bool:
        """False where the news names a product that is not ours. Agreement events name none: their licence
        event will."""
        return news.facts.product_code is None or news.facts.product_code in self._products

    def tells_by(self, news: News) -> bool:
        """False where the product's own news comes by the other road. EventBridge also tells of legacy
        products, under a licence: taken for news, it would give one buyer two subscriptions, metered
            twice."""
        product = self._products.get(news.facts.product_code or "")
        return product is None or product.generation == news.generation

    def sells_entitlements(self, product_code: str) -> bool:
        """Whether a contract is sold, so that AWS knows what a buyer is entitled to."""
        product = self._products.get(product_code)
        return product is not None and product.pricing_model != PricingModel.SUBSCRIPTION


def read_catalogue(file: Path) -> Catalogue:
    """Read products.yaml.

    Raises:
        ValueError: the file is not there or not a catalogue; the text says what to mend.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Catalogue(
            [
                Product(
                    str(product["product_code"]),
                    Generation(product["generation"]),
                    PricingModel(product["pricing_model"]),
                    str(product.get("product_id") or ""),
                )
                for product in document["products"]
            ]
        )
    except OSError as error:
        raise ValueError(f"PRODUCTS_FILE {file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"PRODUCTS_FILE {file} is not a catalogue of products: {error}.") from error
