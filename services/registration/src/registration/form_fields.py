"""The questions that a product adds to the registration form, and what is taken for an answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from registration.catalogue_entries import Entry
from registration.languages import Texts, marked

Kind = Literal["text", "choice"]

TAKEN_NAMES = frozenset({"email", "name", "company", "csrf_token"})
"""Members of the form that the page itself has."""

LONGEST_ANSWER = 1000
"""Answers lie in the customer's row, beside what siblings read of it."""
MOST_FIELDS = 20

REQUIRED = marked("Please answer this.")
NOT_A_TEXT = marked("This must be a text.")
TOO_LONG = marked("This is too long; shorten it, please.")
CONTROL_CHARACTERS = marked("No control characters, please.")
NOT_OFFERED = marked("Choose one of the answers that are offered.")
UNKNOWN = marked("This product does not ask this.")


@dataclass(frozen=True)
class Option:
    value: str
    label: Texts


@dataclass(frozen=True)
class FormField:
    """One question.

    Args:
        name: of the form's member, and of the answer in the customer's row.
        label: as people read it.
        kind: `text`, or `choice` of its options.
        max_length: of a text, in characters.
    """

    name: str
    label: Texts
    kind: Kind
    required: bool = False
    max_length: int = 200
    options: tuple[Option, ...] = ()

    def complaint(self, answer: str) -> str | None:
        """What is wrong with an answer that is not empty, as an English sentence of the translations."""
        if self.kind == "choice":
            return None if answer in {option.value for option in self.options} else NOT_OFFERED
        if len(answer) > self.max_length:
            return TOO_LONG
        # What has no UTF-8 (a lone surrogate) cannot be kept; a line break would forge lines in letters.
        if any(
            ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) < 0xE000
            for letter in answer
        ):
            return CONTROL_CHARACTERS
        return None


def answers(
    fields: Sequence[FormField], submitted: Mapping[str, Any], *, refuse_unknown: bool
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Take the answers to a product's questions out of what was submitted.

    Args:
        fields: the questions.
        submitted: an HTML form, or the object `fields` of JSON.
        refuse_unknown: whether a member that is no question is an error. A form has other members too.

    Returns:
        the answers that were given, trimmed; and for each wrong one the English sentences that say why.
    """
    taken: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        answer = submitted.get(field.name)
        if answer is not None and not isinstance(answer, str):
            errors[field.name] = [NOT_A_TEXT]
            continue
        answer = (answer or "").strip()
        if not answer:
            if field.required:
                errors[field.name] = [REQUIRED]
        elif complaint := field.complaint(answer):
            errors[field.name] = [complaint]
        else:
            taken[field.name] = answer
    if refuse_unknown:
        names = {field.name for field in fields}
        errors |= {str(name): [UNKNOWN] for name in submitted if name not in names}
    return taken, errors


def read_fields(registration: Entry) -> tuple[FormField, ...]:
    """Read `fields` of a product's `registration`.

    Raises:
        CatalogueError: a name that is taken, a choice without options, or another mistake.
    """
    found = tuple(_fields(registration))
    if len(found) > MOST_FIELDS:
        raise registration.wrong("fields", f"asks {len(found)} questions; {MOST_FIELDS} are the most.")
    names = [field.name for field in found]
    for name in names:
        if names.count(name) > 1:
            raise registration.wrong("fields", f"has the name {name} twice: give each its own.")
    return found


def _fields(registration: Entry) -> Iterator[FormField]:
    known = ("name", "label", "kind", "required", "max_length", "options")
    for entry in registration.parts("fields", known):
        name = entry.text(
            "name",
            "[a-z][a-z0-9_]{0,39}",
            "must be small letters, digits and underscores, such as team_size.",
        )
        if name in TAKEN_NAMES:
            raise entry.wrong("name", f"must not be {name}: the form has that already. Choose another.")
        kind = entry.choice("kind", ("text", "choice"))
        if not entry.has("label"):
            raise entry.wrong("label", "is missing: write what people read, such as {en: Team size}.")
        yield FormField(
            name=name,
            label=entry.texts("label"),
            kind="choice" if kind == "choice" else "text",
            required=entry.truth("required"),
            max_length=entry.whole_number("max_length", 200, 1, LONGEST_ANSWER),
            options=_options(entry, kind),
        )


def _options(field: Entry, kind: str) -> tuple[Option, ...]:
    options = []
    for entry in field.parts("options", ("value", "label")):
        value = entry.text("value", "[A-Za-z0-9_.-]{1,100}", "must be letters, digits, dots and dashes.")
        if not entry.has("label"):
            raise entry.wrong("label", "is missing: write what people read, such as {en: Up to ten}.")
        options.append(Option(value, entry.texts("label")))
    if kind == "choice" and len({option.value for option in options}) < max(2, len(options)):
        raise field.wrong("options", "must be two or more, each with a value of its own.")
    if kind == "text" and options:
        raise field.wrong("options", "belongs to a choice: write `kind: choice`, or leave the options out.")
    return tuple(options)
