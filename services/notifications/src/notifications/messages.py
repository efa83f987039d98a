"""What AWS sends us, as far as we read it. The whole shapes stand in openapi/events/; what we do not name is
let be."""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from chassis.times import parse_rfc3339

SOURCE = "aws.agreement-marketplace"


class Moment(fields.Field[Any]):
    """RFC 3339 with an offset, as an aware datetime."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return parse_rfc3339(value)
        except (TypeError, ValueError, OverflowError):
            raise self.make_error("validator_failed") from None


class Flag(fields.Field[Any]):
    """AWS writes this boolean as a string. Anything else tells us nothing, and must not cost a buyer the
    access."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return {"true": True, "false": False}.get(str(value).lower())


class Plain(fields.Field[Any]):
    """A text, number or flag of a notice, as text. Nothing else in it is worth a dead letter."""

    def __init__(self, name: str) -> None:
        super().__init__(load_default=None, allow_none=True, data_key=name)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            return None
        return str(value)[:LONGEST_REMARK].encode(errors="replace").decode()


def _storable(value: str) -> str:
    """Refuse what UTF-8, and so DynamoDB, cannot hold: JSON can spell half a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError("Not a Unicode text.") from None
    return value


LONGEST_TEXT = 255
"""AWS's ids have a tenth of this. Two of them together still fit a DynamoDB key (2,048 bytes)."""


LONGEST_REMARK = 1000
"""What people wrote to each other in a notice is cut after so much; the message itself is kept whole."""


def text(name: str, *, required: bool = False) -> fields.String:
    """A string under AWS's own name."""
    length = validate.Length(1 if required else 0, LONGEST_TEXT)
    if required:
        return fields.String(required=True, data_key=name, validate=[length, _storable])
    return fields.String(load_default=None, allow_none=True, data_key=name, validate=[length, _storable])


def message_id(name: str) -> fields.String:
    """The id that a message is known by: also a part of an address in our API."""
    return fields.String(required=True, data_key=name, validate=[validate.Length(1, 128), _storable])


class Message(Schema):
    class Meta:
        unknown = EXCLUDE


class SnsEnvelope(Message):
    """openapi/events/sns-envelope.schema.json"""

    id = message_id("MessageId")
    time = Moment(required=True, data_key="Timestamp")
    message = fields.String(required=True, data_key="Message")


class SnsMessage(Message):
    """openapi/events/sns-subscription-message.schema.json and sns-entitlement-message.schema.json"""

    action = text("action", required=True)
    product_code = text("product-code", required=True)
    customer_identifier = text("customer-identifier", required=True)
    offer_id = text("offer-identifier")
    free_trial = Flag(load_default=None, allow_none=True, data_key="isFreeTrialTermPresent")


class Agreement(Message):
    id = text("id", required=True)
    status = text("status")
    intent = text("intent")
    accepted_at = Moment(load_default=None, allow_none=True, data_key="acceptanceTime")
    starts_at = Moment(load_default=None, allow_none=True, data_key="startTime")
    ends_at = Moment(load_default=None, allow_none=True, data_key="endTime")
    previous_agreement_id = text("previousAgreementId")


class Party(Message):
    account_id = text("accountId")


class Offer(Message):
    id = text("id")


class AgreementDetail(Message):
    """The `detail` of openapi/events/eventbridge-agreement-event.schema.json"""

    agreement = fields.Nested(Agreement, required=True)
    acceptor = fields.Nested(Party, load_default=None, allow_none=True)
    offer = fields.Nested(Offer, load_default=None, allow_none=True)


class Product(Message):
    code = text("code", required=True)


class License(Message):
    arn = text("arn", required=True)


class LicenseDetail(AgreementDetail):
    """The `detail` of openapi/events/eventbridge-license-event.schema.json"""

    product = fields.Nested(Product, required=True)
    license = fields.Nested(License, required=True)


class NoticeAgreement(Message):
    id = text("id", required=True)
    ends_at = Plain("endTime")
    days_before_end = Plain("daysBeforeEndTime")
    auto_renewal_enabled = Plain("autoRenewalEnabled")


class Advisory(Message):
    issued_at = Plain("issuedAt")
    resolved_at = Plain("resolvedAt")


class RenewalSummary(Message):
    total_contract_value = Plain("tcv")
    currency = Plain("currency")
    terms_finalized_at = Plain("termsFinalizedTime")
    lockout_reached = Plain("lockoutReached")
    lockout_starts_at = Plain("lockoutStartTime")
    renewal_disabled_by = Plain("disabledBy")


class CancellationRequest(Message):
    request_id = Plain("id")
    reason_code = Plain("reasonCode")
    reason_message = Plain("reasonMessage")
    status_code = Plain("statusCode")
    status_message = Plain("statusMessage")
    created_at = Plain("createdAt")
    updated_at = Plain("updatedAt")


class BillingAdjustment(Message):
    request_id = Plain("id")
    amount = Plain("adjustmentAmount")
    currency = Plain("currencyCode")
    reason_code = Plain("adjustmentReasonCode")


class Invoice(Message):
    original_invoice_id = Plain("originalInvoiceId")


def part(schema: type[Schema], name: str) -> fields.Nested:
    return fields.Nested(schema, load_default=None, allow_none=True, data_key=name)


class NoticeDetail(Message):
    """The `detail` of openapi/events/eventbridge-notice.schema.json: of every notice, whichever parts it
    has."""

    agreement = fields.Nested(NoticeAgreement, required=True)
    advisory = part(Advisory, "advisory")
    renewal = part(RenewalSummary, "renewalSummary")
    cancellation = part(CancellationRequest, "agreementCancellationRequest")
    adjustment = part(BillingAdjustment, "billingAdjustmentRequest")
    invoice = part(Invoice, "invoice")


class EventBridgeEvent(Message):
    """openapi/events/eventbridge-agreement-event.schema.json and eventbridge-license-event.schema.json"""

    id = message_id("id")
    name = text("detail-type", required=True)
    source = fields.String(required=True, validate=validate.Equal(SOURCE))
    time = Moment(required=True)
    detail = fields.Dict(required=True)
