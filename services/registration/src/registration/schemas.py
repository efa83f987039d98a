"""Wire objects: what a caller sent becomes values of the rules, and those become an answer."""

from datetime import datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, pre_load, validate

from chassis.times import rfc3339
from registration.customers import CustomerDetails, valid_email

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

    @post_load
    def _details(self, data: dict[str, Any], **_: Any) -> CustomerDetails:
        return CustomerDetails(**data)


class CustomerFormSchema(CustomerDetailsSchema):
    """The same from an HTML form, where an untouched field arrives empty and people leave spaces."""

    @pre_load
    def _tidy(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        texts = {name: str(data.get(name, "")).strip() for name in ("email", "name", "company")}
        return {name: text for name, text in texts.items() if text}


class CustomerChangeSchema(Schema):
    class Meta:
        unknown = RAISE

    email = fields.String(validate=_email_is_valid)
    name = fields.String(allow_none=True, validate=_PERSONAL_TEXT)
    company = fields.String(allow_none=True, validate=_PERSONAL_TEXT)


class ProductSchema(Schema):
    product_code = fields.String()
    title = fields.String(allow_none=True)


class RegistrationSchema(Schema):
    """Shows ids and the product; of the customer no more than the id."""

    registration_id = fields.String()
    status = fields.String()
    product = fields.Nested(ProductSchema)
    subscription_id = fields.String(attribute="purchase.subscription_id")
    customer_id = fields.String(allow_none=True)
    offer_type = fields.String(allow_none=True)
    expires_at = Time()


class HeldSubscriptionSchema(Schema):
    subscription_id = fields.String()
    product = fields.Function(lambda held: {"product_code": held.product_code, "title": held.product_title})
    status = fields.String()
    access = fields.String()


class CustomerSchema(Schema):
    customer_id = fields.String()
    status = fields.String()
    email = fields.String()
    name = fields.String(allow_none=True)
    company = fields.String(allow_none=True)
    created_at = Time()
    updated_at = Time()
    version = fields.Integer()
