"""What a seller lists: a product, its generation, its dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Generation = Literal["legacy", "concurrent_agreements"]
PricingModel = Literal["subscription", "contract", "contract_with_consumption"]
ValueType = Literal["integer", "boolean"]
GENERATIONS: tuple[Generation, ...] = get_args(Generation)
PRICING_MODELS: tuple[PricingModel, ...] = get_args(PricingModel)
VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)


@dataclass(frozen=True)
class Dimension:
    """Something that is counted, or in a contract had or not; `key` is the API id, case and all.

    `value_type` is what GetEntitlements says of it.
    """

    key: str
    title: str
    unit: str
    value_type: ValueType = "integer"

    def takes(self, units: int) -> bool:
        """Whether so much of it can be bought; what is had or not is told by a boolean."""
        return isinstance(units, bool) == (self.value_type == "boolean")

    @property
    def one(self) -> int:
        """The least that is something."""
        return True if self.value_type == "boolean" else 1


@dataclass(frozen=True)
class Product:
    """A SaaS listing.

    `product_code` is what ResolveCustomer answers and what legacy metering sends; `product_id` is the
    entity id (`prod-...`) that events carry. Confusing the two is a common seller's mistake.
    """

    product_code: str
    product_id: str
    title: str
    generation: Generation
    pricing_model: PricingModel
    dimensions: tuple[Dimension, ...]
    registration_url: str | None = None

    @property
    def has_entitlements(self) -> bool:
        """Whether quantities are bought ahead: a contract, with consumption on top or without."""
        return self.pricing_model != "subscription"

    def dimension(self, key: str) -> Dimension | None:
        return next((dimension for dimension in self.dimensions if dimension.key == key), None)

    def has_dimension(self, key: str) -> bool:
        return self.dimension(key) is not None

    @property
    def subscription_topic(self) -> str:
        """SNS topic of every legacy product."""
        return f"aws-mp-subscription-notification-{self.product_code}"

    @property
    def entitlement_topic(self) -> str:
        """SNS topic that legacy products with a contract have besides."""
        return f"aws-mp-entitlement-notification-{self.product_code}"

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that AWS makes for the product; concurrent agreements have none."""
        if self.generation != "legacy":
            return ()
        if self.has_entitlements:
            return (self.subscription_topic, self.entitlement_topic)
        return (self.subscription_topic,)
