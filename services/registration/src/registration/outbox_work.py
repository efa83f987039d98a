"""Does what the outbox says: takes an item, does it, removes it; or notes why not, and when to try again.

Each item is done at least once. Everything at the other side is told the item's id, so that whoever can
recognise a repeat does (the seller's back end, AWS); a letter may come twice where a crash falls between
sending and removing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from chassis import tracing
from chassis.aws import is_outage
from chassis.problems import Problem
from registration.bindings import BoundTooOften
from registration.catalogue import Catalogue, Product
from registration.claims import Claim
from registration.customers import Customer
from registration.handing_over import Account, NotAnswered, conclude, noted, question, understand
from registration.languages import known_language
from registration.letters import Letter, Recipient, access_opened, welcome
from registration.log_sentences import say_followed, say_handed_over
from registration.mail import MailAway, MailRefused
from registration.marketplace import Marketplace, ParameterNotPut
from registration.measures import OUTBOX_DONE, OUTBOX_FAILED, OUTBOX_ITEMS, OUTBOX_OLDEST
from registration.outbox_items import Kind, OutboxItem
from registration.renewals import deployment_parameter, notice
from registration.sealing import Box
from registration.seller_backend import SellerBackend
from registration.settling import settle
from registration.subscription_access import is_trial
from registration.tables import Tables

log = structlog.get_logger()

_PAGE = 100
_AGREEMENT_OVER = frozenset({"ending", "ended"})


class Mail(Protocol):
    def send(self, letter: Letter, to: str, idempotency_id: str) -> None: ...


class NotDone(Exception):
    """It has to be tried again.

    Args:
        reason: for operators; without personal data.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutboxWork:
    """Everything that doing an item needs.

    Args:
        tables: where items, claims and customers are.
        catalogue: the products.
        marketplace: AWS Marketplace.
        backend: the seller's own; None where no product hands over.
        mail: sends letters.
        box: seals what the seller's back end gave for Quick Launch.
        now: the one clock.
    """

    def __init__(
        self,
        tables: Tables,
        catalogue: Catalogue,
        marketplace: Marketplace,
        backend: SellerBackend | None,
        mail: Mail,
        box: Box,
        now: Callable[[], datetime],
    ) -> None:
        self._tables = tables
        self._catalogue = catalogue
        self._marketplace = marketplace
        self._backend = backend
        self._mail = mail
        self._box = box
        self._now = now
        self._kinds: dict[Kind, Callable[[OutboxItem], None]] = {
            Kind.HAND_OVER: self._hand_over,
            Kind.WELCOME_LETTER: self._welcome,
            Kind.ACCESS_LETTER: self._tell_access,
            Kind.DEPLOYMENT_PARAMETER: self._put_deployment_parameter,
            Kind.RENEWAL_NOTICE: self._tell_of_a_renewal,
        }

    def run(self) -> int:
        """Do all that is due, and return how many were done."""
        done, waiting, stuck, oldest = 0, 0, 0, timedelta()
        cursor: str | None = None
        while True:
            page, cursor = self._tables.outbox(_PAGE, cursor)
            for item in page:
                now = self._now()
                stuck += item.state(now) == "stuck"
                waiting += item.state(now) == "waiting"
                if item.due_at <= now:
                    taken = item.taken(now)
                    if self._tables.replace_outbox_item(item, taken) and self.attempt(taken):
                        done += 1
                        continue
                oldest = max(oldest, now - item.created_at)
            if cursor is None:
                break
        OUTBOX_ITEMS.labels("waiting").set(waiting)
        OUTBOX_ITEMS.labels("stuck").set(stuck)
        OUTBOX_OLDEST.set(oldest.total_seconds())
        return done

    def attempt(self, item: OutboxItem) -> bool:
        """Try an item that is in the caller's hands; False where it has to be tried again."""
        with tracing.of_step(f"outbox {item.kind.value}", item.traceparent or tracing.PRESENT) as span:
            if not (done := self._attempt(item)):
                span.failed("not_done")
        return done

    def _attempt(self, item: OutboxItem) -> bool:
        try:
            self._kinds[item.kind](item)
        except (NotDone, NotAnswered) as error:
            self._failed(item, error.reason)
            return False
        except (BoundTooOften, Problem) as error:
            self._failed(item, type(error).__name__)
            return False
        except Exception as error:
            # One item's surprise must not hold up the others.
            if not is_outage(error):
                log.exception(
                    "An outbox item failed in an unforeseen way; it stays.", outbox_id=item.outbox_id
                )
            self._failed(item, type(error).__name__)
            return False
        OUTBOX_DONE.labels(item.kind).inc()
        return True

    def _failed(self, item: OutboxItem, reason: str) -> None:
        now = self._now()
        after = item.failed(reason, now)
        say = log.error if item.state(now) == "stuck" else log.warning
        say(
            "Something registering set going is not done yet; it will be tried again.",
            outbox_id=item.outbox_id,
            subscription_id=item.subscription_id,
            attempts=item.attempts,
            due_at=after.due_at,
            state=item.state(now),
            reason=reason,
        )
        OUTBOX_FAILED.labels(item.kind).inc()
        self._tables.replace_outbox_item(item, after)

    # -- the kinds -------------------------------------------------------------------------------------------

    def _hand_over(self, item: OutboxItem) -> None:
        claim = self._tables.claim_of(item.subscription_id)
        ours = claim is not None and claim.registration_id == item.payload["registration_id"]
        if claim is None or not ours or claim.customer_id is not None:
            # Given up, or concluded by another try whose answer was lost.
            self._tables.remove_outbox_item(item)
            return
        product = self._product(claim)
        if product.hand_over_url is None or self._backend is None:
            raise NotDone("the catalogue or the settings no longer say where to hand over")
        trial = is_trial(self._tables.news_of(claim.subscription_id), claim.offer_type)
        status, body = self._backend.ask(
            product.hand_over_url, question(item, claim, product, free_trial=trial), item.outbox_id
        )
        answer = understand(status, body)
        secret = answer.deployment_secret if isinstance(answer, Account) else None
        sealed = self._box.seal(secret, self._now()) if secret else None
        bound = conclude(self._tables, item, claim, answer, product, self._now(), sealed_secret=sealed)
        say_handed_over(claim, bound, refused=not isinstance(answer, Account))

    def _welcome(self, item: OutboxItem) -> None:
        claim, customer, product = self._whose(item)
        if claim is not None and customer is not None and product is not None:
            published = self._tables.published_subscriptions([item.subscription_id]).get(item.subscription_id)
            granted = published is not None and published.access == "granted"
            if granted:
                # Before sending: two letters of which one is late are worse than a mark without a letter, for
                # this one says it too and is tried until it goes out.
                self._tables.tell_access(claim, None, self._now())
            trial = is_trial(published, claim.offer_type)
            language = known_language(customer.language) or "en"
            self._send(
                item,
                customer,
                welcome(product, language, _recipient(item, customer), granted=granted, trial=trial),
            )
        self._tables.remove_outbox_item(item)
        # What was published before the purchase was bound: its renewal goes along; and access that has come
        # since we looked is told now, for nobody else did while this letter waited.
        bound = self._tables.claim_of(item.subscription_id) if customer is not None else None
        if bound is not None:
            say_followed(settle(self._tables, [bound], self._catalogue, self._now()).followed)

    def _tell_access(self, item: OutboxItem) -> None:
        _, customer, product = self._whose(item)
        if customer is not None and product is not None:
            language = known_language(customer.language) or "en"
            self._send(item, customer, access_opened(product, language, _recipient(item, customer)))
        self._tables.remove_outbox_item(item)

    def _tell_of_a_renewal(self, item: OutboxItem) -> None:
        claim, customer, product = self._whose(item)
        following: OutboxItem | None = None
        if claim is not None and customer is not None and product is not None and product.hand_over_url:
            if self._backend is None:
                raise NotDone("the settings no longer say how to sign what is handed over")
            status, body = self._backend.ask(
                product.hand_over_url, notice(item, claim, customer, product), item.outbox_id
            )
            secret = noted(status, body)
            sealed = self._box.seal(secret, self._now()) if secret else None
            following = deployment_parameter(
                claim, item.payload["agreement_id"], product, sealed, self._now()
            )
        if following:
            self._tables.follow_outbox_item(item, following)
        else:
            self._tables.remove_outbox_item(item)

    def _send(self, item: OutboxItem, customer: Customer, letter: Letter) -> None:
        if customer.email is None:
            return
        try:
            self._mail.send(letter, customer.email, item.outbox_id)
        except MailAway:
            raise NotDone("the mail service is away") from None
        except MailRefused as error:
            if error.is_ours:
                raise NotDone(f"the mail service refuses us: {error}") from None
            log.warning(
                "A letter cannot be delivered: the mail service does not take the address.",
                customer_id=customer.customer_id,
                subscription_id=item.subscription_id,
                reason=error.reason.value,
                error_code=error.error_code,
            )

    def _put_deployment_parameter(self, item: OutboxItem) -> None:
        claim, customer, product = self._whose(item)
        if claim is not None and customer is not None and product is not None and product.quick_launch:
            sealed = item.payload.get("deployment_secret")
            secret = self._box.open(sealed, self._now()) if sealed else ""
            if secret is None:
                raise NotDone("the deployment secret cannot be opened: was SESSION_SECRET changed?")
            value = product.quick_launch.secret_of(
                customer_id=customer.customer_id,
                account_id=customer.account_id or "",
                subscription_id=claim.subscription_id,
                deployment_secret=secret,
            )
            if not value:
                raise NotDone(
                    "the seller's back end gave no deployment_secret for this product's Quick Launch"
                )
            try:
                self._marketplace.put_deployment_parameter(
                    product.product_id,
                    item.payload["agreement_id"],
                    product.quick_launch.parameter,
                    value,
                    item.outbox_id,
                )
            except ParameterNotPut as error:
                news = self._tables.news_of(item.subscription_id)
                if news is None or news.status not in _AGREEMENT_OVER:
                    raise NotDone(f"AWS did not take the deployment parameter ({error.error_code})") from None
                # It never will; where it was renewed, the next agreement has a parameter of its own.
                log.warning(
                    "An agreement ended before AWS took its deployment parameter.",
                    subscription_id=item.subscription_id,
                    error_code=error.error_code,
                )
        self._tables.remove_outbox_item(item)

    def _whose(self, item: OutboxItem) -> tuple[Claim | None, Customer | None, Product | None]:
        """Claim, customer and product of an item; the customer is None once their data is erased."""
        claim = self._tables.claim_of(item.subscription_id)
        customer = self._tables.customer(item.customer_id) if item.customer_id else None
        if claim is None or customer is None or customer.status == "deleted":
            return claim, None, None
        return claim, customer, self._product(claim)

    def _product(self, claim: Claim) -> Product:
        product = self._catalogue.find(claim.product_code)
        if product is None:
            raise NotDone("the product has left the catalogue")
        return product


def _recipient(item: OutboxItem, customer: Customer) -> Recipient:
    return Recipient(
        customer_id=customer.customer_id,
        subscription_id=item.subscription_id,
        name=customer.name,
        account_id=customer.account_id,
    )
