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
    """

    identity_id: str | None = None
    service: str | None = None
    is_operator: bool = False


def asker(name: str, scopes: Collection[str], issuer: str | None, subject: str | None) -> Asker:
    """Who a caller is to us.

    A buyer is whoever has a token with the scope `buyer`; a key proves no person, so with that scope alone it
    is nobody. What a service owns belongs to its key's name, so that a new key of that name goes on with it;
    a token's subject is another name, whatever it says.

    Args:
        name: of the key, or the subject of the token.
        scopes: what the key or the token allows.
        issuer, subject: of the token; None where a key was sent.
    """
    person = service = None
    if issuer is not None and subject is not None and "buyer" in scopes:
        person = identity_id(issuer, subject)
    elif SERVICES_SCOPES.intersection(scopes):
        service = f"key:{name}" if subject is None else f"token:{name}"
    return Asker(person, service, "operator" in scopes)


@dataclass(frozen=True)
class Sight:
    """What somebody may see.

    Attributes:
        owner: whose things are theirs; None where they own nothing.
        all: whether they see everybody's.
        customer: the owner, where it is one that has registered and is not deleted.
    """

    owner: str | None
    all: bool = False
    customer: Customer | None = None

    def shows(self, owner: str) -> bool:
        """Whether what belongs to an owner is there for them; to everybody else it does not exist."""
        return self.all or owner == self.owner


def sight_of(who: Asker, customer_of: Callable[[str], Customer | None]) -> Sight:
    """What somebody may see.

    Args:
        who: asks.
        customer_of: to whom an identity leads, now; None where nobody has registered with it.
    """
    if who.identity_id is None:
        return Sight(who.service, who.is_operator)
    customer = customer_of(who.identity_id)
    if customer is None or customer.is_deleted:
        return Sight(None, who.is_operator)
    return Sight(customer.customer_id, who.is_operator, customer)
