"""What is asked when."""

from datetime import timedelta

import pytest
import samples

from notifications.folding import fold
from notifications.news import Kind
from notifications.purchase import Agreement, Purchase
from notifications.questions import Questions, Schedule
from notifications.subscription import Subscription

NOW, HOUR = samples.after(300), timedelta(hours=1)
LATER = NOW + HOUR


def subscription(*bodies: str) -> Subscription:
    (one,) = fold([samples.news_of(body) for body in bodies], NOW)
    return one


CONTRACT = subscription(samples.contract_updated(samples.T0, "e1"))
PAYG = subscription(samples.license_updated(samples.T0, "e1"))
LEGACY = subscription(samples.action("subscribe-success", samples.T0, "m1"))
LEGACY_CONTRACT = subscription(
    samples.action("subscribe-success", samples.T0, "m1", **{"product-code": samples.LEGACY_CONTRACT})
)
ENDED_CONTRACT = subscription(
    samples.contract_updated(samples.T0, "e1"), samples.ended(samples.T0 - timedelta(hours=2), "e2")
)


def schedule(describe_agreements: bool = True) -> Schedule:
    contracts = {samples.CONTRACT, samples.LEGACY_CONTRACT}
    return Schedule(contracts.__contains__, describe_agreements, HOUR)


@pytest.mark.parametrize(
    ("about", "before", "kind", "asked"),
    [
        (CONTRACT, None, Kind.LICENSE_UPDATED, Questions(NOW, agreement=True)),
        (CONTRACT, Questions(LATER), Kind.LICENSE_UPDATED, Questions(NOW)),
        (CONTRACT, Questions(LATER), Kind.AGREEMENT_AMENDED, Questions(NOW, agreement=True)),
        (CONTRACT, Questions(LATER, True), Kind.LICENSE_UPDATED, Questions(NOW, agreement=True)),
        (CONTRACT, Questions(LATER), None, Questions(NOW)),
        (LEGACY_CONTRACT, None, Kind.SUBSCRIBE_SUCCESS, Questions(NOW)),
        (LEGACY_CONTRACT, Questions(LATER), Kind.ENTITLEMENT_UPDATED, Questions(NOW)),
        (PAYG, None, Kind.LICENSE_UPDATED, Questions(NOW, agreement=True)),
        (PAYG, Questions(), Kind.LICENSE_UPDATED, None),
        (PAYG, Questions(), Kind.AGREEMENT_AMENDED, Questions(NOW, agreement=True)),
        (LEGACY, None, Kind.SUBSCRIBE_SUCCESS, None),
    ],
)
def test_what_news_asks(
    about: Subscription, before: Questions | None, kind: Kind | None, asked: Questions | None
) -> None:
    assert schedule().after_news(before, about, kind, NOW) == asked


def test_agreements_are_not_read_where_the_setting_says_so() -> None:
    without = schedule(describe_agreements=False)
    assert without.after_news(None, PAYG, Kind.LICENSE_UPDATED, NOW) is None
    assert without.after_news(None, CONTRACT, Kind.AGREEMENT_AMENDED, NOW) == Questions(NOW)
    assert without.overlooked(Questions(), PAYG, Purchase(), NOW) is None


@pytest.mark.parametrize(
    ("about", "next_question"),
    [
        (CONTRACT, Questions(LATER)),
        (LEGACY_CONTRACT, Questions(LATER)),
        (ENDED_CONTRACT, Questions()),
        (PAYG, Questions()),
    ],
)
def test_what_is_asked_after_an_answer(about: Subscription, next_question: Questions) -> None:
    asked = Questions(NOW, agreement=True)
    assert schedule().after_answers(asked, about, NOW, all_answered=True) == next_question
    assert schedule().after_answers(asked, about, NOW, all_answered=False) == asked


DESCRIBED = Purchase().agreed(Agreement())


@pytest.mark.parametrize(
    ("about", "questions", "purchase", "asked"),
    [
        (CONTRACT, Questions(), Purchase(), Questions(NOW, agreement=True)),
        (CONTRACT, Questions(), DESCRIBED, Questions(NOW)),
        (CONTRACT, Questions(LATER), Purchase(), None),
        (ENDED_CONTRACT, Questions(), Purchase(), None),
        (PAYG, Questions(), Purchase(), Questions(NOW, agreement=True)),
        (PAYG, Questions(), DESCRIBED, None),
        (LEGACY, Questions(), Purchase(), None),
    ],
)
def test_what_was_overlooked(
    about: Subscription, questions: Questions, purchase: Purchase, asked: Questions | None
) -> None:
    assert schedule().overlooked(questions, about, purchase, NOW) == asked


def test_a_question_is_due_from_its_moment_on() -> None:
    assert Questions(NOW).due(NOW)
    assert not Questions(LATER).due(NOW)
    assert not Questions().due(NOW)
