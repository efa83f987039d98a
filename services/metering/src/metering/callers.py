"""Who asks, and so what they may see of what has an owner: buyers and services their own, operators all."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from metering.choosing import Customer
from metering.identity_ids import identity_id

SERVICES_SCOPES = frozenset({"usage:write", "usage:read"})


@dataclass(frozen=True)
class Asker:
    """Who asks.

    Attributes:
        identity_id: of a buyer, who is a person: by this registration knows whose sign-in it is.
        service: of a product's service, under what name it owns things.
        is_operator: whether they see everything, and own nothing by that.
        reads_usage: whether it is a service that reads everybody's usage.
    """

    identity_id: str | None = None
    service: str | None = None
    is_operator: bool = False
    reads_usage: bool = False


def asker(name: str, scopes: Collection[str], subject: str | None, person: tuple[str, str] | None) -> Asker:
    """Who a caller is to us.

    A person is a buyer, whatever else they may do, but for operators. A key with the scope `buyer` proves no
    person, so with that scope alone it is nobody. What a service owns belongs to its key's name, so that a
    new key of that name goes on with it; a token's subject is another name, whatever it says.

    Args:
        name: of the key, or the subject of the token.
        scopes: what the key or the token allows.
        subject: of the token; None where a key was sent.
        person: their issuer and subject; None where no person calls.
    """
    is_operator = "operator" in scopes
    if person is not None:
        return Asker(identity_id(*person), None, is_operator)
    if SERVICES_SCOPES.intersection(scopes):
        service = f"key:{name}" if subject is None else f"token:{name}"
        return Asker(None, service, is_operator, "usage:read" in scopes)
    return Asker(is_operator=is_operator)


@dataclass(frozen=True)
class Sight:
    """What somebody may see.

    Attributes:
        owner: whose things are theirs; None where they own nothing.
        all: whether they see everybody's.
        customer: the owner, where it is one that has registered and is not deleted.
        all_usage: whether they see everybody's usage and what became of it, with what only the seller is to
            know of it.
    """

    owner: str | None
    all: bool = False
    customer: Customer | None = None
    all_usage: bool = False

    def shows(self, owner: str) -> bool:
        """Whether what belongs to an owner is there for them; to everybody else it does not exist."""
        return self.all or owner == self.owner

    @property
    def subscription_ids(self) -> tuple[str, ...]:
        """Their own subscriptions. A customer's row lists those before a renewal too."""
        return () if self.customer is None else self.customer.subscription_ids

    def shows_usage_of(self, subscription_id: str) -> bool:
        """Whether a subscription's usage is there for them, and what became of it."""
        return self.all_usage or subscription_id in self.subscription_ids

    def shows_usage_by(self, customer_id: str) -> bool:
        """Whether the usage that names this customer and no subscription is there for them."""
        return self.all_usage or (self.customer is not None and customer_id == self.customer.customer_id)


def sight_of(who: Asker, customer_of: Callable[[str], Customer | None]) -> Sight:
    """What somebody may see.

    Args:
        who: asks.
        customer_of: to whom an identity leads, now; None where nobody has registered with it.
    """
    all_usage = who.is_operator or who.reads_usage
    if who.identity_id is None:
        return Sight(who.service, who.is_operator, None, all_usage)
    customer = customer_of(who.identity_id)
    if customer is None or customer.is_deleted:
        return Sight(None, who.is_operator, None, all_usage)
    return Sight(customer.customer_id, who.is_operator, customer, all_usage)
