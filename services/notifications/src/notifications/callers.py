"""Who asks, and so which subscriptions they may see: buyers their own, operators all."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from notifications.identity_ids import identity_id

OPERATORS = frozenset({"operator"})
OPERATORS_AND_SERVICES = OPERATORS | {"usage:read"}


@dataclass(frozen=True)
class Sight:
    """Which subscriptions are there for somebody; to them no other exists.

    Attributes:
        all: everybody's, with what only the seller is to know of them.
        own: a buyer's.
    """

    all: bool = False
    own: frozenset[str] = frozenset()

    def shows(self, subscription_id: str) -> bool:
        return self.all or subscription_id in self.own


def sight_of(
    scopes: Collection[str],
    person: tuple[str, str] | None,
    subscriptions_of: Callable[[str], Collection[str]],
    seeing_all: frozenset[str] = OPERATORS,
) -> Sight:
    """What somebody may see.

    A person is a buyer, whatever else they may do, but for operators. Who is neither a person nor has one of
    the scopes that see everything sees nothing, as a key with the scope `buyer`.

    Args:
        scopes: what their key or token allows.
        person: their issuer and subject; None where no person calls.
        subscriptions_of: of the customer to whom an identity leads, now; none where nobody has registered
            with it.
        seeing_all: the scopes that see everything here.
    """
    if OPERATORS.intersection(scopes):
        return Sight(all=True)
    if person is not None:
        return Sight(own=frozenset(subscriptions_of(identity_id(*person))))
    return Sight(all=bool(seeing_all.intersection(scopes)))
