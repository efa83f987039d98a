"""What `POST agreements/{agreement_id}/{action}` knows: each action, its body, its act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from marketplace_simulator.agreement_acts import AgreementActs
from marketplace_simulator.agreements import Agreement
from marketplace_simulator.cancellation_requests import REASON_CODES
from marketplace_simulator.control_bodies import Fields
from marketplace_simulator.offers import LONGEST_TERM_DAYS

Act = Callable[[], Awaitable[Agreement]]


def act_of(action: str, acts: AgreementActs, agreement_id: str, fields: Fields) -> Act | None:
    """The act that an action and its body mean, not begun yet; None: there is no such action.

    The body's faults are in `fields`; `finish` it before the act.
    """
    plain: dict[str, Act] = {
        "cancel": lambda: acts.end(agreement_id, "CANCELLED"),
        "terminate": lambda: acts.end(agreement_id, "TERMINATED"),
        "expire": lambda: acts.end(agreement_id, "EXPIRED"),
        "suspend": lambda: acts.suspend(agreement_id),
        "resume": lambda: acts.suspend(agreement_id, resume=True),
        "issue-advisory": lambda: acts.advise(agreement_id),
        "resolve-advisory": lambda: acts.advise(agreement_id, resolved=True),
        "approve-cancellation": lambda: acts.answer_cancellation(agreement_id, "APPROVED"),
    }
    with_body: dict[str, Callable[[AgreementActs, str, Fields], Act]] = {
        "amend": _amend,
        "renew": _renew,
        "replace": _replace,
        "request-cancellation": _request_cancellation,
        "reject-cancellation": _reject_cancellation,
        "withdraw-cancellation": _withdraw_cancellation,
    }
    if action in with_body:
        return with_body[action](acts, agreement_id, fields)
    return plain.get(action)


ACTIONS = (
    "amend", "approve-cancellation", "cancel", "expire", "issue-advisory", "reject-cancellation", "renew",
    "replace", "request-cancellation", "resolve-advisory", "resume", "suspend", "terminate",
    "withdraw-cancellation",
)  # fmt: skip


def _amend(acts: AgreementActs, agreement_id: str, fields: Fields) -> Act:
    entitlements = fields.units("entitlements")
    end_time = fields.moment("end_time")
    auto_renew = fields.optional_boolean("auto_renew")
    switched_by = fields.text("switched_by", choices=("ACCEPTOR", "PROPOSER"))
    return lambda: acts.amend(
        agreement_id,
        entitlements=entitlements,
        end_time=end_time,
        auto_renew=auto_renew,
        switched_by="PROPOSER" if switched_by == "PROPOSER" else "ACCEPTOR",
    )


def _renew(acts: AgreementActs, agreement_id: str, fields: Fields) -> Act:
    at_end = fields.boolean("at_end")
    term_days = fields.whole_number("term_days", 1, LONGEST_TERM_DAYS)
    entitlements = fields.units("entitlements")
    return lambda: acts.renew(agreement_id, at_end=at_end, term_days=term_days, entitlements=entitlements)


def _replace(acts: AgreementActs, agreement_id: str, fields: Fields) -> Act:
    term_days = fields.whole_number("term_days", 1, LONGEST_TERM_DAYS)
    entitlements = fields.units("entitlements")
    return lambda: acts.replace(agreement_id, term_days=term_days, entitlements=entitlements)


def _request_cancellation(acts: AgreementActs, agreement_id: str, fields: Fields) -> Act:
    reason_code = fields.text("reason_code", choices=REASON_CODES) or "OTHER"
    reason_message = fields.text("reason_message", longest=1000) or ""
    return lambda: acts.request_cancellation(
        agreement_id, reason_code=reason_code, reason_message=reason_message
    )


def _reject_cancellation(acts: AgreementActs, agreement_id: str, fields: Fields) -> Act:
    message = fields.text("message", longest=1000) or ""
    return lambda: acts.answer_cancellation(agreement_id, "REJECTED", message)


def _withdraw_cancellation(acts: AgreementActs, agreement_id: str, fields: Fields) -> Act:
    message = fields.text("message", longest=1000) or ""
    return lambda: acts.answer_cancellation(agreement_id, "CANCELLED", message)
