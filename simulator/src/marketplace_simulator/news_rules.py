"""How the road to the seller misbehaves, on demand: news that comes twice, late, in another order, or never.

AWS promises "at least once" and no order; a seller who was only ever shown tidy news has not been tested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace_simulator.news import News


@dataclass(frozen=True)
class NewsRule:
    """What happens to the news that it is for.

    Args:
        agreement_id: only this agreement's news; None: everyone's.
        name: only news of this name: an `action` or a `detail-type`, the latter with its variant or without
            (`License Deprovisioned`); None: all.
        double: it is delivered twice, with the same id.
        delay_seconds: it leaves so long after its due moment; what it says of the time stays as it is.
        shuffle_seed: what leaves at one time leaves in an order drawn from this number.
        drop_next: so much of it is still to be lost.
    """

    agreement_id: str | None = None
    name: str | None = None
    double: bool = False
    delay_seconds: float = 0
    shuffle_seed: int | None = None
    drop_next: int = 0

    @property
    def changes_anything(self) -> bool:
        return self.double or self.delay_seconds > 0 or self.shuffle_seed is not None or self.drop_next > 0

    def is_for(self, news: News) -> bool:
        return self.agreement_id in (None, news.agreement_id) and (
            self.name in (None, news.name, news.name.partition(" - ")[0])
        )

    def leaves_at(self, news: News) -> datetime:
        return news.due_at + timedelta(seconds=self.delay_seconds)

    def place(self, sequence: int) -> str:
        """A place among what leaves together: drawn from the seed, the same on every run."""
        return hashlib.sha256(f"{self.shuffle_seed}/{sequence}".encode()).hexdigest()


NO_RULE = NewsRule()


def rule_for(news: News, rules: Sequence[NewsRule]) -> NewsRule:
    """The one rule that counts: the narrowest, an agreement's before a name's before everyone's."""
    fitting = [rule for rule in rules if rule.is_for(news)]
    return max(
        fitting,
        key=lambda rule: (rule.agreement_id is not None, rule.name is not None),
        default=NO_RULE,
    )
