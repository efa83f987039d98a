"""A renewal or a replacement is a new agreement with a licence of its own; only its Created names the old
one.

That the two belong together is a fact of both. So what one agreement's news says of the other is written to
the other's facts too, under the notification that said it: each is then folded from its own facts alone,
whichever news comes first. And two workers that learn the two licences at the same moment meet: each writes
to both agreements' facts, whose numbers only one of them can have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from notifications.folding import in_order
from notifications.news import Facts, Kind, News


@dataclass(frozen=True)
class Joined:
    """What one piece of news adds.

    Attributes:
        known: how many facts each subject had; the decision rests on them.
        last_number: of the log of each subject, by then; 0 where it had no entry.
        facts: all facts of each subject that was looked at, the new ones last. Its own subject comes first.
    """

    known: dict[str, int]
    last_number: dict[str, int]
    facts: dict[str, list[News]]

    def added(self, subject: str) -> list[News]:
        return self.facts[subject][self.known[subject] :]

    def changed_subjects(self) -> list[str]:
        return [subject for subject in self.facts if self.added(subject)]


def join(news: News, facts_of: Callable[[str], tuple[list[News], int]]) -> Joined:
    """The news among the facts of its subject, and what follows from it for agreements before and after.

    Args:
        news: not among the facts of its subject yet.
        facts_of: all facts of a subject, in the order in which they came, and the last number of its log.
    """
    known: dict[str, int] = {}
    last_number: dict[str, int] = {}
    facts: dict[str, list[News]] = {}

    def add(one: News) -> None:
        if one.subject not in facts:
            facts[one.subject], last_number[one.subject] = facts_of(one.subject)
            known[one.subject] = len(facts[one.subject])
        if all(one.notification_id != fact.notification_id for fact in facts[one.subject]):
            facts[one.subject].append(one)
            to_follow.append(one.subject)

    to_follow: list[str] = []
    add(news)
    while to_follow:
        for echo in _echoes(to_follow.pop(), facts):
            add(echo)
    return Joined(known, last_number, facts)


def _echoes(subject: str, facts: dict[str, list[News]]) -> Iterator[News]:
    """What a subject's facts say of others: all that name its licence, and the first that names the agreement
    before it."""
    ordered = in_order(facts[subject])
    licensed = [one for one in ordered if one.facts.license_arn]
    named = next((one for one in ordered if one.facts.previous_agreement_id not in (None, subject)), None)
    if named is not None:
        previous = str(named.facts.previous_agreement_id)
        for one in [named, *licensed]:
            arn = one.facts.license_arn
            told = Facts(next_agreement_id=subject, next_license_arn=arn)
            yield _echo(one, previous, Kind.AGREEMENT_SUCCEEDED, told)
    for following in sorted(
        {str(one.facts.next_agreement_id) for one in ordered if one.facts.next_agreement_id}
    ):
        for one in licensed:
            told = Facts(previous_license_arn=one.facts.license_arn)
            yield _echo(one, following, Kind.AGREEMENT_PRECEDED, told)


def _echo(of: News, subject: str, kind: Kind, facts: Facts) -> News:
    return News(
        notification_id=of.notification_id,
        kind=kind,
        generation=of.generation,
        event_time=of.event_time,
        subject=subject,
        facts=facts,
    )
