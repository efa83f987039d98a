"""A month that never was: who subscribes to what and until when, what is used and reported, what breaks.

All of it comes from the seed. It knows nothing of how metering works; `month_judge.py` reads from it what the
bill has to be.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from house import subscription_id

from chassis.times import rfc3339
from metering.subscription_ids import of_license

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

LEGACY, PLAIN, NAMED, OLDEST, HELD = "5legacy", "74plain", "74named", "74oldest", "74held"
CONTRACT, PLAN, SWITCHED, ZEROS, UNLISTED = "74contract", "74plan", "5switched", "74zeros", "74unlisted"

DIMENSIONS = {
    LEGACY: ("gpu_hours", "requests"),
    PLAIN: ("gpu_hours", "requests"),
    NAMED: ("gpu_hours",),
    OLDEST: ("gpu_hours", "requests"),
    HELD: ("gpu_hours",),
    CONTRACT: ("seats",),
    PLAN: ("gpu_hours", "storage"),
    SWITCHED: ("gpu_hours", "requests"),
    ZEROS: ("gpu_hours",),
    UNLISTED: ("gpu_hours",),
}
"""What is used of each product."""

MONTHS_END = datetime(2026, 12, 1, tzinfo=UTC)
"""Six hours after it AWS takes nothing more of November."""

FOREVER = datetime(2030, 1, 1, tzinfo=UTC)


def catalogue(cut_over: datetime) -> str:
    """`products.yaml` of the month; not all that is sold is in it."""
    metering: dict[str, dict[str, Any]] = {
        NAMED: {"usage_by_customer": "named"},
        OLDEST: {"usage_by_customer": "oldest"},
        HELD: {"usage_by_customer": "held"},
        SWITCHED: {"cut_over": rfc3339(cut_over)},
        ZEROS: {"zero_records": True},
    }
    models = {CONTRACT: "contract", PLAN: "contract_with_consumption"}
    products: list[dict[str, Any]] = []
    for code, names in DIMENSIONS.items():
        dimensions = [{"key": name} for name in names]
        if code == PLAN:
            dimensions = [{"key": name, "draws_on": "plan"} for name in names] + [{"key": "plan"}]
        product = {
            "product_code": code,
            "pricing_model": models.get(code, "subscription"),
            "dimensions": dimensions,
        }
        products += [product | ({"metering": metering[code]} if code in metering else {})]
    return yaml.safe_dump({"products": [one for one in products if one["product_code"] != UNLISTED]})


@dataclass(frozen=True)
class Terms:
    """What a contract entitles to, as AWS tells it from a moment on; micro-units, None where unlimited."""

    told_at: datetime
    kind: str
    value: str
    micro: int | None
    expires_at: datetime


@dataclass
class Life:
    """A subscription, from its first usage to its last.

    Attributes:
        since: AWS takes usage from then on.
        published_at: when notifications first says so; None: never.
        status: its fate: `active`, or `pending` or `failed` for ever.
        cancelled_at: the buyer cancels; an hour later AWS takes no more.
        announced_at: when notifications says that.
        again_at: the same buyer subscribes anew under the same identity.
        account_told_at: until then the published row has no account.
        uses_from: the first usage, perhaps before anybody knows of the subscription.
        share: of the hours it uses, with `dimensions` and a typical quantity of `size` micro-units.
        partner: the same buyer's other identity.
        terms: of a contract with consumption.
    """

    name: str
    subscription_id: str
    product_code: str
    legacy: bool
    identity: str
    account: str
    since: datetime
    published_at: datetime | None
    uses_from: datetime
    share: float
    size: int
    status: str = "active"
    cancelled_at: datetime | None = None
    announced_at: datetime | None = None
    again_at: datetime | None = None
    account_told_at: datetime | None = None
    customer: str | None = None
    partner: "Life | None" = None
    corrects: bool = False
    tags: bool = False
    large: bool = False
    terms: list[Terms] = field(default_factory=list)

    @property
    def until(self) -> datetime | None:
        """When AWS stops taking its usage."""
        return self.cancelled_at + HOUR if self.cancelled_at else None

    def __str__(self) -> str:
        words = [f"{self.name} {self.product_code} {self.subscription_id} since {self.since:%dT%H:%M}"]
        words += [f"published {self.published_at:%dT%H:%M}" if self.published_at else "never published"]
        for word in ("cancelled_at", "announced_at", "again_at", "account_told_at"):
            if moment := getattr(self, word):
                words.append(f"{word} {moment:%dT%H:%M}")
        words += [self.status] * (self.status != "active") + [f"of {self.customer}"] * bool(self.customer)
        words += [f"is {self.partner.name} too"] if self.partner else []
        words += [f"{one.value} told {one.told_at:%dT%H} until {one.expires_at:%dT%H}" for one in self.terms]
        return ", ".join(words)


@dataclass(frozen=True)
class Used:
    """An event as the product reports it.

    Attributes:
        row: its members.
        holder: whose usage it is: a subscription, or `<customer>/<product>`.
        micro: its quantity.
        may_be_refused: for these reasons, beside its age; then it counts nothing.
        only_after: an event with the same source, id and hour but another content that has to be accepted
            before this one is sent; of the two that one counts.
    """

    row: dict[str, Any]
    holder: str
    micro: int
    time: datetime
    may_be_refused: frozenset[str] = frozenset()
    only_after: "Used | None" = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.row["source"], self.row["id"], f"{self.time:%Y-%m-%dT%H}"

    @property
    def hour(self) -> str:
        return f"{self.time:%Y-%m-%dT%H}"


@dataclass(frozen=True)
class Trouble:
    """Something does not work for hours. Of `products`, only where it is theirs."""

    kind: str
    begins: datetime
    ends: datetime
    product_code: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.product_code} {self.begins:%dT%H:%M} to {self.ends:%dT%H:%M}"


WORKER_AWAY, DYNAMODB_AWAY, DYNAMODB_HALF_AWAY = "worker away", "DynamoDB away", "DynamoDB half away"
AWS_AWAY, AWS_GREY, AWS_THROTTLES = "AWS away", "AWS loses answers", "AWS throttles"
AWS_REFUSES_US, PRODUCT_STOPPED, POISON = "AWS refuses us", "product stopped", "AWS refuses one buyer"


@dataclass(frozen=True)
class Act:
    """Something happens: `what` names a method of the player's, `of` is its argument."""

    at: datetime
    what: str
    of: Any = None


class MadeUpMonth:
    """The story.

    Args:
        seed: of everything.
        hours: how long it is.
        subscriptions: how many.
    """

    def __init__(self, seed: int, hours: int, subscriptions: int) -> None:
        self._random = random.Random(f"{seed} {hours} {subscriptions} story")
        draw = self._random
        if hours >= 480:
            self.begins = datetime(2026, 11, 15, tzinfo=UTC)
        else:  # most of the short ones see a month's end too
            self.begins = datetime(
                2026, 11, draw.choice([28, 28, 29, 29, 30, 20]), draw.randrange(24), tzinfo=UTC
            )
        self.hours = hours
        self.ends = self.begins + hours * HOUR
        self.cut_over = self.begins + draw.randint(hours // 4, hours * 2 // 3) * HOUR
        self._numbers = iter(range(1, 10**9))
        self.lives: list[Life] = []
        self.customers: dict[str, list[Life]] = {}
        self.registered_at: dict[str, datetime] = {}
        while len(self.lives) < subscriptions:
            self._add(self._what_is_missing())
        self.troubles = self._troubles()
        self._recent: list[Used] = []
        self.acts = sorted(self._acts(), key=lambda act: act.at)

    def told(self) -> str:
        """The story in sentences."""
        lines = [f"{self.begins:%Y-%m-%dT%H:%M}, {self.hours} hours; cut over at {self.cut_over:%dT%H}."]
        lines += [str(life) for life in self.lives]
        lines += [str(trouble) for trouble in sorted(self.troubles, key=lambda one: one.begins)]
        return "\n".join(lines)

    # Who subscribes ----------------------------------------------------------------------------------------

    def _what_is_missing(self) -> str:
        """Each product comes once before any comes by chance."""
        have = {life.product_code for life in self.lives}
        missing = [code for code in DIMENSIONS if code not in have]
        if missing:
            return missing[0]
        often = [LEGACY, PLAIN, PLAIN, PLAIN, NAMED, OLDEST, HELD, PLAN, PLAN, PLAN, SWITCHED, SWITCHED]
        return self._random.choice(often)

    def _moment(self, least: float, most: float) -> datetime:
        """A minute between two parts of the month."""
        minutes = self.hours * 60
        return self.begins + self._random.randint(int(minutes * least), int(minutes * most)) * MINUTE

    def _add(self, product_code: str) -> None:
        draw = self._random
        if product_code == SWITCHED:
            self._add_switched()
            return
        life = self._life(product_code, legacy=product_code == LEGACY)
        if product_code == PLAN:
            self._give_terms(life)
        if product_code in (OLDEST, HELD):
            self._give_customer(life)
            return
        self.lives.append(life)
        if product_code == CONTRACT:
            life.published_at = life.since + 5 * HOUR
            return
        fate = draw.random()
        if product_code in (LEGACY, PLAIN) and fate < 0.12:
            life.published_at = None
        elif product_code == PLAIN and fate < 0.2:
            life.status = draw.choice(["pending", "failed"])
        elif product_code == PLAIN and fate < 0.3:
            life.account_told_at = (
                max(life.published_at or life.since, life.since) + draw.randint(1, 30) * HOUR
            )
        elif fate < 0.6:
            self._cancel(life)
        if life.legacy and life.until and draw.random() < 0.5:
            life.again_at = life.until + draw.randint(1, 30) * HOUR

    def _life(self, product_code: str, legacy: bool) -> Life:
        draw = self._random
        number = next(self._numbers)
        was_before = draw.random() < 0.5
        since = self.begins - draw.randint(1, 200) * HOUR if was_before else self._moment(0, 0.7)
        identity = (
            f"X01BUYER{number}"
            if legacy
            else f"arn:aws:license-manager::294406891311:license:l-{number:032x}"
        )
        published_at = max(since + draw.choice([0, 0, 1, 5, 90, 600]) * MINUTE, self.begins)
        share = draw.choice([0.6, 0.25, 0.1, 0.1, 0.05, 0.05, 0.02])
        return Life(
            name=f"{'L' if legacy else 'C'}{number:02d}",
            subscription_id=subscription_id(number) if legacy else of_license(identity),
            product_code=product_code,
            legacy=legacy,
            identity=identity,
            account=f"{111122220000 + number}",
            since=since,
            published_at=published_at,
            uses_from=since - draw.choice([0, 0, 0, 30, 200]) * MINUTE,
            share=max(share, 0.1) if self.hours < 480 else share,
            size=draw.choice([1, 10, 1_000_000, 2_500_000, 40_000_000, 123_456_789]),
            corrects=draw.random() < 0.3,
            tags=draw.random() < 0.3,
            large=draw.random() < 0.06,
        )

    def _cancel(self, life: Life) -> None:
        draw = self._random
        life.cancelled_at = self._moment(0.3, 0.95)
        if life.cancelled_at <= life.since + 2 * HOUR or (
            life.published_at and life.cancelled_at <= life.published_at
        ):
            life.cancelled_at = None
            return
        # The last two: later than AWS takes usage.
        life.announced_at = life.cancelled_at + draw.choice([0, 1, 2, 5, 5, 70, 200]) * MINUTE

    def _give_terms(self, life: Life) -> None:
        """Steady ones, raised, lowered and renewed ones, unlimited and unclear ones."""
        draw = self._random
        told_at = life.published_at or life.since
        if draw.random() < 0.2:
            told_at += draw.randint(1, 20) * HOUR
        typical = max(int(life.size * life.share * self.hours), 10)

        def some() -> tuple[str, str, int]:
            micro = draw.choice([0, typical // 4, typical // 2, typical, typical * 3])
            if draw.random() < 0.5:
                return "integer", str(micro // 1_000_000), micro // 1_000_000 * 1_000_000
            return "double", f"{micro // 1_000_000}.{micro % 1_000_000:06d}", micro

        kind = draw.choice(["steady", "steady", "steady", "changed", "renewed", "unlimited", "unclear"])
        if kind == "unlimited":
            word = draw.choice([("boolean", "true"), ("string", "Unlimited")])
            life.terms = [Terms(told_at, *word, None, FOREVER)]
            return
        if kind == "unclear":
            life.terms = [Terms(told_at, "string", "gold", 0, FOREVER)]
            return
        life.terms = [Terms(told_at, *some(), FOREVER)]
        if kind == "changed":
            moments = sorted(self._moment(0.2, 0.9) for _ in range(draw.randint(1, 3)))
            life.terms += [Terms(at, *some(), FOREVER) for at in moments if at > told_at]
        elif kind == "renewed":
            end = self._moment(0.3, 0.8)
            if end > told_at:
                first = Terms(told_at, *some(), end)
                life.terms = [first, Terms(end + draw.randint(0, 40) * MINUTE, *some(), FOREVER)]

    def _give_customer(self, life: Life) -> None:
        """Customers with one subscription or two of the product; some registered late, some never."""
        draw = self._random
        customer = "cus_" + subscription_id(next(self._numbers))[4:]
        self.customers[customer] = [life]
        life.customer = customer
        if draw.random() < 0.5:
            second = self._life(life.product_code, legacy=False)
            # Whoever is chosen first stays it: the older is known as soon as the younger is.
            second.since = max(life.since, self.begins) + draw.randint(3, self.hours // 2) * HOUR
            second.published_at = second.since
            second.uses_from = second.since
            life.published_at = min(life.published_at or second.since, second.since)
            second.customer = customer
            self.customers[customer].append(second)
        if draw.random() < 0.85:
            self.registered_at[customer] = max(life.since, self.begins) + draw.choice([0, 1, 200]) * MINUTE
        if draw.random() < 0.4:
            self._cancel(life)
            if life.announced_at and life.cancelled_at and life.announced_at >= life.cancelled_at + HOUR / 2:
                life.announced_at = life.cancelled_at + MINUTE
        self.lives += self.customers[customer]

    def _add_switched(self) -> None:
        """A buyer of before the cut-over, and mostly the same one under a licence."""
        draw = self._random
        old, new = self._life(SWITCHED, legacy=True), self._life(SWITCHED, legacy=False)
        old.since = old.uses_from = self.begins - 100 * HOUR
        old.published_at = self.begins
        new.since = self.cut_over - draw.choice([0, 0, 1, 3, 10]) * HOUR
        new.published_at = new.since + draw.choice([0, 2, 40]) * MINUTE
        new.uses_from = new.since - draw.choice([0, 0, 2]) * HOUR
        have_both = draw.random()
        if have_both < 0.7:
            new.account = old.account
            old.partner, new.partner = new, old
            self.lives += [old, new]
        else:
            self.lives.append(old if have_both < 0.85 else new)

    # What breaks -------------------------------------------------------------------------------------------

    def _troubles(self) -> list[Trouble]:
        draw = self._random
        found: list[Trouble] = []

        def trouble(kind: str, hours: float, product_code: str = "") -> None:
            begins = self._moment(0.05, 0.9)
            found.append(Trouble(kind, begins, begins + hours * HOUR, product_code))

        some = 1 + self.hours // 240
        for _ in range(some):
            trouble(WORKER_AWAY, draw.randint(1, 12))
            trouble(DYNAMODB_AWAY, draw.randint(1, 6))
            trouble(DYNAMODB_HALF_AWAY, draw.randint(1, 4))
            trouble(AWS_AWAY, draw.randint(1, 12))
            trouble(AWS_GREY, draw.randint(1, 12))
            trouble(AWS_THROTTLES, draw.randint(1, 10))
            trouble(AWS_REFUSES_US, draw.randint(1, 5))
            trouble(PRODUCT_STOPPED, draw.randint(1, 8), draw.choice([LEGACY, PLAIN, PLAN, SWITCHED]))
            trouble(POISON, draw.randint(2, 10))
        if draw.random() < 0.6:  # longer than AWS takes an hour
            trouble(
                draw.choice([WORKER_AWAY, AWS_AWAY, AWS_GREY, AWS_GREY, AWS_THROTTLES]), draw.randint(25, 34)
            )
        if self.begins + 20 * HOUR < MONTHS_END < self.ends and draw.random() < 0.6:
            kind = draw.choice([WORKER_AWAY, AWS_AWAY, AWS_GREY, AWS_GREY])
            begins = MONTHS_END - draw.randint(0, 5) * HOUR
            found.append(Trouble(kind, begins, begins + draw.randint(5, 13) * HOUR))
        return found

    def trouble(self, kind: str, now: datetime) -> Trouble | None:
        return next((one for one in self.troubles if one.kind == kind and one.begins <= now < one.ends), None)

    # What happens ------------------------------------------------------------------------------------------

    def _acts(self) -> Iterator[Act]:
        draw = self._random
        for life in self.lives:
            yield from self._acts_of(life)
        for customer, lives in self.customers.items():
            if customer in self.registered_at:
                yield Act(self.registered_at[customer], "register", (customer, lives))
        for one in self.troubles:
            if one.kind == POISON:
                life = draw.choice(self.lives)
                code = "InvalidCustomerIdentifierException" if life.legacy else "InvalidLicenseException"
                yield Act(one.begins, "refuse", ([life], code))
                yield Act(one.ends, "cure", [life])
            elif one.kind == PRODUCT_STOPPED:
                of_product = [life for life in self.lives if life.product_code == one.product_code]
                yield Act(one.begins, "refuse", (of_product, "InvalidProductCodeException"))
                yield Act(one.ends, "cure", of_product)
        for hour in range(self.hours):
            begins = self.begins + hour * HOUR
            minutes = sorted(draw.sample(range(60), draw.choice([1, 1, 2])))
            users = [life for life in self.lives if draw.random() < life.share]
            for place, minute in enumerate(minutes):
                now = begins + minute * MINUTE
                batch = [
                    self.use(life, now, draw)
                    for life in users[place :: len(minutes)]
                    if life.uses_from <= now
                    and not (life.until and now > life.until + 2 * HOUR and not life.again_at)
                ]
                batch += self._by_customers(now, draw) + self._oddities(now, draw)
                if batch:
                    self._recent = [*batch, *self._recent][:40]
                    yield Act(now, "report", batch)
                    while draw.random() < 0.15:
                        now += draw.choice([0, 1, 20, 200, 700]) * MINUTE
                        yield Act(now, "report", draw.sample(batch, draw.randint(1, len(batch))))
            for _ in range(draw.choice([1, 1, 2])):
                yield Act(begins + draw.randint(0, 59) * MINUTE, "cycle", draw.randrange(3))
            if hour % 24 == 13:
                yield Act(begins + draw.randint(0, 59) * MINUTE, "decide")
            if draw.random() < 4 / self.hours:
                yield Act(begins + draw.randint(0, 59) * MINUTE, "look")

    def _acts_of(self, life: Life) -> Iterator[Act]:
        yield Act(self.begins, "sell", life)
        if life.published_at:
            moments = {life.published_at, max(life.since, life.published_at)}
            moments |= {one.told_at for one in life.terms}
            moments |= {
                moment for moment in (life.announced_at, life.again_at, life.account_told_at) if moment
            }
            if life.until and life.announced_at:
                moments.add(max(life.until, life.announced_at) + 20 * MINUTE)
            for moment in sorted(moments):
                if moment >= life.published_at:
                    yield Act(max(moment, self.begins), "publish", life)
        if life.cancelled_at:
            yield Act(life.cancelled_at, "cancel", life)
        if life.again_at:
            yield Act(life.again_at, "sell_again", life)

    # What is used ------------------------------------------------------------------------------------------

    def use(self, life: Life, now: datetime, draw: random.Random, hour: datetime | None = None) -> Used:
        """Some usage of a subscription, reported now; of that hour where one is given."""
        named: dict[str, Any] = {"subscription_id": life.subscription_id}
        if not life.legacy and draw.random() < 0.3:
            named = {"license_arn": life.identity}
        dimension = draw.choice(DIMENSIONS[life.product_code])
        refusals = {"not_metered"} if life.product_code == CONTRACT else set()
        if life.product_code == PLAIN and draw.random() < 0.01:
            dimension = "seats"  # taken while nobody knows what the subscription is of
            refusals = {"unknown_dimension"}
        if life.product_code == UNLISTED:
            dimension = "gpu_hours"
        return self._used(named, life.subscription_id, dimension, life, now, draw, frozenset(refusals), hour)

    def _by_customers(self, now: datetime, draw: random.Random) -> list[Used]:
        """Usage that names its customer only, of some."""
        some = [
            customer
            for customer, lives in self.customers.items()
            if draw.random() < max(0.15, lives[0].share / 2)
        ]
        return self.use_by_customers(now, draw, some)

    def use_by_customers(
        self, now: datetime, draw: random.Random, named: list[str] | str, hour: datetime | None = None
    ) -> list[Used]:
        """The same of all customers that are among `named`, or in it."""
        found = []
        for customer, lives in self.customers.items():
            first = lives[0]
            if customer not in named or now < first.uses_from:
                continue
            row = {"customer_id": customer, "product_code": first.product_code}
            dimension = draw.choice(DIMENSIONS[first.product_code])
            holder = f"{customer}/{first.product_code}"
            used = self._used(row, holder, dimension, first, now, draw, frozenset(), hour)
            if not self._unclear_whose(used, lives):
                found.append(used)
        return found

    def _unclear_whose(self, used: Used, lives: list[Life]) -> bool:
        """Around the hour in which the second subscription begins, it depends on the minute whose the usage
        is."""
        if len(lives) < 2:
            return False
        begins = lives[1].since
        return begins - HOUR < used.time < begins + HOUR

    def _used(
        self,
        named: dict[str, Any],
        holder: str,
        dimension: str,
        life: Life,
        now: datetime,
        draw: random.Random,
        refusals: frozenset[str],
        hour: datetime | None = None,
    ) -> Used:
        late = draw.random()
        minutes = draw.randint(0, 50)
        if late < 0.06:
            minutes += draw.randint(60, 14 * 60)
        elif late < 0.065 and not self._dynamodb_is_unwell(now):
            minutes = draw.randint(22 * 60, 24 * 60 + 5)
        time = now - minutes * MINUTE - timedelta(microseconds=draw.randrange(10**6))
        if hour:
            time = hour + timedelta(seconds=draw.randrange(3600))
        micro = draw.choice([life.size, life.size, draw.randint(0, life.size * 2)])
        if life.large and draw.random() < 0.05:
            micro = 10**16 - 1 - draw.choice([0, 0, draw.randint(0, 10**15)])
        elif life.corrects and draw.random() < 0.15:
            micro = -draw.choice([micro, micro // 2, micro * 3])
        row = {
            "source": draw.choice(["meter-a", "meter-b"]),
            "id": f"e{next(self._numbers)}",
            **named,
            "dimension": dimension,
            "quantity": text(micro),
            "time": rfc3339(time),
        }
        if life.tags and draw.random() < 0.5:
            row["tags"] = {"team": draw.choice("abc"), **({"env": "prod"} if draw.random() < 0.3 else {})}
        return Used(row, holder, micro, time, refusals)

    def _dynamodb_is_unwell(self, now: datetime) -> bool:
        kinds = (DYNAMODB_AWAY, DYNAMODB_HALF_AWAY)
        return any(one.kind in kinds and one.begins - 3 * HOUR < now < one.ends for one in self.troubles)

    def _oddities(self, now: datetime, draw: random.Random) -> list[Used]:
        """The same id with another content, and the same id in another hour, which is another event; and what
        no door lets in."""
        found = []
        if self._recent and draw.random() < 0.08:
            first = draw.choice(self._recent)
            if not first.only_after and now - first.time < 20 * HOUR:
                micro = abs(first.micro) + draw.randint(1, 10**6)
                row, holder = first.row | {"quantity": text(micro % 10**16)}, first.holder
                if draw.random() < 0.4:
                    other = draw.choice([life for life in self.lives if life.product_code in (PLAIN, LEGACY)])
                    row = {key: row[key] for key in ("source", "id", "quantity", "time")}
                    row |= {"subscription_id": other.subscription_id, "dimension": "gpu_hours"}
                    holder = other.subscription_id
                found.append(
                    Used(row, holder, micro % 10**16, first.time, first.may_be_refused, only_after=first)
                )
        if self._recent and draw.random() < 0.03:
            first = draw.choice(self._recent)
            if "customer_id" not in first.row and not first.only_after:
                row, time = first.row | {"time": rfc3339(now)}, now
                again = Used(row, first.holder, first.micro, time, first.may_be_refused)
                if again.hour != first.hour:
                    found.append(again)
        if draw.random() < 0.03:
            life = next(life for life in self.lives if life.product_code == NAMED)
            row = {
                "source": "odd",
                "id": f"e{next(self._numbers)}",
                "dimension": "gpu_hours",
                "quantity": "1",
            }
            row |= {
                "time": rfc3339(now),
                "customer_id": "cus_" + life.subscription_id[4:],
                "product_code": NAMED,
            }
            found.append(Used(row, "", 10**6, now, frozenset({"subscription_not_named"})))
        return found


def text(micro: int) -> str:
    """A quantity as products write it."""
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    whole, rest = divmod(micro, 10**6)
    return f"{sign}{whole}.{rest:06d}" if rest else f"{sign}{whole}"
