"""What a person decides about a record that AWS's answer leaves open.

Nothing of such a record is billed again by itself: it may have been counted, and a second time would be too
often.
"""

from metering.records import MeteringRecord, Outcome, Resolution

OPEN_TO_DECISIONS = frozenset(
    {Outcome.DUPLICATE_CONFLICT, Outcome.NOT_SUBSCRIBED, Outcome.REJECTED, Outcome.UNKNOWN}
)


class NothingToDecide(Exception):
    """AWS's answer leaves nothing open, or there is none yet."""


class DecidedOtherwise(Exception):
    """Somebody has decided already, and otherwise."""


def waits_for_a_person(record: MeteringRecord) -> bool:
    """Whether nothing more becomes of a record until somebody decides."""
    return record.outcome in OPEN_TO_DECISIONS and record.resolution is None


def is_new(record: MeteringRecord, resolution: Resolution) -> bool:
    """Whether a decision has to be written; False where the same one stands already.

    Raises:
        NothingToDecide, DecidedOtherwise: see there.
    """
    if record.outcome not in OPEN_TO_DECISIONS:
        raise NothingToDecide(record.outcome.value)
    if record.resolution is None:
        return True
    if record.resolution.decision is not resolution.decision:
        raise DecidedOtherwise(record.resolution.decision.value)
    return False
