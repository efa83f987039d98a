"""Wire objects: what a caller sent becomes values of the rules, and those become an answer."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, pre_load, validate

from chassis.times import rfc3339
from registration.catalogue import Product
from registration.customers import CustomerDetails, valid_email
from registration.entitlements import Entitlement
from registration.languages import LANGUAGES
from registration.registrations import Registration

_EMAIL_MESSAGE = "Enter an e-mail address, such as ada@example.com."
_PERSONAL_TEXT = (
    validate.Length(min=1, max=200, error="At most 200 characters."),
    validate.Regexp(r"[^\x00-\x1f\x7f]+\Z", error="No control characters, please."),
)


class Time(fields.Field[datetime]):
    """An aware datetime as RFC 3339 with `Z`."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return rfc3339(value) if value else None


def _email_is_valid(text: str) -> None:
    if not valid_email(text):
        raise ValidationError(_EMAIL_MESSAGE)


class CustomerDetailsSchema(Schema):
    """What a buyer tells about themself, by JSON or by form."""

    class Meta:
        unknown = RAISE

    email = fields.String(
        required=True,
        validate=_email_is_valid,
        error_messages={"required": _EMAIL_MESSAGE, "null": _EMAIL_MESSAGE},
    )
    name = fields.String(load_default=None, validate=_PERSONAL_TEXT)
    company = fields.String(load_default=None, validate=_PERSONAL_TEXT)
    # Which there are, and what they take, the product says (`form_fields.py`).
    fields_ = fields.Dict(
        keys=fields.String(), values=fields.String(), load_default=dict, data_key="fields", attribute="fields"
    )
    language = fields.String(load_default="en", validate=validate.OneOf(LANGUAGES))

    @post_load
    def _details(self, data: dict[str, Any], **_: Any) -> CustomerDetails:
        return CustomerDetails(**data)


class CustomerFormSchema(CustomerDetailsSchema):
    """The same from an HTML form, where an untouched field arrives empty and people leave spaces."""

    @pre_load
    def _tidy(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        texts = {name: str(data.get(name, "")).strip() for name in ("email", "name", "company")}
        tidy: dict[str, Any] = {name: text for name, text in texts.items() if text}
        return tidy | {"fields": data["fields"], "language": data["language"]}


class CustomerChangeSchema(Schema):
    class Meta:
        unknown = RAISE

    email = fields.String(validate=_email_is_valid)
    name = fields.String(allow_none=True, validate=_PERSONAL_TEXT)
    company = fields.String(allow_none=True, validate=_PERSONAL_TEXT)
    account_id = fields.String(allow_none=True, validate=_PERSONAL_TEXT)


class EntitlementSchema(Schema):
    dimension = fields.String()
    type = fields.String()
    value = fields.String()
    expires_at = Time(allow_none=True)


class RegistrationSchema(Schema):
    """Shows ids and the product; of the customer no more than the id."""

    registration_id = fields.String()
    status = fields.String()
    subscription_id = fields.String(attribute="purchase.subscription_id")
    customer_id = fields.String(allow_none=True)
    offer_type = fields.String(allow_none=True)
    hand_over = fields.Function(lambda registration: _hand_over(registration))
    expires_at = Time()


def _hand_over(registration: Registration) -> dict[str, str | None] | None:
    if registration.handing_over:
        return {"status": "pending", "detail": None}
    if registration.refusal is not None and registration.customer_id is None:
        return {"status": "refused", "detail": registration.refusal or None}
    return None


class HeldSubscriptionSchema(Schema):
    subscription_id = fields.String()
    product = fields.Function(lambda held: {"product_code": held.product_code, "title": held.product_title})
    status = fields.String()
    access = fields.String()
    previous_subscription_id = fields.String(allow_none=True)
    next_subscription_id = fields.String(allow_none=True)


class SubscriptionAccessSchema(HeldSubscriptionSchema):
    can_pay = fields.Boolean()
    free_trial = fields.Boolean()
    trial_ends_at = Time(allow_none=True)
    agreement_ends_at = Time(allow_none=True)
    entitlements = fields.Nested(EntitlementSchema, many=True, allow_none=True)
    entitlements_as_of = Time(allow_none=True)


class CustomerSchema(Schema):
    customer_id = fields.String()
    status = fields.String()
    email = fields.String()
    name = fields.String(allow_none=True)
    company = fields.String(allow_none=True)
    account_id = fields.String(allow_none=True)
    fields_ = fields.Dict(data_key="fields", attribute="fields")
    created_at = Time()
    updated_at = Time()
    version = fields.Integer()


class ExportedCustomerSchema(CustomerSchema):
    class Meta:
        exclude = ("status",)

    language = fields.String()


class ExportedClaimSchema(Schema):
    subscription_id = fields.String()
    product_code = fields.String()
    customer_aws_account_id = fields.String(allow_none=True)
    registration_id = fields.String()
    claimed_at = Time()


class OutboxItemSchema(Schema):
    """Never the payload, which may hold personal data."""

    outbox_id = fields.String()
    kind = fields.String()
    subscription_id = fields.String()
    customer_id = fields.String(allow_none=True)
    created_at = Time()
    due_at = Time()
    attempts = fields.Integer()
    last_error = fields.String(allow_none=True)


def entitlements_shown(entitlements: Iterable[Entitlement], product: Product) -> list[dict[str, Any]]:
    """As the pages show them: titles and units of the catalogue, values as people read them."""
    return [
        {
            "dimension_title": product.dimension_title(one.dimension),
            "unit": product.dimensions[one.dimension].unit if one.dimension in product.dimensions else "",
            "value": _for_people(one),
            "expires_at": one.expires_at,
        }
        for one in entitlements
    ]


def _for_people(entitlement: Entitlement) -> Any:
    match entitlement.type:
        case "boolean":
            return entitlement.value == "true"
        case "integer" | "double":
            return Decimal(entitlement.value)
        case _:
            return entitlement.value
