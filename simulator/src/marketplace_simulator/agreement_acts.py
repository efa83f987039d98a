"""What happens to an agreement after the purchase, by buyer, seller, AWS, or by itself when its time comes.

Each act is one transaction that holds its change and its news; then whatever is due by now goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from marketplace_simulator import agreements, identifiers, news
from marketplace_simulator.agreements import Agreement, EndReason, LifeRefused, Party
from marketplace_simulator.cancellation_requests import CancellationRequest, StatusCode
from marketplace_simulator.clock import Clock
from marketplace_simulator.delivery import Courier
from marketplace_simulator.products import Product
from marketplace_simulator.store import Store


class NotFound(Exception):
    """No such product or agreement; the message says which."""


class Conflict(Exception):
    """What is there already does not allow this; the message says why."""


class AgreementActs:
    """The acts on one agreement; each answers it as it stands after.

    Args:
        seller: the account that published the products.

    Every act raises NotFound for an unknown agreement, and LifeRefused when its life does not allow it now.
    """

    def __init__(self, seller: str, store: Store, clock: Clock, courier: Courier) -> None:
        self._seller = seller
        self._store = store
        self._clock = clock
        self._courier = courier

    def agreement(self, agreement_id: str) -> Agreement:
        """Raises NotFound."""
        agreement = self._store.agreement(agreement_id)
        if agreement is None:
            raise NotFound(f"There is no agreement {agreement_id!r}.")
        return agreement

    async def end(self, agreement_id: str, reason: EndReason) -> Agreement:
        """It ends now: cancelled by the buyer, terminated by a party, or expired before its time."""
        with self._store.transaction():
            now = self._now()
            agreement = self.agreement(agreement_id)
            agreements.require_active(agreement, now)
            if reason == "EXPIRED":
                agreements.require_term(agreement, "expire")
            self._end(agreement, reason, now)
        return await self._released(agreement_id)

    async def amend(
        self,
        agreement_id: str,
        *,
        entitlements: Mapping[str, int] | None = None,
        end_time: datetime | None = None,
        auto_renew: bool | None = None,
        switched_by: Party = "ACCEPTOR",
    ) -> Agreement:
        """Quantities, the end of the term, or auto-renewal change.

        Args:
            entitlements: dimensions that change, with their new units; 0 or false takes one away.
            switched_by: who turned auto-renewal off.

        Raises:
            Conflict: no dimension of the product, or a subscription has no quantities.
        """
        with self._store.transaction():
            now = self._now()
            before = self.agreement(agreement_id)
            product = self._product(before)
            agreements.require_active(before, now)
            after = agreements.amend(
                before,
                entitlements=None if entitlements is None else _amended(product, before, entitlements),
                end_time=end_time,
                auto_renew=auto_renew,
                switched_by=switched_by,
                now=now,
            )
            self._store.keep_agreement(after)
            self._withdraw_notices(after, now)
            self._store.add_news(
                news.of_amendment(
                    after,
                    product,
                    self._seller,
                    license_changed=agreements.license_changes(before, after),
                    now=now,
                )
            )
        return await self._released(agreement_id)

    async def renew(
        self,
        agreement_id: str,
        *,
        at_end: bool = False,
        term_days: int | None = None,
        entitlements: Mapping[str, int] | None = None,
    ) -> Agreement:
        """The buyer accepts a renewal: a new agreement with a licence of its own takes over.

        Args:
            at_end: when the term ends; otherwise now.
            term_days: of the new one; by default as long as the old one's.
            entitlements: quantities that differ from the old ones.
        """
        with self._store.transaction():
            now = self._now()
            agreement = self.agreement(agreement_id)
            agreements.require_active(agreement, now)
            agreements.require_term(agreement, "renew")
            at = agreement.end_time if at_end else now
            bought = _amended(self._product(agreement), agreement, entitlements or {})
            old, new = agreements.succeed(
                agreement, "RENEW", at=at, now=now, entitlements=bought, term=_days(term_days)
            )
            self._follow(old, new)
        return await self._released(agreement_id)

    async def replace(
        self,
        agreement_id: str,
        *,
        term_days: int | None = None,
        entitlements: Mapping[str, int] | None = None,
    ) -> Agreement:
        """The buyer accepts a replacing offer, which takes over now."""
        with self._store.transaction():
            now = self._now()
            agreement = self.agreement(agreement_id)
            agreements.require_active(agreement, now)
            agreements.require_term(agreement, "replace")
            bought = _amended(self._product(agreement), agreement, entitlements or {})
            old, new = agreements.succeed(
                agreement, "REPLACE", at=now, now=now, entitlements=bought, term=_days(term_days)
            )
            self._follow(old, new)
        return await self._released(agreement_id)

    async def suspend(self, agreement_id: str, *, resume: bool = False) -> Agreement:
        """AWS suspends the buyer's account, or takes that back: it concerns all its agreements. No news."""
        with self._store.transaction():
            account = self.agreement(agreement_id).customer_aws_account_id
            held = self._store.agreements_of_account(account)
            if resume == all(agreement.suspended_at is None for agreement in held):
                raise LifeRefused(f"Account {account} is {'not' if resume else 'already'} suspended.")
            for agreement in held:
                suspended_at = None if resume else self._now()
                self._store.keep_agreement(replace(agreement, suspended_at=suspended_at))
        return await self._released(agreement_id)

    async def advise(self, agreement_id: str, *, resolved: bool = False) -> Agreement:
        """AWS issues an advisory about an agreement, or resolves it; access and metering stay as they are."""
        with self._store.transaction():
            now = self._now()
            agreement = self.agreement(agreement_id)
            if agreement.generation == "legacy":
                raise LifeRefused("Advisories go out on EventBridge; legacy products here speak SNS only.")
            agreements.require_active(agreement, now)
            if resolved == (agreement.advisory_issued_at is None):
                raise LifeRefused(
                    "There is no open advisory." if resolved else "An advisory is open already."
                )
            agreement = replace(agreement, advisory_issued_at=None if resolved else now)
            self._store.keep_agreement(agreement)
            product = self._product(agreement)
            self._store.add_news(
                news.of_advisory(agreement, product, self._seller, resolved=resolved, now=now)
            )
        return await self._released(agreement_id)

    async def request_cancellation(
        self, agreement_id: str, *, reason_code: str = "OTHER", reason_message: str = ""
    ) -> Agreement:
        """The seller asks for a cancellation; one with a renewal ahead fails AWS's validation."""
        with self._store.transaction():
            now = self._now()
            agreement = self.agreement(agreement_id)
            if agreement.generation == "legacy":
                raise LifeRefused("Cancellation requests are told on EventBridge; legacy products speak SNS.")
            request = agreement.cancellation_request
            if request is not None and request.pending:
                raise LifeRefused("A cancellation request is pending already.")
            follows = agreement.next_agreement_id is not None and agreement.status(now) == "active"
            if not follows:
                agreements.require_active(agreement, now)
            request = CancellationRequest(
                identifiers.new_cancellation_request_id(),
                reason_code,
                reason_message,
                "PENDING_APPROVAL",
                "",
                now,
                now,
            )
            if follows:
                request = request.turned(
                    "VALIDATION_FAILED",
                    now,
                    "Agreement has a renewal agreement that must be canceled first",
                )
            self._keep_request(agreement, request)
        return await self._released(agreement_id)

    async def answer_cancellation(
        self, agreement_id: str, status_code: StatusCode, message: str = ""
    ) -> Agreement:
        """The buyer approves (and it ends) or rejects, or the seller withdraws (CANCELLED)."""
        with self._store.transaction():
            self._answer_cancellation(self.agreement(agreement_id), status_code, message, self._now())
        return await self._released(agreement_id)

    def catch_up(self) -> None:
        """Do what happened by itself by now, in the order of its moments, each as of its own."""
        now = self._clock.now()
        while True:
            due = [
                (act, agreement)
                for agreement in self._store.agreements_with_timed_acts(now)
                if (act := agreement.timed_act(now)) is not None
            ]
            if not due:
                return
            (moment, kind), agreement = min(due, key=lambda found: found[0])
            with self._store.transaction():
                if kind == "expire":
                    self._end(agreement, "EXPIRED", moment)
                elif kind == "renew":
                    kept = agreement.entitlements
                    old, new = agreements.succeed(
                        agreement, "RENEW", at=moment, now=moment, entitlements=kept, new_offer=False
                    )
                    self._follow(old, new)
                else:
                    self._answer_cancellation(agreement, "APPROVED", "", moment)

    def _now(self) -> datetime:
        # On a running clock something may have happened by itself since the last look.
        return self._clock.now()

    def _product(self, agreement: Agreement) -> Product:
        product = self._store.product(agreement.product_code)
        assert product is not None, "an agreement without its product"
        return product

    def _end(self, agreement: Agreement, reason: EndReason, at: datetime) -> None:
        ended = agreements.end(agreement, reason, at)
        self._store.keep_agreement(ended)
        self._withdraw_notices(ended, at)
        self._store.add_news(news.of_end(ended, self._product(ended), self._seller))

    def _follow(self, old: Agreement, new: Agreement) -> None:
        assert old.ended_at is not None
        product = self._product(old)
        self._store.keep_agreement(old)
        self._store.add_agreement(new)
        self._withdraw_notices(old, old.ended_at)
        self._store.add_news(news.of_end(old, product, self._seller))
        self._store.add_news(news.of_purchase(new, product, self._seller))

    def _answer_cancellation(
        self, agreement: Agreement, status_code: StatusCode, message: str, at: datetime
    ) -> None:
        request = agreement.cancellation_request
        if request is None or not request.pending:
            raise LifeRefused("No cancellation request is pending.")
        agreements.require_active(agreement, at)
        agreement = self._keep_request(agreement, request.turned(status_code, at, message))
        if status_code == "APPROVED":
            self._end(agreement, "CANCELLED", at)

    def _keep_request(self, agreement: Agreement, request: CancellationRequest) -> Agreement:
        agreement = replace(agreement, cancellation_request=request)
        self._store.keep_agreement(agreement)
        product = self._product(agreement)
        self._store.add_news(news.of_cancellation_request(agreement, product, self._seller))
        return agreement

    def _withdraw_notices(self, agreement: Agreement, after: datetime) -> None:
        for name in news.NAMES_OF_COMING_END:
            self._store.withdraw_news(agreement.agreement_id, name, after)

    async def _released(self, agreement_id: str) -> Agreement:
        await self._courier.release()
        return self.agreement(agreement_id)


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def require_units(product: Product, units: Mapping[str, int]) -> None:
    """Hold quantities against what can be bought of a product.

    Raises:
        Conflict: nothing, not of that dimension, or not in that type.
    """
    if units and not product.has_entitlements:
        raise Conflict("A subscription has no entitlements; only a contract has.")
    for key, value in units.items():
        dimension = product.dimension(key)
        if dimension is None:
            raise Conflict(f"{key!r} is no dimension of product {product.product_code}.")
        if not dimension.takes(value):
            raise Conflict(f"{key!r} is listed with the value_type {dimension.value_type}.")


def _amended(product: Product, agreement: Agreement, changes: Mapping[str, int]) -> dict[str, int]:
    """The quantities after the changes; 0 or false takes a dimension away.

    Raises:
        Conflict: as `require_units`.
    """
    require_units(product, changes)
    merged = {**agreement.entitlements, **changes}
    return {dimension: units for dimension, units in merged.items() if units > 0}
