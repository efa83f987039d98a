"""The DynamoDB tables: our own, and the sibling's published `subscriptions`, which is only read."""

import random
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal, cast

import structlog
from pynamodb.attributes import ListAttribute, NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, GetError, PutError, PynamoDBException, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chassis.auth import ApiKey
from chassis.aws import error_code
from chassis.problems import Unavailable
from chassis.tables import TimeAttribute, decode_cursor, encode_cursor, foreign_cursor, read_page
from registration.catalogue import Generation
from registration.claims import Claim
from registration.customers import Customer, email_key
from registration.registrations import Registration, RegistrationExpired
from registration.resolved_purchase import ResolvedPurchase
from registration.subscription_access import Access, PublishedSubscription

log = structlog.get_logger()

# An expired registration stays readable for this long, so that a late buyer hears "expired" and not
# "unknown", and support can look up what a buyer quotes. Then DynamoDB's TTL removes it.
KEPT_AFTER_EXPIRY = timedelta(days=1)

# DynamoDB cancels one of two transactions that touch one item at the same moment; the next try finds a
# settled state.
_TRIES = 5
_NOT_NOW = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class RegistrationRow(Model):
    class Meta:
        table_name = "registrations"

    registration_id = UnicodeAttribute(hash_key=True)
    secret_hash = UnicodeAttribute()
    subscription_id = UnicodeAttribute()
    product_code = UnicodeAttribute()
    generation = UnicodeAttribute()
    customer_aws_account_id = UnicodeAttribute(null=True)
    customer_identifier = UnicodeAttribute(null=True)
    license_arn = UnicodeAttribute(null=True)
    agreement_id = UnicodeAttribute(null=True)
    offer_type = UnicodeAttribute(null=True)
    customer_id = UnicodeAttribute(null=True)
    created_at = TimeAttribute()
    expires_at = TimeAttribute()
    delete_after = TTLAttribute()


class ClaimRow(Model):
    class Meta:
        table_name = "claims"

    subscription_id = UnicodeAttribute(hash_key=True)
    customer_id = UnicodeAttribute()
    registration_id = UnicodeAttribute()
    product_code = UnicodeAttribute()
    claimed_at = TimeAttribute()


class CustomersByEmail(GlobalSecondaryIndex["CustomerRow"]):
    class Meta:
        index_name = "by-email"
        projection = AllProjection()

    # Absent from tombstones, so the index forgets the deleted by itself.
    email_key = UnicodeAttribute(hash_key=True, attr_name="private_email_key")


class CustomerRow(Model):
    """Published: `openapi/tables/customers.schema.json`."""

    class Meta:
        table_name = "customers"

    customer_id = UnicodeAttribute(hash_key=True)
    status = UnicodeAttribute()
    email = UnicodeAttribute(null=True)
    email_key = UnicodeAttribute(null=True, attr_name="private_email_key")
    name = UnicodeAttribute(null=True)
    company = UnicodeAttribute(null=True)
    subscription_ids = ListAttribute(of=UnicodeAttribute)
    created_at = TimeAttribute()
    updated_at = TimeAttribute()
    version = NumberAttribute()
    by_email = CustomersByEmail()


class ApiKeyRow(ApiKey):
    class Meta:
        table_name = "registration-api-keys"


class SubscriptionRow(Model):
    """The sibling's row (`openapi/tables/subscriptions.schema.json`), as far as we read it."""

    class Meta:
        table_name = "subscriptions"

    subscription_id = UnicodeAttribute(hash_key=True)
    product_code = UnicodeAttribute()
    status = UnicodeAttribute()
    access = UnicodeAttribute()


OWN_MODELS: list[type[Model]] = [RegistrationRow, ClaimRow, CustomerRow, ApiKeyRow]
ALL_MODELS: list[type[Model]] = [*OWN_MODELS, SubscriptionRow]


class Tables:
    """Reads and writes. Every read that a decision follows from is consistent.

    Args:
        connection: for transactions, which belong to no single model.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep_registration(self, registration: Registration) -> None:
        # Unconditional: the id has 130 random bits, and a repeated write is the same write.
        _registration_row(registration).save()

    def registration(self, registration_id: str) -> Registration | None:
        row = _get(RegistrationRow, registration_id)
        return _registration(row) if row else None

    def claim_of(self, subscription_id: str) -> Claim | None:
        row = _get(ClaimRow, subscription_id)
        return _claim(row) if row else None

    def claims_of(self, subscription_ids: Iterable[str]) -> dict[str, Claim]:
        rows = ClaimRow.batch_get(subscription_ids, consistent_read=True)
        return {row.subscription_id: _claim(row) for row in rows}

    def customer(self, customer_id: str) -> Customer | None:
        row = _get(CustomerRow, customer_id)
        return _customer(row) if row else None

    def claim_for_new_customer(self, claim: Claim, customer: Customer, registration_id: str) -> bool:
        """Write claim, customer and registration together.

        A try whose answer was lost is repeated under the same request token, which DynamoDB recognises for
        ten minutes and answers as the success that it was.

        Returns:
            False where the subscription is claimed already; then nothing was written.

        Raises:
            RegistrationExpired: the registration's row is gone.
            Unavailable: other writes were in the way each time.
        """
        for attempt in range(_TRIES):
            try:
                with TransactWrite(
                    connection=self._connection, client_request_token=customer.customer_id
                ) as act:
                    act.save(_claim_row(claim), condition=ClaimRow.subscription_id.does_not_exist())
                    act.save(_customer_row(customer), condition=CustomerRow.customer_id.does_not_exist())
                    act.update(
                        RegistrationRow(registration_id),
                        actions=[RegistrationRow.customer_id.set(customer.customer_id)],
                        condition=RegistrationRow.registration_id.exists(),
                    )
                return True
            except TransactWriteError as error:
                # In the order of the writes above.
                codes = [reason.code if reason else None for reason in error.cancellation_reasons]
                if codes and codes[0] == "ConditionalCheckFailed":
                    return False
                if codes and codes[-1] == "ConditionalCheckFailed":
                    raise RegistrationExpired from error
                in_progress = _code(error) == "TransactionInProgressException"
                if not in_progress and not _NOT_NOW.intersection(codes):
                    raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise Unavailable("Other writes of the same subscription were in the way.")

    def replace_customer(self, before: Customer, after: Customer) -> bool:
        """Write `after` if the row still has `before`'s version; False where it has not."""
        try:
            _customer_row(after).save(condition=CustomerRow.version == before.version)
        except PutError as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def customers(self, limit: int, cursor: str | None) -> tuple[list[Customer], str | None]:
        """One page of active customers, in no order. A scan: for an operator, not on a buyer's path."""
        rows, last = read_page(
            CustomerRow.scan(
                filter_condition=CustomerRow.status == "active",
                limit=limit,
                page_size=limit,
                last_evaluated_key=_going_on(cursor, {"customer_id": None}),
            )
        )
        return [_customer(row) for row in rows], encode_cursor(last)

    def customers_with_email(
        self, email: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]:
        """One page of the customers with this e-mail address. The index lags the table by a moment."""
        key = email_key(email)
        shape = {"customer_id": None, "private_email_key": key}
        rows, last = read_page(
            CustomerRow.by_email.query(
                key, limit=limit, page_size=limit, last_evaluated_key=_going_on(cursor, shape)
            )
        )
        return [_customer(row) for row in rows], encode_cursor(last)

    def published_subscriptions(self, subscription_ids: Iterable[str]) -> dict[str, PublishedSubscription]:
        """What notifications says of these subscriptions now; those without news are left out.

        Raises:
            Unavailable: the sibling's table is not there. To answer "denied" would lock out who has paid.
        """
        try:
            rows = list(SubscriptionRow.batch_get(subscription_ids, consistent_read=True))
        except GetError as error:
            if _code(error) != "ResourceNotFoundException":
                raise
            log.error(
                "The table of subscriptions is not there: is notifications deployed, is TABLE_PREFIX right?"
            )
            raise Unavailable("The table of subscriptions is not there.") from error
        return {
            row.subscription_id: PublishedSubscription(
                subscription_id=row.subscription_id,
                product_code=row.product_code,
                status=row.status,
                access=cast(Access, row.access),
            )
            for row in rows
        }


def _code(error: PynamoDBException) -> str | None:
    # Not pynamodb's own `cause_response_code`: it fails where the cause is a connection that was lost.
    return error_code(error.cause) if error.cause else None


def _going_on(cursor: str | None, shape: Mapping[str, str | None]) -> dict[str, Any] | None:
    """The key of a cursor that this list gave. DynamoDB refuses some other keys; from others it would go on
    somewhere else.

    Args:
        cursor: as it came.
        shape: the attributes of the list's keys, each with its value where all keys of the list share one.

    Raises:
        Problem: 400, another list gave it, or nobody.
    """
    key = decode_cursor(cursor)
    if key is not None and (
        key.keys() != shape.keys()
        or any(key[name] != {"S": value} for name, value in shape.items() if value is not None)
        or any(value.keys() != {"S"} for value in key.values())
    ):
        raise foreign_cursor()
    return key


def _get(model: type[Model], key: str) -> Any:
    try:
        return model.get(key, consistent_read=True)
    except DoesNotExist:
        return None


def _registration_row(registration: Registration) -> RegistrationRow:
    purchase = registration.purchase
    return RegistrationRow(
        registration_id=registration.registration_id,
        secret_hash=registration.secret_hash,
        subscription_id=purchase.subscription_id,
        product_code=purchase.product_code,
        generation=purchase.generation,
        customer_aws_account_id=purchase.customer_aws_account_id,
        customer_identifier=purchase.customer_identifier,
        license_arn=purchase.license_arn,
        agreement_id=purchase.agreement_id,
        offer_type=registration.offer_type,
        customer_id=registration.customer_id,
        created_at=registration.created_at,
        expires_at=registration.expires_at,
        delete_after=registration.expires_at + KEPT_AFTER_EXPIRY,
    )


def _registration(row: RegistrationRow) -> Registration:
    return Registration(
        registration_id=row.registration_id,
        secret_hash=row.secret_hash,
        purchase=ResolvedPurchase(
            subscription_id=row.subscription_id,
            product_code=row.product_code,
            generation=cast(Generation, row.generation),
            customer_aws_account_id=row.customer_aws_account_id,
            customer_identifier=row.customer_identifier,
            license_arn=row.license_arn,
            agreement_id=row.agreement_id,
        ),
        offer_type=row.offer_type,
        created_at=row.created_at,
        expires_at=row.expires_at,
        customer_id=row.customer_id,
    )


def _claim_row(claim: Claim) -> ClaimRow:
    return ClaimRow(
        subscription_id=claim.subscription_id,
        customer_id=claim.customer_id,
        registration_id=claim.registration_id,
        product_code=claim.product_code,
        claimed_at=claim.claimed_at,
    )


def _claim(row: ClaimRow) -> Claim:
    return Claim(
        subscription_id=row.subscription_id,
        customer_id=row.customer_id,
        registration_id=row.registration_id,
        product_code=row.product_code,
        claimed_at=row.claimed_at,
    )


def _customer_row(customer: Customer) -> CustomerRow:
    return CustomerRow(
        customer_id=customer.customer_id,
        status=customer.status,
        email=customer.email,
        email_key=email_key(customer.email) if customer.email else None,
        name=customer.name,
        company=customer.company,
        subscription_ids=list(customer.subscription_ids),
        created_at=customer.created_at,
        updated_at=customer.updated_at,
        version=customer.version,
    )


def _customer(row: CustomerRow) -> Customer:
    return Customer(
        customer_id=row.customer_id,
        status=cast(Literal["active", "deleted"], row.status),
        email=row.email,
        name=row.name,
        company=row.company,
        subscription_ids=tuple(str(one) for one in row.subscription_ids),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=int(row.version),
    )
