"""Says what the bill of a made-up month has to be, from the story and from what was acknowledged alone, and
compares: AWS's bill is the truth less what the balance names, and every name is one that the story
explains."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from house import House
from made_up_month import (
    CONTRACT,
    DIMENSIONS,
    HELD,
    HOUR,
    OLDEST,
    PLAN,
    POISON,
    PRODUCT_STOPPED,
    SWITCHED,
    UNLISTED,
    Life,
    MadeUpMonth,
    Used,
)
from month_report import MonthReport

from metering.balance import Balance
from metering.quantities import to_text
from metering.records import Decision, MeteringRecord, Outcome

CLEAR = 10 * HOUR
"""In so long a time without trouble whatever is due goes out, even in the worst of weathers."""


UNLUCKY_SENDINGS = 2
"""So many that are lost one by one are bad luck: a worker that stands still for hours tries no oftener."""


class WentWrong(BaseException):
    """The month is over: a promise was broken. No `except Exception` of metering's takes it for its own."""


class Accepted(NamedTuple):
    """An event that was acknowledged, and when first."""

    used: Used
    at: datetime


Place = tuple[str, str]
"""A holder and a dimension."""


class MonthJudge:
    """Keeps the truth, and judges.

    Attributes:
        accepted: by source, id and hour the first content that was acknowledged.
        refused_by_aws: subscriptions that AWS refused for a while, each for itself or with its product.
    """

    def __init__(self, story: MadeUpMonth, house: House, report: MonthReport) -> None:
        self._story = story
        self._house = house
        self._report = report
        self.accepted: dict[tuple[str, str, str], Accepted] = {}
        self.refused_by_aws: set[str] = set()
        self._perhaps: list[Used] = []
        self._by_hand: Counter[tuple[str, str, str]] = Counter()

    # What becomes known ------------------------------------------------------------------------------------

    def take_note(self, used: Used, now: datetime) -> None:
        """It was acknowledged."""
        self.accepted.setdefault(used.key, Accepted(used, now))

    def never_acknowledged(self, used: Used) -> None:
        """It grew too old while DynamoDB was away. An earlier try may have left it in the log."""
        self._perhaps.append(used)

    def aws_has(self, record: MeteringRecord) -> bool:
        """What a person finds in AWS's own reports."""
        slot = self._house.aws.slots.get(self._slot(record))
        return slot is not None and int(slot[0] * 10**6) == record.quantity

    def written_off_by_hand(self, record: MeteringRecord) -> None:
        self._by_hand[record.subscription_id, record.dimension, f"decided_after_{record.outcome}"] += (
            record.quantity
        )

    def _slot(self, record: MeteringRecord) -> tuple[str, str, str]:
        return self._house.identities[record.subscription_id], record.dimension, record.hour

    # At any time -------------------------------------------------------------------------------------------

    def look(self) -> dict[Place, Balance]:
        """The auditor, all balances, and AWS's slots one by one; the balances.

        Raises:
            WentWrong: something does not add up.
        """
        self._report.audits += 1
        wrong = [str(one) for one in sorted(self._house.new_auditor().audit(), key=str)]
        wrong += self._slots_without_reason()
        holders = set(self._house.identities) | {one.used.holder for one in self.accepted.values()}
        struck = {
            (holder, dimension): one
            for holder in sorted(holders)
            for dimension, one in self._house.statements.balances(holder).items()
        }
        wrong += [f"{place} is not balanced: {one}" for place, one in struck.items() if not one.balanced]
        self._report.imbalances += len(wrong)
        if wrong:
            raise WentWrong("\n".join(wrong))
        return struck

    def _slots_without_reason(self) -> list[str]:
        """What AWS has and no record of ours, or of another quantity; what we call billed and AWS has not."""
        slots = dict(self._house.aws.slots)
        wrong = []
        for record in self._records():
            slot = slots.pop(self._slot(record), None)
            if _is_billed(record) and not self.aws_has(record):
                wrong.append(f"{record.metering_record_id} is called billed, and AWS has {slot}.")
            if slot and not (_is_billed(record) or _in_doubt(record)):
                wrong.append(f"{record.metering_record_id} is {record.outcome}, and AWS has counted it.")
            if slot and int(slot[0] * 10**6) != record.quantity:
                wrong.append(f"{record.metering_record_id} of {record.quantity} is {slot} at AWS.")
        return wrong + [f"AWS has {slot}, of which no record is known." for slot in slots]

    def _records(self) -> list[MeteringRecord]:
        return [
            record
            for life in self._story.lives
            for record in self._house.record_store.records(life.subscription_id)
        ]

    # At the end --------------------------------------------------------------------------------------------

    def final(self) -> None:
        """When all is quiet.

        Raises:
            WentWrong: with all that is not as it has to be.
        """
        for used in self._perhaps:
            if used.key not in self.accepted and self._is_in_log(used):
                self.take_note(used, self._house.clock.now())
        self._report.accepted = len(self.accepted)
        self._report.billed = sum(self._house.aws.bill().values())
        records = self._records()
        self._report.outcomes = dict(Counter(record.outcome.value for record in records))
        self._records_of: dict[Place, list[MeteringRecord]] = defaultdict(list)
        for record in records:
            self._records_of[record.subscription_id, record.dimension].append(record)
        struck = self.look()
        named: Counter[str] = Counter()
        for one in struck.values():
            for part, micro in _named(one).items():
                named[part] += micro
        self._report.named = dict(named)
        wrong = self._sums(struck)
        wrong += [
            sentence
            for life in self._story.lives
            for dimension in ("gpu_hours", "requests", "storage", "seats")
            if (life.subscription_id, dimension) in struck
            for sentence in self._unexplained(life, dimension, struck[life.subscription_id, dimension])
        ]
        wrong += self._of_customers(struck)
        wrong += self._of_contracts(struck) + self._of_identities()
        if wrong:
            raise WentWrong("\n".join(wrong))

    def _is_in_log(self, used: Used) -> bool:
        logged = self._house.usage_log.events(used.hour)
        return any((event.source, event.id) == used.key[:2] for _, event in logged)

    def _sums(self, struck: dict[Place, Balance]) -> list[str]:
        """The promise, for each buyer's usage of a dimension: what is accepted is billed once, or named."""
        truth: Counter[Place] = Counter()
        taken_back: Counter[Place] = Counter()
        for used, _ in self.accepted.values():
            place = self._family(used.holder), used.row["dimension"]
            truth[place] += max(used.micro, 0)
            taken_back[place] += max(-used.micro, 0)
        accepted: Counter[Place] = Counter()
        parts: Counter[Place] = Counter()
        corrected: Counter[Place] = Counter()
        billed: Counter[Place] = Counter()
        wrong = []
        bill = self._house.aws.bill()
        for (holder, dimension), one in struck.items():
            place = self._family(holder), dimension
            doubtful = sum(record.quantity for record in self._doubtful(holder, dimension))
            named = sum(_named(one).values())
            accepted[place] += one.accepted
            parts[place] += named - doubtful
            corrected[place] += one.reasons.get(("written_off", "corrected"), 0) + one.corrections_waiting
            own = bill.get((self._house.identities.get(holder, ""), dimension), 0)
            if own != one.accepted - named + doubtful:
                self._report.imbalances += 1
                wrong.append(f"{holder} {dimension}: AWS bills {own}, the balance says {one}.")
        of = {identity: holder for holder, identity in self._house.identities.items()}
        for (identity, dimension), micro in bill.items():
            billed[self._family(of[identity]), dimension] += micro
        for place in truth.keys() | accepted.keys() | billed.keys():
            off = billed[place] + parts[place] - truth[place]
            self._report.lost += max(-off, 0)
            self._report.doubled += max(off, 0)
            if off or accepted[place] != truth[place]:
                wrong.append(
                    f"{place}: accepted {to_text(truth[place])} (by the books {to_text(accepted[place])}), "
                    f"AWS bills {to_text(billed[place])}, named {to_text(parts[place])}: off by "
                    f"{to_text(off)}."
                )
            if corrected[place] != taken_back[place]:
                wrong.append(
                    f"{place}: corrections of {to_text(taken_back[place])}, in the books "
                    f"{to_text(corrected[place])}."
                )
        return wrong

    def _family(self, holder: str) -> str:
        """All between whom usage may move."""
        for life in self._story.lives:
            if life.subscription_id == holder:
                if life.customer:
                    return f"{life.customer}/{life.product_code}"
                if life.partner and life.partner.legacy:
                    return life.partner.subscription_id
        return holder

    def _doubtful(self, holder: str, dimension: str) -> list[MeteringRecord]:
        """What stands under another name in the balance, and was counted all the same."""
        return [
            record
            for record in self._records_of[holder, dimension]
            if _in_doubt(record) and self.aws_has(record)
        ]

    def _own(self, holder: str, dimension: str) -> list[Accepted]:
        return [
            one
            for one in self.accepted.values()
            if (one.used.holder, one.used.row["dimension"]) == (holder, dimension) and one.used.micro > 0
        ]

    # Whether the story explains it -------------------------------------------------------------------------

    def _unexplained(self, life: Life, dimension: str, one: Balance) -> list[str]:
        """What a subscription's balance names and the story does not explain."""
        wrong: list[str] = []

        def must(holds: bool, what: str) -> None:
            if not holds:
                wrong.append(f"{life.name} {dimension}: {what}; {one}. ({life})")

        own = self._own(life.subscription_id, dimension)
        must(one.open == 0, "all that can go out has gone out")
        must(one.planned == 0, "all that was planned is settled")
        must(one.conflicting == 0 or self._house.aws.identical_is_duplicate, "AWS never had another quantity")
        whole = self._why_all_is_held(life, dimension)
        if whole:
            must(one.billed == 0 and one.included == 0, f"it is held as {whole}")
        for (part, reason), micro in one.reasons.items():
            if not micro:
                continue
            match part, reason:
                case "held", "unknown":
                    must(
                        self._explains_unknown(life, dimension), "nothing kept its records from their answers"
                    )
                case "held", "rejected":
                    must(life.subscription_id in self.refused_by_aws, "AWS never refused it")
                case "held", "not_subscribed":
                    must(life.until is not None, "it was always subscribed")
                case _, "before_activation":
                    must(part == "held" or life.until is not None, "it has not ended")
                    before = [used.micro for used, _ in own if _end_of(used) <= (life.again_at or life.since)]
                    must(micro <= sum(before), f"only {before} came before its activation")
                case "held", "entitlement_unknown":
                    told_at = min(terms.told_at for terms in life.terms)
                    must(life.until is not None and life.until <= told_at, "its entitlement was told")
                case "held", "after_cut_over":
                    must(
                        life.product_code == SWITCHED and life.legacy and not life.partner,
                        "it is not cut over",
                    )
                case "held", _:
                    must(reason == whole, "nothing holds it")
                case "written_off", "after_final_hour":
                    must(life.until is not None, "it has not ended")
                    self._must_have_been_late(life, own, micro, must)
                case "written_off", "corrected":
                    pass  # see `_sums`
                case "written_off", _:
                    by_hand = self._by_hand[life.subscription_id, dimension, reason]
                    must(micro == by_hand, f"a person wrote off {by_hand}")
        must(one.included == 0 or life.product_code == PLAN, "no contract pays for it")
        return wrong

    def _why_all_is_held(self, life: Life, dimension: str) -> str | None:
        if life.published_at is None:
            return "subscription_unknown"
        if life.status != "active":
            return f"subscription_{life.status}"
        if life.product_code == UNLISTED:
            return "product_unknown"
        if life.product_code == CONTRACT:
            return "not_metered"
        if dimension not in DIMENSIONS[life.product_code]:
            return "unknown_dimension"
        if life.terms and life.terms[-1].value == "gold" and not life.until:
            return "entitlement_unclear"
        return None

    def _explains_unknown(self, life: Life, dimension: str) -> bool:
        """AWS refused it for itself; or trouble lasted for as long as AWS takes an hour; or outside of any
        trouble it was sent all the same, and each answer was lost by a fault of its own."""
        if life.until or life.subscription_id in self.refused_by_aws:
            return True
        return not any(
            self._has_clear_time(record.created_at, min(record.timestamp + 24 * HOUR, _month_end(record)))
            for record in self._records_of[life.subscription_id, dimension]
            if record.outcome is Outcome.UNKNOWN
            and record.resolution is None
            and sum(self._is_clear(send.at) for send in record.sends) < UNLUCKY_SENDINGS
        )

    def _is_clear(self, moment: datetime) -> bool:
        return not any(trouble.begins <= moment < trouble.ends for trouble in self._story.troubles)

    def _has_clear_time(self, begins: datetime, ends: datetime) -> bool:
        moment = begins
        for trouble in sorted(self._story.troubles, key=lambda one: one.begins):
            if trouble.kind in (POISON, PRODUCT_STOPPED) or trouble.ends <= moment:
                continue
            if trouble.begins - moment >= CLEAR and ends - moment >= CLEAR:
                return True
            moment = max(moment, trouble.ends)
        return ends - moment >= CLEAR

    def _must_have_been_late(self, life: Life, own: list[Accepted], micro: int, must) -> None:  # type: ignore[no-untyped-def]
        """Where all worked well before the end, what came in time is not written off."""
        ends = life.until
        if (
            ends is None
            or life.large
            or life.partner
            or life.customer
            or life.account_told_at
            or life.again_at
            or life.terms
            or life.subscription_id in self.refused_by_aws
            or not life.published_at
            or max(life.published_at, life.since) > ends - 2 * CLEAR
            or not self._has_clear_time(ends - CLEAR, ends)
        ):
            return
        late = sum(used.micro for used, at in own if at > ends - 8 * HOUR)
        by_hand = sum(
            record.quantity
            for record in self._records_of[life.subscription_id, own[0].used.row["dimension"]]
            if record.resolution or record.outcome is Outcome.EXPIRED
        )
        must(micro <= late + by_hand, f"only {late} came too late")

    def _of_contracts(self, struck: dict[Place, Balance]) -> list[str]:
        """A contract has paid for what it entitles to, and for no more; exactly so where its terms stood
        still, the agreement goes on and nothing was taken back."""
        wrong = []
        for life in self._story.lives:
            if life.product_code != PLAN or life.published_at is None or not life.terms:
                continue
            every = [
                one.used
                for one in self.accepted.values()
                if one.used.holder == life.subscription_id and _end_of(one.used) > life.since
            ]
            usage = sum(max(used.micro, 0) for used in every)
            ends = {terms.expires_at for terms in life.terms}
            most = least = usage
            if all(terms.micro is not None for terms in life.terms):
                of_period = [
                    max(terms.micro or 0 for terms in life.terms if terms.expires_at == end) for end in ends
                ]
                last = max(ends)
                smallest = min(terms.micro or 0 for terms in life.terms if terms.expires_at == last)
                before = [end for end in ends if end < last]
                in_last = sum(
                    max(used.micro, 0) for used in every if not before or _end_of(used) - HOUR >= max(before)
                )
                most, least = min(sum(of_period), usage), min(smallest, in_last)
            if life.until or any(used.micro < 0 for used in every):
                least = 0
            included = sum(
                struck[life.subscription_id, dimension].included
                for dimension in DIMENSIONS[PLAN]
                if (life.subscription_id, dimension) in struck
            )
            if not least <= included <= most:
                wrong.append(f"Its contract paid for {included}, not for {least} to {most}: {life}.")
        return wrong

    # Whose it is -------------------------------------------------------------------------------------------

    def _of_customers(self, struck: dict[Place, Balance]) -> list[str]:
        """What names a customer has gone to the one subscription that was active in its hour, or is held by
        the right name."""
        should: Counter[tuple[str, str, str]] = Counter()
        for used, _ in self.accepted.values():
            whose = self._whose(used) if "/" in used.holder else used.holder
            should[whose, used.row["dimension"], used.holder if whose.startswith("held ") else ""] += max(
                used.micro, 0
            )
        wrong = []
        of_customers = {life.subscription_id for lives in self._story.customers.values() for life in lives}
        for (holder, dimension), one in struck.items():
            if holder in of_customers and one.accepted != should[holder, dimension, ""]:
                wrong.append(f"{holder} {dimension}: {should[holder, dimension, '']} is its own; {one}.")
            if "/" in holder:
                for reason in ("customer_unknown", "no_active_subscription", "several_subscriptions"):
                    held = one.reasons.get(("held", reason), 0)
                    if held != should[f"held {reason}", dimension, holder]:
                        wrong.append(f"{holder} {dimension}: {reason} is {held}; {dict(should)}.")
        return wrong

    def _whose(self, used: Used) -> str:
        customer, _, product_code = used.holder.partition("/")
        lives = self._story.customers[customer]
        if customer not in self._story.registered_at:
            return "held customer_unknown"
        begins, ends = _end_of(used) - HOUR, _end_of(used)
        active = [life for life in lives if life.since < ends and not (life.until and begins >= life.until)]
        if not active:
            return "held no_active_subscription"
        if product_code == HELD and len(active) > 1:
            return "held several_subscriptions"
        assert product_code in (OLDEST, HELD)
        return min(active, key=lambda life: life.since).subscription_id

    def _of_identities(self) -> list[str]:
        """One buyer's hour under one identity, the legacy one before the cut-over only."""
        wrong = []
        cut_over = f"{self._story.cut_over:%Y-%m-%dT%H}"
        legacy = {life.identity: life.legacy for life in self._story.lives if life.product_code == SWITCHED}
        for identity, dimension, hour in self._house.aws.slots:
            if identity in legacy and (hour < cut_over) != legacy[identity]:
                wrong.append(f"{identity} {dimension} {hour} is on the wrong side of {cut_over}.")
        return wrong


def _is_billed(record: MeteringRecord) -> bool:
    if record.resolution:
        return record.resolution.decision is Decision.BILLED
    return record.outcome is Outcome.BILLED


def _in_doubt(record: MeteringRecord) -> bool:
    """Perhaps counted, and nobody has said so. Once it is settled, only by its outcome: what is released, or
    was refused, must not be."""
    if record.resolution:
        return False
    if record.outcome is Outcome.PLANNED:
        return record.in_doubt
    return record.outcome is Outcome.UNKNOWN or record.reason == "sent_before"


def _named(one: Balance) -> dict[str, int]:
    """All that is accepted and not billed, by part."""
    return {
        part: getattr(one, part)
        for part in ("open", "planned", "included", "held", "conflicting", "written_off")
    }


def _end_of(used: Used) -> datetime:
    return used.time.replace(minute=0, second=0, microsecond=0) + HOUR


def _month_end(record: MeteringRecord) -> datetime:
    """When AWS closes the month of a record."""
    first = record.timestamp.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1) + 6 * HOUR
