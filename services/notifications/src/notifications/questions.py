"""What AWS is to be asked about a subscription, and when.

That something is to be asked is written with what it is about, in the same transaction as the news that calls
for it, so a crash forgets no question.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notifications.news import Generation, Kind
from notifications.purchase import Purchase
from notifications.subscription import Status, Subscription

ALIVE = frozenset({Status.PENDING, Status.ACTIVE, Status.ENDING})


@dataclass(frozen=True)
class Questions:
    """What is still to be asked about one subscription.

    Attributes:
        ask_at: when; None: nothing is.
        agreement: its agreement is to be asked for too.
    """

    ask_at: datetime | None = None
    agreement: bool = False

    def due(self, now: datetime) -> bool:
        return self.ask_at is not None and self.ask_at <= now


class Schedule:
    """Decides what is asked when.

    Args:
        sells_entitlements: whether the product of this code is a contract, so that GetEntitlements has
            something to say of it.
        describe_agreements: whether DescribeAgreement is asked at all.
        every: how often the entitlements of a subscription that is alive are asked for without news.
    """

    def __init__(
        self, sells_entitlements: Callable[[str], bool], describe_agreements: bool, every: timedelta
    ) -> None:
        self._sells_entitlements = sells_entitlements
        self._describe_agreements = describe_agreements
        self._every = every

    def has_entitlements(self, subscription: Subscription) -> bool:
        return self._sells_entitlements(subscription.product_code)

    def has_agreement(self, subscription: Subscription) -> bool:
        """Legacy news names no agreement, and SNS tells of a trial by itself."""
        return self._describe_agreements and subscription.generation == Generation.CONCURRENT_AGREEMENTS

    def after_news(
        self, before: Questions | None, subscription: Subscription, kind: Kind | None, now: datetime
    ) -> Questions | None:
        """What is to be asked since this news came, or (None for `kind`) since the last hour is over.

        Args:
            before: what was to be asked already; None where there was no row.

        Returns:
            None: this news calls for no question; what was to be asked stays as it is.
        """
        agreement = self.has_agreement(subscription) and (
            before is None or before.agreement or kind == Kind.AGREEMENT_AMENDED
        )
        if not agreement and not self.has_entitlements(subscription):
            return None
        return Questions(now, agreement)

    def after_answers(
        self, before: Questions, subscription: Subscription, now: datetime, *, all_answered: bool
    ) -> Questions:
        """What is to be asked next. What was not answered stays due, so that the next round asks it."""
        if not all_answered:
            return before
        again = self.has_entitlements(subscription) and subscription.status in ALIVE
        return Questions(now + self._every if again else None)

    def overlooked(
        self, questions: Questions, subscription: Subscription, purchase: Purchase, now: datetime
    ) -> Questions | None:
        """What is to be asked of a row that no question stands in though one should: written by an older
        release, or before the catalogue or the settings called for it. None: nothing."""
        if questions.ask_at is not None or subscription.status not in ALIVE:
            return None
        agreement = self.has_agreement(subscription) and purchase.free_trial is None
        if not agreement and not self.has_entitlements(subscription):
            return None
        return replace(questions, ask_at=now, agreement=agreement)
