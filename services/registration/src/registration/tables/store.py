"""Reads and writes. Every write that must happen once is conditional."""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from pynamodb.connection import Connection
from pynamodb.exceptions import (
    DeleteError,
    DoesNotExist,
    GetError,
    PutError,
    PynamoDBException,
    TransactWriteError,
    UpdateError,
)
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chassis.aws import cause_code, is_outage
from chassis.problems import Unavailable
from chassis.quick_calls import QuickCalls
from chassis.tables import decode_cursor, encode_cursor, foreign_cursor, read_page
from registration.bindings import Binding, Written
from registration.claims import Claim
from registration.customer_changes import AccountTaken
from registration.customers import Customer, email_key
from registration.entitlements import Entitlement
from registration.identities import Identity, of_account
from registration.outbox_items import Kind, OutboxItem, outbox_id_of
from registration.registrations import Registration
from registration.subscription_access import PublishedSubscription
from registration.tables.joint_read import LastHeld, read_together
from registration.tables.models import (
    ClaimRow,
    CustomerRow,
    IdentityRow,
    OutboxRow,
    RegistrationRow,
    SubscriptionRow,
)
from registration.tables.rows import (
    claim_of,
    claim_row,
    customer_of,
    customer_row,
    entitlement_json,
    outbox_item_of,
    outbox_row,
    published_of,
    registration_of,
    registration_row,
)

log = structlog.get_logger()

# DynamoDB cancels one of two transactions that touch one item at the same moment; the next try finds a
# settled state.
_TRIES = 5
_NOT_NOW = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_NOT_MET = "ConditionalCheckFailed"

# DynamoDB takes at most 100 items in one transaction.
_MOST_IN_ONE_ACT = 100


class Tables:
    """The rules' view of the tables. Every read that a decision follows from is consistent.

    Args:
        connection: for transactions, which belong to no single model.
        quick: for what is asked most; without it, all goes the ordinary way.
    """

    def __init__(self, connection: Connection, quick: QuickCalls | None = None) -> None:
        self._connection = connection
        self._quick = quick
        self._last_held = LastHeld()

    # -- registrations ---------------------------------------------------------------------------------------

    def keep_registration(self, registration: Registration) -> None:
        # Unconditional: the id has 130 random bits, and a repeated write is the same write.
        row = registration_row(registration)
        request = {"TableName": RegistrationRow.Meta.table_name, "Item": row.serialize()}
        if self._quick is None or self._quick.ask("PutItem", request) is None:
            row.save()

    def registration(self, registration_id: str) -> Registration | None:
        row = _get(RegistrationRow, registration_id)
        return registration_of(row) if row else None

    def keep_entitlements(self, registration_id: str, entitlements: tuple[Entitlement, ...]) -> None:
        kept = [entitlement_json(one) for one in entitlements]
        self._change_registration(registration_id, RegistrationRow.entitlements.set(kept))

    def keep_signed_in(self, registration_id: str, sealed: str | None) -> None:
        """Remember who signed in (sealed), or forget it."""
        attribute = RegistrationRow.signed_in
        self._change_registration(registration_id, attribute.set(sealed) if sealed else attribute.remove())

    def _change_registration(self, registration_id: str, action: Any) -> None:
        try:
            RegistrationRow(registration_id).update(
                actions=[action], condition=RegistrationRow.registration_id.exists()
            )
        except UpdateError as error:
            # Gone by its TTL: then nobody can see what we would have kept.
            if cause_code(error) != "ConditionalCheckFailedException":
                raise

    # -- claims and customers --------------------------------------------------------------------------------

    def claim_of(self, subscription_id: str) -> Claim | None:
        row = _get(ClaimRow, subscription_id)
        return claim_of(row) if row else None

    def claims_of(self, subscription_ids: Iterable[str]) -> dict[str, Claim]:
        rows = ClaimRow.batch_get(subscription_ids, consistent_read=True)
        return {row.subscription_id: claim_of(row) for row in rows}

    def customer(self, customer_id: str) -> Customer | None:
        row = _get(CustomerRow, customer_id)
        return customer_of(row) if row else None

    def customers_of(self, customer_ids: Iterable[str]) -> dict[str, Customer]:
        rows = CustomerRow.batch_get(customer_ids, consistent_read=True)
        return {row.customer_id: customer_of(row) for row in rows}

    def customer_id_of(self, identity: Identity) -> str | None:
        row = _get(IdentityRow, identity.identity_id)
        return row.customer_id if row else None

    def identities_of(self, customer: Customer) -> list[tuple[Identity, datetime]]:
        """Who signed in as this customer, and since when."""
        rows = IdentityRow.batch_get(customer.identity_ids, consistent_read=True)
        return [(Identity(row.issuer, row.subject), row.connected_at) for row in rows]

    def claim_for_hand_over(self, claim: Claim, item: OutboxItem) -> bool:
        """Write a claim without a customer, and that the seller's back end is to be asked for one.

        Returns:
            False where the subscription is claimed already; then nothing was written.
        """

        def write(act: TransactWrite) -> None:
            act.save(claim_row(claim), condition=ClaimRow.subscription_id.does_not_exist())
            act.save(outbox_row(item))

        return _met(self._transact(write))

    def give_up_claim(self, claim: Claim, item: OutboxItem, refusal: str) -> None:
        """Undo `claim_for_hand_over`, if the claim still has no customer and the item is still there, and
        keep the refusal's words with the registration while it lives."""

        def write(act: TransactWrite) -> None:
            act.delete(
                ClaimRow(claim.subscription_id),
                condition=(ClaimRow.registration_id == claim.registration_id)
                & ClaimRow.customer_id.does_not_exist(),
            )
            act.delete(OutboxRow(item.outbox_id), condition=OutboxRow.outbox_id.exists())

        # First the words: if the second act fails, the item remains and both are done again.
        self._change_registration(claim.registration_id, RegistrationRow.refusal.set(refusal))
        if not _met(self._transact(write)):
            self.remove_outbox_item(item)

    def bind(self, binding: Binding, now: datetime) -> Written:
        """Write all that a binding says, or nothing.

        Raises:
            Unavailable: other writes were in the way each time.
        """
        claim, customer, before = binding.claim, binding.customer, binding.before

        def write(act: TransactWrite) -> None:
            if binding.handed_over:
                act.update(
                    ClaimRow(claim.subscription_id),
                    actions=[ClaimRow.customer_id.set(customer.customer_id)],
                    condition=(ClaimRow.registration_id == claim.registration_id)
                    & ClaimRow.customer_id.does_not_exist(),
                )
            else:
                act.save(claim_row(claim), condition=ClaimRow.subscription_id.does_not_exist())
            act.save(
                customer_row(customer),
                condition=CustomerRow.version == before.version
                if before
                else CustomerRow.customer_id.does_not_exist(),
            )
            for identity in binding.identities:
                act.save(
                    _identity_row(identity, customer, now),
                    condition=IdentityRow.identity_id.does_not_exist()
                    | (IdentityRow.customer_id == customer.customer_id),
                )
            for item in binding.outbox:
                act.save(outbox_row(item))
            if binding.done:
                # Another try's answer may have ended this hand-over, and the buyer begun the next one.
                act.delete(OutboxRow(binding.done.outbox_id), condition=OutboxRow.outbox_id.exists())

        # In the order of the writes above.
        codes = self._transact(write)
        if _met(codes):
            return Written.YES
        over = binding.done is not None and codes[-1] == _NOT_MET
        return Written.CLAIMED if over or codes[0] == _NOT_MET else Written.MOVED

    def replace_customer(self, before: Customer, after: Customer, now: datetime) -> bool:
        """Write `after` and the identities that it gains or loses as one act, if the row still has `before`'s
        version; False where it has not.

        Raises:
            AccountTaken: the account that it gains is somebody else's.
        """
        lost = set(before.identity_ids) - set(after.identity_ids)
        gained = (
            of_account(after.account_id)
            if after.account_id and after.account_id != before.account_id
            else None
        )

        def write(act: TransactWrite) -> None:
            act.save(customer_row(after), condition=CustomerRow.version == before.version)
            if gained:
                act.save(
                    _identity_row(gained, after, now),
                    condition=IdentityRow.identity_id.does_not_exist()
                    | (IdentityRow.customer_id == after.customer_id),
                )
            for identity_id in sorted(lost):
                act.delete(IdentityRow(identity_id))

        codes = self._transact(write)
        if not _met(codes) and codes[0] != _NOT_MET:
            raise AccountTaken
        return _met(codes)

    def tell_access(self, claim: Claim, item: OutboxItem | None, now: datetime) -> bool:
        """Mark that the customer is being told that access is there, and write the letter's item, if any, as
        one act; False where the mark is there already, or the claim has gone.

        Nor is there a letter of its own while the welcome letter waits, for that one tells it too.
        """

        def write(act: TransactWrite) -> None:
            act.update(
                ClaimRow(claim.subscription_id),
                actions=[ClaimRow.access_told_at.set(now)],
                condition=(ClaimRow.customer_id == claim.customer_id)
                & ClaimRow.access_told_at.does_not_exist(),
            )
            if item:
                act.save(outbox_row(item))
                act.condition_check(
                    OutboxRow,
                    outbox_id_of(Kind.WELCOME_LETTER, claim.subscription_id),
                    condition=OutboxRow.outbox_id.does_not_exist(),
                )

        return _met(self._transact(write))

    def bury(self, customer: Customer, claims: Iterable[Claim]) -> bool:
        """Remove a tombstone and its claims, if the tombstone is as it was read.

        More claims than fit into one transaction go first, in several; the tombstone goes with the last, so
        that a crash leaves one that is found again.
        """
        rest = list(claims)
        condition = CustomerRow.version == customer.version

        def write(act: TransactWrite) -> None:
            if last:
                act.delete(CustomerRow(customer.customer_id), condition=condition)
            else:
                act.condition_check(CustomerRow, customer.customer_id, condition=condition)
            for claim in part:
                act.delete(
                    ClaimRow(claim.subscription_id),
                    condition=ClaimRow.customer_id == customer.customer_id,
                )

        while True:
            part, rest = rest[: _MOST_IN_ONE_ACT - 1], rest[_MOST_IN_ONE_ACT - 1 :]
            last = not rest
            if not _met(self._transact(write)):
                return False
            if last:
                return True

    def _transact(self, write: Callable[[TransactWrite], None]) -> list[str | None]:
        """Do the writes as one act.

        A try whose answer was lost is repeated under the same request token, which DynamoDB recognises for
        ten minutes and answers as the success that it was.

        Returns:
            Empty where all was written; else, for each write in order, why it was not (None: it would have
            been).

        Raises:
            Unavailable: other writes were in the way each time.
        """
        token = uuid.uuid4().hex
        for attempt in range(_TRIES):
            try:
                with TransactWrite(connection=self._connection, client_request_token=token) as act:
                    write(act)
                return []
            except TransactWriteError as error:
                codes = [reason.code if reason else None for reason in error.cancellation_reasons]
                if _NOT_MET in codes:
                    return codes
                in_progress = cause_code(error) == "TransactionInProgressException"
                if not in_progress and not _NOT_NOW.intersection(codes):
                    raise
            # Chance spreads writers; it keeps no secret.
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # nosec B311
        raise Unavailable("Other writes of the same subscription or customer were in the way.")

    # -- lists -----------------------------------------------------------------------------------------------

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
        return [customer_of(row) for row in rows], encode_cursor(last)

    def customers_with_email(
        self, email: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]:
        """One page of the customers with this e-mail address. The index lags the table by a moment."""
        key = email_key(email)
        shape = {"customer_id": None, "private_email_key": key}
        rows, last = _query(CustomerRow.by_email, key, shape, limit, cursor)
        return [customer_of(row) for row in rows], last

    def customers_with_account(
        self, account_id: str, limit: int, cursor: str | None
    ) -> tuple[list[Customer], str | None]:
        """One page of the customers that the seller's system calls so. The index lags by a moment."""
        shape = {"customer_id": None, "account_id": account_id}
        rows, last = _query(CustomerRow.by_account, account_id, shape, limit, cursor)
        return [customer_of(row) for row in rows], last

    def claims_by_product(
        self, product_code: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]:
        """One page of the claims of a product, oldest first. The index lags by a moment."""
        shape = {"subscription_id": None, "product_code": product_code, "claimed_at": None}
        rows, last = _query(ClaimRow.by_product, product_code, shape, limit, cursor)
        return [claim_of(row) for row in rows], last

    def claims_by_aws_account(
        self, account: str, limit: int, cursor: str | None
    ) -> tuple[list[Claim], str | None]:
        """One page of the claims of an AWS account, oldest first. The index lags by a moment."""
        shape = {"subscription_id": None, "customer_aws_account_id": account, "claimed_at": None}
        rows, last = _query(ClaimRow.by_aws_account, account, shape, limit, cursor)
        return [claim_of(row) for row in rows], last

    def claims(self, limit: int, cursor: str | None) -> tuple[list[Claim], str | None]:
        """One page of all claims, in no order: for the sweep."""
        rows, last = read_page(
            ClaimRow.scan(
                limit=limit,
                page_size=limit,
                consistent_read=True,
                last_evaluated_key=_going_on(cursor, {"subscription_id": None}),
            )
        )
        return [claim_of(row) for row in rows], encode_cursor(last)

    # -- the outbox ------------------------------------------------------------------------------------------

    def outbox(self, limit: int, cursor: str | None) -> tuple[list[OutboxItem], str | None]:
        """One page of the outbox, in no order. A scan, which stays small: what is done is removed."""
        rows, last = read_page(
            OutboxRow.scan(
                limit=limit,
                page_size=limit,
                consistent_read=True,
                last_evaluated_key=_going_on(cursor, {"outbox_id": None}),
            )
        )
        return [outbox_item_of(row) for row in rows], encode_cursor(last)

    def outbox_item(self, outbox_id: str) -> OutboxItem | None:
        row = _get(OutboxRow, outbox_id)
        return outbox_item_of(row) if row else None

    def replace_outbox_item(self, before: OutboxItem, after: OutboxItem) -> bool:
        """Write `after` if the row is as `before` says; False where somebody else has it, or has done it."""
        try:
            outbox_row(after).save(
                condition=(OutboxRow.due_at == before.due_at) & (OutboxRow.attempts == before.attempts)
            )
        except PutError as error:
            if cause_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def follow_outbox_item(self, done: OutboxItem, following: OutboxItem) -> bool:
        """Write what follows from an item and remove it, as one act; False where it is gone already."""

        def write(act: TransactWrite) -> None:
            act.delete(OutboxRow(done.outbox_id), condition=OutboxRow.created_at == done.created_at)
            act.save(outbox_row(following))

        return _met(self._transact(write))

    def remove_outbox_item(self, item: OutboxItem) -> None:
        try:
            # Another of this id may have been written since: after a tombstone's end, for the next buyer.
            OutboxRow(item.outbox_id).delete(condition=OutboxRow.created_at == item.created_at)
        except DeleteError as error:
            if cause_code(error) != "ConditionalCheckFailedException":
                raise

    # -- the sibling's ---------------------------------------------------------------------------------------

    def news_of(self, subscription_id: str) -> PublishedSubscription | None:
        """What is published of one subscription; None also where the sibling's table is away: for what must
        go on without it."""
        try:
            return self.published_subscriptions([subscription_id]).get(subscription_id)
        except Unavailable:
            return None
        except PynamoDBException as error:
            if is_outage(error):
                return None
            raise

    def published_subscriptions(self, subscription_ids: Iterable[str]) -> dict[str, PublishedSubscription]:
        """What notifications says of these subscriptions now; those without news are left out.

        Raises:
            Unavailable: the sibling's table is not there. To answer "denied" would lock out who has paid.
        """
        try:
            rows = list(SubscriptionRow.batch_get(subscription_ids, consistent_read=True))
        except GetError as error:
            if cause_code(error) != "ResourceNotFoundException":
                raise
            log.error(
                "The table of subscriptions is not there: is notifications deployed, is TABLE_PREFIX right?"
            )
            raise Unavailable("The table of subscriptions is not there.") from error
        return {row.subscription_id: published_of(row) for row in rows}

    def customer_with_news(
        self, customer_id: str
    ) -> tuple[Customer | None, dict[str, PublishedSubscription]]:
        """A customer, and what notifications says of all that they hold; as a rule by one call.

        1. Read the customer's row, and with it the news of what they held when this process last looked.
        2. Read the news of what the row has and the guess had not. All reads are consistent, so a wrong
           guess costs a call and changes no answer.

        Raises:
            Unavailable: as `published_subscriptions`.
        """
        guess = self._last_held.of(customer_id)
        together = read_together(self._quick, customer_id, guess) if self._quick and guess else None
        customer, published = together or (self.customer(customer_id), {})
        if customer is None:
            return None, {}
        unread = set(customer.subscription_ids).difference(guess if together else ())
        if unread:
            published |= self.published_subscriptions(unread)
        self._last_held.remember(customer_id, customer.subscription_ids)
        return customer, published


def _identity_row(identity: Identity, customer: Customer, now: datetime) -> IdentityRow:
    return IdentityRow(
        identity_id=identity.identity_id,
        issuer=identity.issuer,
        subject=identity.subject,
        customer_id=customer.customer_id,
        connected_at=now,
    )


def _met(codes: list[str | None]) -> bool:
    return not codes


def _query(
    index: Any, key: str, shape: Mapping[str, str | None], limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    rows, last = read_page(
        index.query(key, limit=limit, page_size=limit, last_evaluated_key=_going_on(cursor, shape))
    )
    return rows, encode_cursor(last)


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
