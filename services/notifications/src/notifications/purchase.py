"""What AWS says of a purchase only when it is asked: what was bought, a trial, an end. No news carries it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class ValueType(StrEnum):
    """The kinds of value that an entitlement can have, as GetEntitlements knows them."""

    INTEGER = "integer"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    STRING = "string"


@dataclass(frozen=True, kw_only=True)
class Entitlement:
    """How much of one dimension a contract gives its buyer.

    Attributes:
        value: as text, so that no reader rounds it: `20`, `1.5`, `true`.
        expires_at: the earliest time it could lapse; None: it has no end.
    """

    dimension: str
    type: ValueType
    value: str
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What DescribeAgreement says.

    Attributes:
        trial_ends_at: None where the agreement has no free trial.
        ends_at: None where the agreement is open-ended.
        status: AWS's word, such as ACTIVE.
    """

    trial_ends_at: datetime | None = None
    ends_at: datetime | None = None
    status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """All that AWS has answered about one purchase so far.

    Attributes:
        entitlements: by dimension; None: never read, which is not the same as "AWS says none".
        entitlements_as_of: when AWS last answered that.
        free_trial: whether the agreement has a free trial; None: AWS has not said.
    """

    entitlements: tuple[Entitlement, ...] | None = None
    entitlements_as_of: datetime | None = None
    free_trial: bool | None = None
    trial_ends_at: datetime | None = None
    agreement_ends_at: datetime | None = None

    def entitled_to(self, entitlements: list[Entitlement], as_of: datetime) -> "Purchase":
        """The same with AWS's newest word on entitlements; sorted, so that its order of answering is no
        change."""
        ordered = sorted(
            entitlements, key=lambda one: (one.dimension, one.type, one.value, str(one.expires_at))
        )
        return replace(self, entitlements=tuple(ordered), entitlements_as_of=as_of)

    def agreed(self, agreement: Agreement) -> "Purchase":
        """The same with AWS's newest word on the agreement."""
        return replace(
            self,
            free_trial=agreement.trial_ends_at is not None,
            trial_ends_at=agreement.trial_ends_at,
            agreement_ends_at=agreement.ends_at,
        )

    def says_the_same_as(self, other: "Purchase") -> bool:
        """Whether a reader learns the same from both, whenever AWS answered."""
        return replace(self, entitlements_as_of=other.entitlements_as_of) == other
