"""Who asks, and so which customers are there for them: a buyer's own; for operators, and for the product's
services, all."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from registration.identities import Identity

SERVICES_SCOPE = "usage:read"


@dataclass(frozen=True)
class Asker:
    """Who asks.

    Attributes:
        identity: of a buyer, who is a person.
        is_service: whether it is a product's service, which asks what its users may.
        is_operator: whether they may see and do everything.
    """

    identity: Identity | None = None
    is_service: bool = False
    is_operator: bool = False


def asker(scopes: Collection[str], person: tuple[str, str] | None) -> Asker:
    """Who a caller is to us. A person is a buyer, and no service by whatever else they may do.

    Args:
        scopes: what their key or token allows.
        person: their issuer and subject; None where no person calls.
    """
    identity = None if person is None else Identity(*person)
    return Asker(identity, identity is None and SERVICES_SCOPE in scopes, "operator" in scopes)


@dataclass(frozen=True)
class Sight:
    """Which customers are there for somebody.

    Attributes:
        own: the customer that they are; None where they are nobody's buyer.
        all: whether every customer is.
    """

    own: str | None = None
    all: bool = False

    def shows(self, customer_id: str) -> bool:
        """Whether a customer is there for them; every other is as one that never was."""
        return self.all or customer_id == self.own


def sight_of(
    who: Asker, customer_id_of: Callable[[Identity], str | None], *, services_see: bool = False
) -> Sight:
    """Which customers are there for somebody. (Of these only the active ones: a deleted one is nobody's.)

    Args:
        who: asks.
        customer_id_of: to whom an identity leads, now; None where nobody has registered with it.
        services_see: whether what is asked for is for services too.
    """
    if who.is_operator or (who.is_service and services_see):
        return Sight(all=True)
    return Sight(None if who.identity is None else customer_id_of(who.identity))
