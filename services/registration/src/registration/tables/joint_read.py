"""A customer and the published rows of what they hold, read by one call to DynamoDB in place of two.

The answer to "what may this customer use now?" is asked for at each login, and a call is most of its cost.
"""

import threading
from typing import Any

from chassis.quick_calls import QuickCalls
from registration.customers import Customer
from registration.subscription_access import PublishedSubscription
from registration.tables.models import CustomerRow, SubscriptionRow
from registration.tables.rows import customer_of, published_of

# DynamoDB reads at most 100 items in one call, and one is the customer.
_MOST_READ_ALONG = 99


class LastHeld:
    """What each customer held when this process last looked. Only ever a guess of what to read along, never
    an answer: what a customer holds, their row says, each time.

    Args:
        most: how many customers are remembered; then the one that came first is forgotten.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._held: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def of(self, customer_id: str) -> tuple[str, ...]:
        return self._held.get(customer_id, ())

    def remember(self, customer_id: str, subscription_ids: tuple[str, ...]) -> None:
        subscription_ids = subscription_ids[:_MOST_READ_ALONG]
        if self._held.get(customer_id) == subscription_ids:
            return
        with self._lock:
            if customer_id not in self._held and len(self._held) >= self._most:
                del self._held[next(iter(self._held))]
            self._held[customer_id] = subscription_ids


def read_together(
    quick: QuickCalls, customer_id: str, subscription_ids: tuple[str, ...]
) -> tuple[Customer | None, dict[str, PublishedSubscription]] | None:
    """A customer's row and these subscriptions' published rows, consistent all.

    Args:
        subscription_ids: at least one, at most 99.

    Returns:
        The customer, and by id what is published; None where DynamoDB did not read all of it.
    """
    customers, subscriptions = CustomerRow.Meta.table_name, SubscriptionRow.Meta.table_name
    customer_key = {"customer_id": {"S": customer_id}}
    subscription_keys = [{"subscription_id": {"S": one}} for one in subscription_ids]
    answer = quick.ask(
        "BatchGetItem",
        {
            "RequestItems": {
                customers: {"Keys": [customer_key], "ConsistentRead": True},
                subscriptions: {"Keys": subscription_keys, "ConsistentRead": True},
            }
        },
    )
    if answer is None or answer.get("UnprocessedKeys"):
        return None
    found: dict[str, list[Any]] = answer["Responses"]
    rows = [CustomerRow.from_raw_data(item) for item in found.get(customers, [])]
    published = [published_of(SubscriptionRow.from_raw_data(item)) for item in found.get(subscriptions, [])]
    return customer_of(rows[0]) if rows else None, {one.subscription_id: one for one in published}
