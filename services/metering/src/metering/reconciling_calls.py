"""AWS's calls beside our metering records: what differs, and which open record the evidence settles.

Two things are certain, and only they settle anything:

- AWS counted exactly this: a Success for the identity, dimension, hour and quantity of a record. Then it is
  billed, whatever became of our sendings.
- AWS cannot have counted it: the evidence is complete for the whole time in which AWS could have (from when
  the record was frozen until AWS takes its hour no more), and nothing in it could be a count. Then its
  quantity may go out in a later hour. It needs a person's word that the file is complete, and that is
  believed only of a file that shows calls about records of ours, in our Region: an empty one looks like that
  of the wrong Region, account or filter.

All else is only named. See docs/decisions/evidence-from-aws.md.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from metering.differences import Difference, Kind, Side, standing, stands_as_billed
from metering.evidence import SUCCESS, Meaning, Party, Told, meaning_of
from metering.hours import AwsWindow
from metering.quantities import to_text
from metering.records import Decision, MeteringRecord, Outcome
from metering.subscriptions import Subscription

SKEW = timedelta(minutes=15)
"""How far AWS's clock may be from ours, and a call of ours behind its signature: AWS takes no older one."""

LATENESS = timedelta(hours=1)
"""How old a call must be before CloudTrail is taken to have it. AWS says some 15 minutes, and promises
nothing."""

ONLY_TIME_STOOD_IN_THE_WAY = frozenset({"window_closed", "TimestampOutOfBoundsException"})
"""Reasons of an unknown record that AWS would have taken earlier. Any other is a refusal, and it would come
again."""

BY_COUNT = frozenset({Outcome.UNKNOWN, Outcome.DUPLICATE_CONFLICT})
"""What AWS's Success settles: it may have counted another sending than the one that it answered."""


class Key(NamedTuple):
    """A slot of AWS's, whatever its Region: our subscription (or AWS's name, where it is none of ours),
    dimension and hour."""

    who: str
    dimension: str
    hour: str


@dataclass
class Slot:
    """All that the evidence says about one slot."""

    party: Party
    told: list[Told] = field(default_factory=list)

    def counted(self) -> dict[str, Told]:
        """The first Success of each Region."""
        found: dict[str, Told] = {}
        for one in sorted(self.told, key=lambda told: told.at):
            if one.answer == SUCCESS:
                found.setdefault(one.region, one)
        return found

    def quantities(self, region: str) -> set[int]:
        return {one.quantity for one in self.told if one.answer == SUCCESS and one.region == region}


@dataclass(frozen=True)
class Complete:
    """A person's word that the file has all calls of a time, and what speaks against it.

    Args:
        shows_ours: it has calls about records of ours in our Region.
        holes: times of calls that cannot be read; None one of a time that cannot be read either.
    """

    since: datetime
    until: datetime
    shows_ours: bool
    holes: tuple[datetime | None, ...] = ()

    def lacks(self, since: datetime, until: datetime) -> str | None:
        """Why it does not show that nothing happened in a time; None where it does."""
        if not self.shows_ours:
            return "the file shows no call about a record of ours in our Region, so it may be another's"
        if since < self.since or self.until < until:
            return f"the file has to be complete from {_short(since)} until {_short(until)}, an hour ago"
        if any(hole is None or since <= hole <= until for hole in self.holes):
            return "a call of that time cannot be read"
        return None


def slots_of(told: Iterable[Told]) -> dict[Key, Slot]:
    found: dict[Key, Slot] = {}
    for one in told:
        key = Key(one.party.subscription_id or one.party.name, one.dimension, one.hour)
        found.setdefault(key, Slot(one.party)).told.append(one)
    return found


def key_of(record: MeteringRecord) -> Key:
    return Key(record.subscription_id, record.dimension, record.hour)


def counted_beside_ours(
    key: Key, slot: Slot, record: MeteringRecord | None, region: str
) -> Iterator[Difference]:
    """What differs where AWS has counted something in a slot.

    Args:
        record: ours in that slot, if there is one.
        region: ours.
    """
    counted = slot.counted()
    for other in sorted(counted.keys() - {region}):
        again = " That is a second time." if region in counted else ""
        yield _of_slot(
            Kind.ANOTHER_REGION,
            key,
            slot,
            record,
            counted[other],
            f"AWS has counted this in {other}; we bill in {region}.{again} It knows duplicates by Region.",
        )
    here = counted.get(region)
    if here is None:
        return
    theirs = to_text(here.quantity)
    if record is None:
        yield _of_slot(
            Kind.NOT_IN_OUR_BOOKS,
            key,
            slot,
            None,
            here,
            f"AWS has counted {theirs}, and we have no record of it.",
        )
    elif slot.quantities(region) != {record.quantity}:
        yield _of_slot(
            Kind.QUANTITY_DIFFERS,
            key,
            slot,
            record,
            here,
            f"AWS has counted {theirs} in this hour, and our record has {to_text(record.quantity)}: "
            f"{standing(record)}. What AWS counted first stands.",
        )
    elif record.outcome in BY_COUNT and record.resolution is None:
        yield _of_slot(
            Kind.OUTCOME_DIFFERS,
            key,
            slot,
            record,
            here,
            f"AWS has counted exactly this record, of which we knew: {standing(record)}.",
            Decision.BILLED,
        )
    elif record.outcome is not Outcome.PLANNED and not stands_as_billed(record):
        yield _of_slot(
            Kind.OUTCOME_DIFFERS,
            key,
            slot,
            record,
            here,
            f"AWS has counted exactly this record, and with us it is otherwise: {standing(record)}.",
        )


def not_counted_beside_ours(
    record: MeteringRecord, slot: Slot | None, complete: Complete, window: AwsWindow
) -> Difference | None:
    """What complete evidence says of a record that AWS has counted nowhere in it.

    Args:
        slot: what else the evidence says about its slot.
    """
    told = slot.told if slot else []
    if any(meaning_of(one.answer) is Meaning.COUNTED for one in told):
        return None
    said = _last(told)
    if stands_as_billed(record):
        settled = record.settled_at or record.created_at
        if complete.lacks(record.created_at - SKEW, settled + SKEW):
            return None
        what = f"AWS's last answer there is {said.says}" if said else "AWS has no call about it"
        return _of_record(
            Kind.OUTCOME_DIFFERS if said else Kind.NOT_AT_AWS,
            record,
            said,
            f"With us it is {standing(record)}, and in the file {what}.",
        )
    if record.outcome is not Outcome.UNKNOWN or record.resolution is not None:
        return None
    doubt = complete.lacks(*could_have_been_counted(record, window))
    if doubt is None and any(meaning_of(one.answer) is Meaning.PERHAPS for one in told):
        doubt = f"AWS's answers do not say that it was not counted ({_answers(told)})"
    if doubt is None and record.reason not in ONLY_TIME_STOOD_IN_THE_WAY:
        doubt = f"AWS has not counted it, but would refuse it again ({record.reason}): a person decides"
    if doubt:
        return _of_record(Kind.STILL_UNKNOWN, record, said, f"It stays unknown: {doubt}.")
    return _of_record(
        Kind.NOT_AT_AWS,
        record,
        said,
        "AWS has never counted it, and cannot any more: its quantity goes out in a later hour.",
        Decision.BILL_AGAIN,
    )


def could_have_been_counted(record: MeteringRecord, window: AwsWindow) -> tuple[datetime, datetime]:
    """From when until when: from its freezing until AWS takes its hour no more, whoever sent it and however
    late; with room for clocks that differ."""
    closes = window.closes_at(record.timestamp) + window.margin
    return record.created_at - SKEW, max(record.settled_at or closes, closes) + SKEW


def two_identities(
    slots: Mapping[Key, Slot], subscriptions: Mapping[str, Subscription]
) -> Iterator[Difference]:
    """Hours in which AWS counted a buyer's usage by product code and by licence: it bills both.

    Two licences of one account are two agreements, and no difference. Whose account a legacy identity has is
    what notifications has published; where it does not know, nothing is found.
    """
    of_buyers: dict[tuple[str, str, str, str], list[tuple[Key, Slot]]] = defaultdict(list)
    for key, slot in slots.items():
        if not slot.counted():
            continue
        known = subscriptions.get(key.who)
        account = slot.party.customer_aws_account_id or (known and known.customer_aws_account_id)
        product_code = slot.party.product_code or (known and known.product_code)
        if account and product_code:
            of_buyers[product_code, account, key.dimension, key.hour].append((key, slot))
    for found in of_buyers.values():
        by_licence = [one for one in found if one[1].party.license_arn]
        for key, slot in found:
            if by_licence and not slot.party.license_arn:
                told = next(iter(slot.counted().values()))
                yield _of_slot(
                    Kind.BILLED_UNDER_TWO_IDENTITIES,
                    key,
                    slot,
                    None,
                    told,
                    f"AWS has counted {to_text(told.quantity)} under the product code, and the same buyer's "
                    f"hour under the licence {by_licence[0][1].party.license_arn} too: both are billed.",
                )


def _of_slot(
    kind: Kind,
    key: Key,
    slot: Slot,
    record: MeteringRecord | None,
    told: Told,
    sentence: str,
    settles: Decision | None = None,
) -> Difference:
    return Difference(
        kind=kind,
        sentence=sentence,
        settles=settles,
        metering_record_id=record.metering_record_id if record else None,
        subscription_id=slot.party.subscription_id,
        product_code=record.identity.product_code if record else slot.party.product_code or None,
        dimension=key.dimension,
        hour=key.hour,
        ours=_ours(record) if record else None,
        theirs=_theirs(told),
    )


def _of_record(
    kind: Kind, record: MeteringRecord, theirs: Side | None, sentence: str, settles: Decision | None = None
) -> Difference:
    return Difference(
        kind=kind,
        sentence=sentence,
        settles=settles,
        metering_record_id=record.metering_record_id,
        subscription_id=record.subscription_id,
        product_code=record.identity.product_code,
        dimension=record.dimension,
        hour=record.hour,
        ours=_ours(record),
        theirs=theirs,
    )


def _ours(record: MeteringRecord) -> Side:
    return Side(record.quantity, standing(record), aws_metering_record_id=record.aws_metering_record_id)


def _theirs(told: Told) -> Side:
    return Side(told.quantity, told.answer, told.region, told.aws_metering_record_id, told.event_id)


def _last(told: Collection[Told]) -> Side | None:
    return _theirs(max(told, key=lambda one: one.at)) if told else None


def _answers(told: Iterable[Told]) -> str:
    return ", ".join(sorted({one.answer for one in told}))


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
