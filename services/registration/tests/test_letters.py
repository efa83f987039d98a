"""The letters: what they say, in both languages, and what cannot be put into them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registration.branding import Branding
from registration.catalogue import Catalogue, Product, Support, read_catalogue
from registration.languages import LANGUAGES, Language
from registration.letters import Letter, Recipient, access_opened, welcome

ADA = Recipient(customer_id="cus_1", subscription_id="sub_1", name="Ada Lovelace", account_id="acct-42")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The example products."""
    return read_catalogue(Path(__file__).parents[3] / "products.yaml")


@pytest.fixture(scope="module")
def product(catalogue: Catalogue) -> Product:
    found = catalogue.find("5fexampleclassic0000000000")
    assert found
    return found


def both(product: Product, language: Language, recipient: Recipient = ADA, **more: Any) -> list[Letter]:
    more = {"granted": False, "trial": False} | more
    return [welcome(product, language, recipient, **more), access_opened(product, language, recipient)]


def test_the_welcome_says_who_what_when_and_what_next(product: Product) -> None:
    letter = welcome(product, "en", ADA, granted=False, trial=False)
    assert letter.subject == "Your account for Inference Classic is confirmed"
    assert letter.text == (
        "Hello Ada Lovelace,\n\n"
        "thank you for subscribing to Inference Classic on AWS Marketplace. Your account is set up.\n\n"
        "You will have access as soon as AWS Marketplace confirms the subscription: usually within minutes. "
        "We write to you then.\n\n"
        "Open Inference Classic: https://app.seller.example\n\n"
        "Sign in with the e-mail address that you gave here, create an API key and send your first request."
        "\n\n"
        "AWS bills you; you can manage the subscription here: "
        "https://console.aws.amazon.com/marketplace/home#/subscriptions\n\n"
        "Questions? Write to support@seller.example or see https://seller.example/support.\n\n"
        "If you write to us, quote these:\n\n"
        "Customer: cus_1\nSubscription: sub_1\nAccount: acct-42\n\n"
        "Example Seller\n"
    )


def test_where_access_is_there_the_welcome_says_so_and_promises_no_second_letter(product: Product) -> None:
    text = welcome(product, "en", ADA, granted=True, trial=True).text
    assert "You have access now." in text
    assert "We write to you then" not in text
    assert "free trial" in text


def test_the_second_letter_says_that_access_has_come(product: Product) -> None:
    letter = access_opened(product, "de", ADA)
    assert letter.subject == "Sie haben jetzt Zugang zu Inference Classic"
    assert "Guten Tag Ada Lovelace," in letter.text
    assert "Melden Sie sich mit der hier angegebenen E-Mail-Adresse an" in letter.text
    assert "Kunde: cus_1" in letter.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_is_tidy(product: Product, language: Language) -> None:
    for letter in both(product, language, trial=True):
        assert letter.subject == letter.subject.strip() != ""
        assert "\n\n\n" not in letter.text
        assert not letter.text.startswith("\n")
        assert letter.text.endswith("Seller\n")
        for left in ("{{", "{%", "None", "&amp;", "%("):
            assert left not in letter.subject + letter.text


def test_what_a_product_lacks_is_left_out(product: Product) -> None:
    bare = replace(product, branding=Branding(), support=Support("help@seller.example"))
    letter = welcome(bare, "en", Recipient("cus_1", "sub_1"), granted=True, trial=False)
    assert "Hello,\n" in letter.text
    assert "Questions? Write to help@seller.example.\n" in letter.text
    assert letter.text.endswith("Subscription: sub_1\n")


@pytest.mark.parametrize(
    "name",
    [
        "Win at https://evil.example",
        "evil.example",
        "www.evil.example/x",
        "me@evil.example",
        "<a>",
        "tel:0800",
    ],
)
def test_a_name_makes_no_link(product: Product, name: str) -> None:
    for letter in both(product, "en", Recipient("cus_1", "sub_1", name)):
        assert name not in letter.text
        assert "evil" not in letter.text
        assert letter.text.startswith("Hello,\n")


@pytest.mark.parametrize(
    "name", ["Ada\nBcc: eve@x", "Ada\r\n\r\nPay here", "Ada\x00\u2028B", "{{ 7 * 7 }}", "100 %(x)s"]
)
def test_a_name_changes_nothing_but_the_greeting(product: Product, name: str) -> None:
    clean = both(product, "en")
    for letter, expected in zip(both(product, "en", Recipient("cus_1", "sub_1", name)), clean, strict=True):
        assert letter.subject == expected.subject
        greeting, _, rest = letter.text.partition("\n")
        assert greeting.startswith("Hello")
        assert "49" not in greeting
        assert rest == expected.text.partition("\n")[2].replace("Account: acct-42\n", "")


def test_a_subject_is_one_line(product: Product) -> None:
    odd = replace(product, title="A\r\nBcc: eve@evil.example\u2028B")
    for letter in both(odd, "en"):
        assert len(letter.subject.splitlines()) == 1
        assert letter.subject.isprintable()


def test_a_letter_is_not_printed_by_accident(product: Product) -> None:
    assert "Ada" not in repr(welcome(product, "en", ADA, granted=True, trial=False)) + repr(ADA)
