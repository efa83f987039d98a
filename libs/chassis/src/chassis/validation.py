"""Requests checked against the contract, JSON bodies by a compiled validator; every mistake has its place.

Connexion's own validator is Python's jsonschema, compiled anew for each request, and reports the first
mistake only.
"""

from typing import Any

import jsonschema_rs
import orjson
from connexion.datastructures import MediaTypeDict
from connexion.exceptions import BadRequestProblem
from connexion.validators import VALIDATOR_MAP
from connexion.validators.form_data import FormDataValidator
from connexion.validators.parameter import ParameterValidator
from jsonschema import ValidationError
from starlette.types import Receive, Scope

from chassis.async_operations import DOCUMENT
from chassis.bodies import replayed, whole_body
from chassis.logs import is_secret
from chassis.problems import Problem

# On an array of a request body: its items are checked one by one by the operation, so that a good item is
# never refused for a bad neighbour. The items' schema still stands in the contract for whoever sends them.
ROWS_CHECKED_ONE_BY_ONE = "x-rows-checked-one-by-one"

# On the schema of a request body: its bytes go to the operation unread, which keeps also what is no JSON.
READ_BY_THE_OPERATION = "x-read-by-the-operation"

# Against a body that is wrong everywhere: the answer stays small.
MOST_MISTAKES_NAMED = 20


def compile_schema(schema: dict[str, Any]) -> Any:
    """A jsonschema-rs validator of an OpenAPI 3.0 schema without references, formats checked."""
    return jsonschema_rs.Draft4Validator(_as_json_schema(schema), validate_formats=True)


def mistakes(validator: Any, instance: Any, at: str = "") -> list[dict[str, str]]:
    """Where and why an instance breaks a compiled schema: `{in, path, reason}` each; empty when it does
    not."""
    if validator.is_valid(instance):
        return []
    found = []
    for error in validator.iter_errors(instance):
        pointer = "".join(
            "/" + str(step).replace("~", "~0").replace("/", "~1") for step in error.instance_path
        )
        found.append({"in": "body", "path": at + pointer or "/", "reason": _reason(error)})
        if len(found) == MOST_MISTAKES_NAMED:
            break
    return found


def invalid_body(errors: list[dict[str, str]]) -> Problem:
    places = "1 place is wrong." if len(errors) == 1 else f"{len(errors)} places are wrong."
    return Problem(400, "invalid-request", "The request does not fit the contract.", places, errors=errors)


def unreadable_body(reason: str) -> Problem:
    return Problem(
        400,
        "invalid-request",
        "The request does not fit the contract.",
        "The body is not JSON.",
        errors=[{"in": "body", "path": "/", "reason": reason}],
    )


def _reason(error: Any) -> str:
    """What is wrong, in the validator's words. They quote the value, which an answer must not do with a
    secret one, nor with a whole object or body, which may hold one."""
    whole = isinstance(error.instance, dict | list) or not error.instance_path
    if any(is_secret(step) for step in error.instance_path) or (
        whole and error.kind.name not in _KEYWORDS_NAMING_PROPERTIES
    ):
        return f"does not satisfy `{error.kind.name}`"
    return _shorten(error.message)


# Their messages name properties and quote no value.
_KEYWORDS_NAMING_PROPERTIES = ("required", "additionalProperties")


def _shorten(text: str, most: int = 300) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# In OpenAPI only, or words for people.
_NOT_VALIDATED = ("nullable", "example", "examples", "default")


def _as_json_schema(schema: Any) -> Any:
    """OpenAPI 3.0 says `nullable`; JSON Schema says it with a type."""
    if isinstance(schema, list):
        return [_as_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    translated: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NOT_VALIDATED or (key == "items" and schema.get(ROWS_CHECKED_ONE_BY_ONE)):
            continue
        if key == "properties":  # its keys are names, not keywords: a property may be called `default`
            translated[key] = {name: _as_json_schema(inner) for name, inner in value.items()}
        else:
            translated[key] = value if key == "enum" else _as_json_schema(value)
    if schema.get("nullable") is not True:
        return translated
    if (
        isinstance(translated.get("type"), str)
        and not {"enum", "allOf", "anyOf", "oneOf", "not"} & translated.keys()
    ):
        # Mistakes within are then named at their own place, which `anyOf` would hide.
        return translated | {"type": [translated["type"], "null"]}
    return {"anyOf": [translated, {"type": "null"}]}


class _CompiledSchemas:
    """One compiled validator for each schema object of a running contract."""

    def __init__(self) -> None:
        self._by_identity: dict[int, tuple[dict[str, Any], Any]] = {}

    def of(self, schema: dict[str, Any]) -> Any:
        known = self._by_identity.get(id(schema))
        if known is None or known[0] is not schema:
            known = (schema, compile_schema(schema))
            self._by_identity[id(schema)] = known
        return known[1]


_compiled = _CompiledSchemas()


class JsonBodyValidator:
    """What Connexion calls for a JSON body: reads it whole, checks it, and hands the same bytes on."""

    def __init__(
        self, *, schema: dict[str, Any], required: bool = False, nullable: bool = False, **_unused: Any
    ) -> None:
        self._unread = schema.get(READ_BY_THE_OPERATION) is True
        self._validator = _compiled.of(schema)
        self._required = required
        self._nullable = nullable

    async def wrap_receive(self, receive: Receive, *, scope: Scope) -> tuple[Receive, Scope]:
        if self._unread:
            return receive, scope
        body = await whole_body(receive)
        if body:
            try:
                document = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise unreadable_body(str(error)) from None
            if not (document is None and self._nullable):
                errors = mistakes(self._validator, document)
                if errors:
                    raise invalid_body(errors)
            scope.setdefault("state", {})[DOCUMENT] = document
        elif self._required:
            raise unreadable_body("A body is needed.")
        return replayed(body, receive), scope


class Parameters(ParameterValidator):  # type: ignore[misc]
    """Checks path, query, headers and cookies as Connexion does, but names every one that is wrong."""

    def validate_request(self, request: Any) -> None:
        errors = []
        # An exploded object of parameters says that whatever comes is taken.
        open_query = any(one["schema"].get("type") == "object" for one in self.parameters.get("query", []))
        if self.strict_validation and not open_query:
            for name in sorted(self.validate_query_parameter_list(request, self.security_query_params)):
                errors.append({"in": "query", "path": name, "reason": "There is no such parameter."})
        for place in ("query", "path", "header", "cookie"):
            for parameter in self.parameters.get(place, []):
                if place == "query" and parameter["schema"].get("type") == "object":
                    continue  # Connexion would look for one parameter of that name
                wrong = getattr(self, f"validate_{place}_parameter")(parameter, request)
                if wrong:
                    # A cookie travels in a header. Neither is quoted: they carry sessions and keys.
                    silent = place in ("header", "cookie") or is_secret(parameter["name"])
                    reason = "does not fit its schema" if silent else wrong.splitlines()[0]
                    where = "header" if place == "cookie" else place
                    errors.append({"in": where, "path": parameter["name"], "reason": reason})
        if errors:
            raise invalid_body(
                [
                    {name: _shorten(text) for name, text in error.items()}
                    for error in errors[:MOST_MISTAKES_NAMED]
                ]
            )


class FormValidator(FormDataValidator):  # type: ignore[misc]
    """Checks a form as Connexion does, but quotes nothing: forms bring registration tokens."""

    def _validate_params_strictly(self, data: dict[str, Any]) -> None:
        # Connexion refuses every field that is not named, even where the schema is open: a field that AWS
        # adds to its form one day would stop every buyer.
        if self._schema.get("additionalProperties", True) is False:
            super()._validate_params_strictly(data)

    def _validate(self, body: Any) -> None:
        try:
            super()._validate(body)
        except BadRequestProblem as refusal:
            wrong = refusal.__context__
            if not isinstance(wrong, ValidationError):
                raise
            path = "".join(f"/{step}" for step in wrong.absolute_path) or "/"
            reason = f"does not satisfy `{wrong.validator}`"
            raise invalid_body([{"in": "body", "path": path, "reason": reason}]) from None


def validator_map() -> dict[str, Any]:
    """Connexion's map, with parameters, forms and JSON bodies checked by us."""
    bodies = VALIDATOR_MAP["body"]
    ours = {
        "*/*json": JsonBodyValidator,
        "application/json": JsonBodyValidator,
        "application/x-www-form-urlencoded": FormValidator,
    }
    return {"parameter": Parameters, "body": MediaTypeDict({**bodies, **ours})}
