"""Which language a reader gets, and that German says all that English says."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import registration
from registration.languages import (
    LANGUAGES,
    day,
    in_language,
    known_language,
    language_for,
    number,
    spoken,
    templates,
    translation,
)

SOURCE = Path(registration.__file__).parent
PLACEHOLDER = re.compile(r"%\(\w+\)s|</?\w+>")


@pytest.mark.parametrize(
    ("asked", "remembered", "accept_language", "language"),
    [
        (None, None, None, "en"),
        ("de", "en", "en", "de"),
        (None, "de", "en", "de"),
        ("", "fr", "de", "de"),
        ("DE", None, None, "en"),
        (None, None, "de", "de"),
        (None, None, "DE-at", "de"),
        (None, None, "fr-FR, de;q=0.5, en;q=0.4", "de"),
        (None, None, "en;q=0.4, de;q=0.5", "de"),
        (None, None, "en, de", "en"),
        (None, None, "de;q=0, en;q=0.1", "en"),
        (None, None, "de; q=0.9, en; q=0.8", "de"),
        (None, None, "de;q=x, en", "en"),
        (None, None, "fr, *;q=0.5", "en"),
        (None, None, ",;=,;q", "en"),
        (None, None, "x" * 500 + ", de", "en"),
    ],
)
def test_the_reader_gets_what_they_chose_or_prefer(
    asked: str | None, remembered: str | None, accept_language: str | None, language: str
) -> None:
    assert language_for(asked, remembered, accept_language) == language


@given(st.text(), st.text(), st.text())
def test_whatever_comes_there_is_a_language(asked: str, remembered: str, accept_language: str) -> None:
    assert language_for(asked, remembered, accept_language) in LANGUAGES
    assert known_language(asked) in (None, *LANGUAGES)


def test_a_text_that_a_language_lacks_is_english_and_says_so() -> None:
    texts = {"en": "Hello"}
    assert (in_language(texts, "de"), spoken(texts, "de")) == ("Hello", "en")
    texts["de"] = "Hallo"
    assert (in_language(texts, "de"), spoken(texts, "de")) == ("Hallo", "de")
    assert in_language({}, "de") == ""


def test_days_are_those_of_utc() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert day(late, "en") == "November 23, 2026"
    assert day(datetime(2026, 3, 1, tzinfo=UTC), "de") == "1. März 2026"


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (1250, "1,250", "1.250"),
        ("0.000001", "0.000001", "0,000001"),
        (Decimal("12.50"), "12.5", "12,5"),
        ("gold", "gold", "gold"),
        ("NaN", "NaN", "NaN"),
    ],
)
def test_numbers_are_written_as_people_do(value: Any, english: str, german: str) -> None:
    assert (number(value, "en"), number(value, "de")) == (english, german)


def test_a_sentence_of_ours_is_translated_and_another_is_left() -> None:
    assert translation("de").gettext("Create account") == "Konto anlegen"
    assert translation("en").gettext("Create account") == "Create account"
    assert translation("de").gettext("Nobody ever said this.") == "Nobody ever said this."


def test_a_sentence_from_python_is_escaped_and_its_percent_signs_stay() -> None:
    template = templates("", "de", html=True).from_string("{{ sentence|said }}")
    assert template.render(sentence="<b>100 %(x)s</b>") == "&lt;b&gt;100 %(x)s&lt;/b&gt;"
    assert template.render(sentence="") == ""


def source_texts() -> set[Any]:
    """All msgids of templates and Python; a plural is a pair."""
    html = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
    found = extract_from_dir(
        SOURCE,
        method_map=[("templates/**.*", "jinja2.ext:babel_extract"), ("*.py", "python")],
        options_map={"templates/**.*": html},
        keywords={"marked": None, "gettext": None, "ngettext": (1, 2)},
    )
    return {message for _, _, message, _, _ in found}


def german() -> Catalog:
    with (SOURCE / "locale" / "de.po").open("rb") as file:
        return read_po(file, locale="de", abort_invalid=True)


def test_german_says_all_that_english_says_and_no_more() -> None:
    translated = {message.id for message in german() if message.id}
    wanted = source_texts()
    assert len(wanted) > 100
    assert wanted - translated == set(), "Texts without German."
    assert translated - wanted == set(), "German of texts that nobody says any more."


def test_no_german_is_empty_fuzzy_or_without_what_it_must_hold() -> None:
    for message in german():
        if not message.id:
            continue
        sources = message.id if isinstance(message.id, tuple) else (message.id,)
        targets = message.string if isinstance(message.string, tuple) else (message.string,)
        assert not message.fuzzy, message.id
        assert len(sources) == len(targets)
        for source, target in zip(sources, targets, strict=True):
            assert target.strip(), source
            # The German of an AWS button stands in brackets behind its English, so nothing is left out.
            assert sorted(PLACEHOLDER.findall(source)) == sorted(PLACEHOLDER.findall(target)), source


def test_no_template_has_words_outside_the_translations() -> None:
    for file in (SOURCE / "templates").rglob("*.*"):
        if file.suffix == ".css":
            continue
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"{#.*?#}|{%-? *trans.*?endtrans *-?%}", " ", text, flags=re.DOTALL)
        text = re.sub(r"{%.*?%}|{{.*?}}|<[^>]*>", " ", text, flags=re.DOTALL)
        # What is left of attributes that a macro writes, and an address.
        text = re.sub(r'[\w-]+="|\b(?:required|true|error|hint)\b|https://\S+', " ", text)
        assert re.findall(r"[A-Za-z]{2,}", text) == [], file.name
