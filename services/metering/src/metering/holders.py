"""Who holds usage: a subscription; or a customer of a product, as long as nobody has said which of that
customer's subscriptions it is for. A ledger row, and a shard of the log, belong to one holder."""

from typing import NamedTuple


class CustomersUsage(NamedTuple):
    """Usage of a product that names a customer only."""

    customer_id: str
    product_code: str


def holder_of_customer(customer_id: str, product_code: str) -> str:
    return f"{customer_id}/{product_code}"


def customers_usage(holder: str) -> CustomersUsage | None:
    """Whose usage of which product it is; None where the holder is a subscription."""
    customer_id, slash, product_code = holder.partition("/")
    return CustomersUsage(customer_id, product_code) if slash else None
