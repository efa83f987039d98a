"""English and German: which one a reader gets, and what stands in it.

English is the source text, in the templates and in sentences that are `marked`; German is `locale/de.po`,
read once, at start. A text that German lacks is shown in English.
"""

import gettext
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import jinja2
from babel import negotiate_locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES: Mapping[Language, str] = {"en": "English", "de": "Deutsch"}

Texts = Mapping[str, str]
"""A seller's own text by language; English is always there."""

_HOME = Path(__file__).parent

# A header longer than this is no browser's; reading it whole would be work for nobody.
_LONGEST_ACCEPT_LANGUAGE = 500


def marked(sentence: str) -> str:
    """Marks an English sentence that is translated where it is shown: a test looks for its German."""
    return sentence


def known_language(tag: str | None) -> Language | None:
    """The language that this text names, exactly; None for anything else, however long or odd."""
    return next((language for language in LANGUAGES if language == tag), None)


def language_for(asked: str | None, remembered: str | None, accept_language: str | None) -> Language:
    """The language that a reader gets: what they chose now, else what they chose before, else what their
    browser prefers, else English.

    Args:
        asked: `lang` of the query.
        remembered: the cookie's value.
        accept_language: the header (RFC 9110 §12.5.4).
    """
    preferred = negotiate_locale(_in_order(accept_language or ""), LANGUAGES, sep="-")
    chosen = known_language(asked) or known_language(remembered) or known_language((preferred or "").lower())
    return chosen or "en"


def _in_order(accept_language: str) -> Iterator[str]:
    """The header's language tags, the best quality first, without those that are not wanted (`q=0`)."""
    ranked = []
    for part in accept_language[:_LONGEST_ACCEPT_LANGUAGE].split(","):
        tag, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if tag.strip() and 0 < quality <= 1:
            ranked.append((quality, tag.strip()))
    # The sort is stable: equal ones keep the browser's order.
    yield from (tag for _, tag in sorted(ranked, key=lambda pair: -pair[0]))


def in_language(texts: Texts, language: Language) -> str:
    """A seller's own text; English where this language lacks it, empty where there is none at all."""
    return texts.get(language) or texts.get("en", "")


def spoken(texts: Texts, language: Language) -> Language:
    """The language that `in_language` answers in, which a page has to say where it is not its own."""
    return language if texts.get(language) else "en"


@lru_cache
def translation(language: Language) -> gettext.NullTranslations:
    """What gettext says in this language."""
    if language == "en":
        return gettext.NullTranslations()
    with (_HOME / "locale" / f"{language}.po").open("rb") as source:
        compiled = io.BytesIO()
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def day(moment: datetime, language: Language) -> str:
    """The day in UTC, as people write it: `November 22, 2026` or `22. November 2026`."""
    return format_date(moment.astimezone(UTC).date(), "long", locale=language)


def number(value: str | int | float | Decimal, language: Language) -> str:
    """`1,250.5` or `1.250,5`, with all digits that there are; a text that is no number stays as it is."""
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return (
        format_decimal(exact, locale=language, decimal_quantization=False)
        if exact.is_finite()
        else str(value)
    )


def templates(folder: str, language: Language, *, html: bool) -> jinja2.Environment:
    """The templates of one language. What a template shows and was not given is an error, not a gap.

    Args:
        folder: below `templates/`; empty for all of it.
        html: escape what is shown.
    """
    environment = jinja2.Environment(  # nosec B701 # letters have a plain text, too; pages say html=True
        loader=jinja2.FileSystemLoader(_HOME / "templates" / folder),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=html,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    said = translation(language)
    # The extension adds this method to the environment; its types do not know it.
    install: Any = environment.install_gettext_translations  # type: ignore[attr-defined]
    install(said, newstyle=True)
    environment.globals |= {"language": language, "languages": NAMES}
    environment.filters |= {
        # Sentences that come from Python. Not gettext as templates have it: that one takes its text for
        # safe. And gettext's answer to an empty text is the head of its file.
        "said": lambda sentence: said.gettext(sentence) if sentence else "",
        "in_language": lambda texts: in_language(texts, language),
        "spoken": lambda texts: spoken(texts, language),
        "day": lambda moment: day(moment, language),
        "number": lambda value: number(value, language),
    }
    return environment
