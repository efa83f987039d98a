"""What a buyer gets by mail: that the account is confirmed (AWS asks for it), and that access has come."""

import re
from dataclasses import dataclass, field

from registration.catalogue import Product
from registration.languages import LANGUAGES, Language, templates

_TEMPLATES = {language: templates("letters", language, html=False) for language in LANGUAGES}

# Whoever has a purchase can make us write to an address that is not theirs. What they wrote about themselves
# must not become a link in such a letter, which mail programs make of less than `https://`.
_LINK_IN_A_NAME = re.compile(r"\w\.\w|[/@:<>]")


@dataclass(frozen=True)
class Letter:
    """Plain text; the subject is one line."""

    subject: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True)
class Recipient:
    """Who registered what.

    Args:
        name: as they wrote it.
        account_id: what the seller's own system called the account, if it was asked.
    """

    customer_id: str
    subscription_id: str
    name: str | None = field(default=None, repr=False)
    account_id: str | None = None


def welcome(
    product: Product, language: Language, recipient: Recipient, *, granted: bool, trial: bool
) -> Letter:
    """The account is confirmed.

    Args:
        granted: whether there is access by now; else the letter says when it comes, and that `access_opened`
            will follow.
        trial: whether it is a free trial.
    """
    return _letter("welcome.txt", product, language, recipient, granted=granted, trial=trial)


def access_opened(product: Product, language: Language, recipient: Recipient) -> Letter:
    """AWS has confirmed the subscription; for who was told to wait for that."""
    return _letter("access_opened.txt", product, language, recipient)


def _letter(
    template: str, product: Product, language: Language, recipient: Recipient, **shown: bool
) -> Letter:
    name = _one_line(recipient.name or "")
    written = (
        _TEMPLATES[language]
        .get_template(template)
        .render(
            product=product,
            name="" if _LINK_IN_A_NAME.search(name) else name,
            customer_id=recipient.customer_id,
            subscription_id=recipient.subscription_id,
            account_id=_one_line(recipient.account_id or ""),
            **shown,
        )
    )
    subject, _, text = written.partition("\n")
    # Parts that were left out leave their blank lines behind.
    return Letter(_one_line(subject), re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def _one_line(text: str) -> str:
    """Without line breaks and other control characters: a line break would begin a new header, or a new
    sentence of ours."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
