"""A product's own questions: asked rightly, answered rightly, or refused in a sentence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration import form_fields
from registration.catalogue_entries import CatalogueError, Entry
from registration.form_fields import FormField, Option, answers, read_fields

SIZES = (Option("small", {"en": "Small"}), Option("large", {"en": "Large"}))
FIELDS = (
    FormField("purpose", {"en": "What for?"}, "text", required=True, max_length=10),
    FormField("team_size", {"en": "Team size"}, "choice", options=SIZES),
)


def given_by_form(**members: Any) -> Any:
    return answers(FIELDS, members, refuse_unknown=False)


def given_by_json(**members: Any) -> Any:
    return answers(FIELDS, members, refuse_unknown=True)


def test_answers_are_taken_trimmed_and_the_rest_of_a_form_is_left() -> None:
    taken = given_by_form(purpose="  Search ", team_size="small", email="a@b.example", csrf_token="x")
    assert taken == ({"purpose": "Search", "team_size": "small"}, {})


@pytest.mark.parametrize("nothing", [{}, {"team_size": ""}, {"team_size": "  "}, {"team_size": None}])
def test_what_is_not_required_may_be_left_out(nothing: dict[str, Any]) -> None:
    assert given_by_json(purpose="x", **nothing) == ({"purpose": "x"}, {})


@pytest.mark.parametrize(
    ("members", "errors"),
    [
        ({}, {"purpose": [form_fields.REQUIRED]}),
        ({"purpose": " \t"}, {"purpose": [form_fields.REQUIRED]}),
        ({"purpose": "x" * 11}, {"purpose": [form_fields.TOO_LONG]}),
        ({"purpose": "a\nb"}, {"purpose": [form_fields.CONTROL_CHARACTERS]}),
        ({"purpose": "a\x85b"}, {"purpose": [form_fields.CONTROL_CHARACTERS]}),
        ({"purpose": "a\ud800b"}, {"purpose": [form_fields.CONTROL_CHARACTERS]}),
        ({"purpose": ["x"]}, {"purpose": [form_fields.NOT_A_TEXT]}),
        ({"purpose": 0}, {"purpose": [form_fields.NOT_A_TEXT]}),
        ({"purpose": "x", "team_size": "Small"}, {"team_size": [form_fields.NOT_OFFERED]}),
        ({"purpose": "x", "size": "small"}, {"size": [form_fields.UNKNOWN]}),
    ],
)
def test_a_wrong_answer_is_named(members: dict[str, Any], errors: dict[str, list[str]]) -> None:
    assert given_by_json(**members)[1] == errors


def test_one_wrong_answer_does_not_hide_another() -> None:
    taken, errors = given_by_json(team_size="?", other="x")
    assert (taken, set(errors)) == ({}, {"purpose", "team_size", "other"})


@given(st.dictionaries(st.sampled_from(["purpose", "team_size", "x"]), st.text() | st.none() | st.integers()))
def test_whatever_comes_each_question_is_answered_or_complained_of(members: dict[str, Any]) -> None:
    taken, errors = answers(FIELDS, members, refuse_unknown=True)
    assert not taken.keys() & errors.keys()
    assert "purpose" in taken.keys() | errors.keys()
    assert ("x" in errors) is ("x" in members)
    for answer in taken.values():
        assert answer
        assert answer == answer.strip()
        assert answer.encode()


def asked(*fields: Any) -> tuple[FormField, ...]:
    return read_fields(Entry({"fields": list(fields)}, "products[0].registration"))


TEXT = {"name": "purpose", "label": {"en": "What for?", "de": "Wofür?"}, "kind": "text"}
CHOICE = {
    "name": "size",
    "label": {"en": "Size"},
    "kind": "choice",
    "options": [{"value": "s", "label": {"en": "S"}}, {"value": "l", "label": {"en": "L"}}],
}


def test_questions_are_read_in_their_order() -> None:
    text, choice = asked(TEXT | {"required": True, "max_length": 50}, CHOICE)
    assert text == FormField("purpose", {"en": "What for?", "de": "Wofür?"}, "text", True, 50)
    assert choice.options == (Option("s", {"en": "S"}), Option("l", {"en": "L"}))
    assert read_fields(Entry({}, "products[0].registration")) == ()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (["purpose"], r"fields\[0\] of the catalogue must be a mapping"),
        ([TEXT, TEXT], "has the name purpose twice"),
        ([TEXT | {"name": f"q{number}"} for number in range(21)], "asks 21 questions; 20 are the most"),
        ([TEXT | {"name": "Purpose"}], "must be small letters"),
        *(
            ([TEXT | {"name": taken}], f"must not be {taken}: the form has that already")
            for taken in ("email", "name", "company", "csrf_token")
        ),
        ([TEXT | {"kind": "number"}], "kind .* must be `text` or `choice`"),
        ([{"name": "purpose", "kind": "text"}], "label .* is missing"),
        ([TEXT | {"label": {"de": "Wofür?"}}], "label.en .* is missing"),
        ([TEXT | {"required": "yes"}], "must be true or false, not 'yes'"),
        ([TEXT | {"max_length": 1001}], "whole number from 1 to 1000, not 1001"),
        ([TEXT | {"max_length": True}], "whole number from 1 to 1000, not True"),
        ([TEXT | {"options": CHOICE["options"]}], "belongs to a choice"),
        ([CHOICE | {"options": []}], "must be two or more"),
        (
            [CHOICE | {"options": [CHOICE["options"][0]] * 2}],
            "must be two or more, each with a value of its own",
        ),
        ([CHOICE | {"options": [{"value": "a b", "label": {"en": "x"}}]}], "must be letters, digits"),
        ([CHOICE | {"options": [{"value": "a"}]}], r"options\[0\].label .* is missing"),
        ([TEXT | {"hint": "x"}], "has hint, which nobody reads"),
    ],
)
def test_a_bad_question_says_what_to_mend(fields: list[Any], says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        asked(*fields)
