"""The Agreement API as far as a seller uses it: DescribeAgreement, GetAgreementTerms, SearchAgreements.

Read only, and only for the two parties of an agreement. The maker of a product that a channel partner sold is
neither, as in AWS: it reads its licences and events, not the partner's agreement.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from marketplace_simulator.agreements import LOCKOUT_BEFORE_END, Agreement
from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.products import Product
from marketplace_simulator.times import parse_rfc3339

LARGEST_PAGE = 50
CATALOG = "AWSMarketplace"
AGREEMENT_TYPE = "PurchaseAgreement"
RESOURCE_TYPE = "SaaSProduct"
# The simulator knows no prices; the model's own example of a price has this form.
_NO_PRICE = "0.00"
_CURRENCY = "USD"

_END_TIME_FILTERS = {"BeforeEndTime", "AfterEndTime"}
# What a buyer may combine (SearchAgreements, documentation of `filters`); a seller may combine anything.
_ACCEPTOR_SUBJECTS = {"ResourceIdentifier", "OfferId", "OfferSetId"}


class Sold(NamedTuple):
    """An agreement with the product that was sold."""

    agreement: Agreement
    product: Product


def describe(sold: Sold, now: datetime) -> dict[str, Any]:
    """The members of DescribeAgreement's answer."""
    agreement = sold.agreement
    answer: dict[str, Any] = {
        "agreementId": agreement.agreement_id,
        "acceptor": {"accountId": agreement.customer_aws_account_id},
        "proposer": {"accountId": agreement.proposer_account_id},
        "startTime": agreement.starts_at.timestamp(),
        "acceptanceTime": agreement.accepted_at.timestamp(),
        "agreementType": AGREEMENT_TYPE,
        "proposalSummary": _proposal(sold),
        "status": agreement.agreement_status(now),
        "initialAgreementId": _initial_id(agreement),
    }
    if agreement.has_term:
        answer["endTime"] = agreement.end_time.timestamp()
    behaviour = _end_time_behaviour(agreement, now)
    if behaviour is not None:
        answer["endTimeBehavior"] = behaviour
    if agreement.trial_ends_at is not None:
        answer["freeTrialSummary"] = {"trialEndTime": agreement.trial_ends_at.timestamp()}
    return answer


def terms(sold: Sold, request: Mapping[str, Any]) -> dict[str, Any]:
    """The members of GetAgreementTerms' answer: one page.

    Raises:
        AwsError: ValidationException for a page token that is not its own.
    """
    page, token = _page(list(_terms(sold)), request)
    answer: dict[str, Any] = {"acceptedTerms": page}
    if token is not None:
        answer["nextToken"] = token
    return answer


def search(request: Mapping[str, Any], sold: Sequence[Sold], account: str, now: datetime) -> dict[str, Any]:
    """The members of SearchAgreements' answer: one page of the caller's agreements.

    Args:
        request: the members as sent, shape checked.
        sold: all agreements, in a steady order.
        account: the caller's.

    Raises:
        AwsError: ValidationException with AWS's own reason.
    """
    if request.get("catalog", CATALOG) != CATALOG:
        raise _invalid("INVALID_CATALOG", f"The catalog must be {CATALOG}.")
    wanted = _filters(request.get("filters", []))
    party = wanted["PartyType"]
    mine: Callable[[Agreement], bool] = (
        (lambda agreement: agreement.proposer_account_id == account)
        if party == "Proposer"
        else (lambda agreement: agreement.customer_aws_account_id == account)
    )
    fits = [_TESTS[name](value) for name, value in wanted.items() if name in _TESTS]
    found = [item for item in sold if mine(item.agreement) and all(fit(item, now) for fit in fits)]
    key, descending = _order(request.get("sort", {}), party)
    found.sort(key=lambda item: key(item.agreement, now), reverse=descending)
    page, token = _page(found, request)
    answer: dict[str, Any] = {"agreementViewSummaries": [_summary(item, now) for item in page]}
    if token is not None:
        answer["nextToken"] = token
    return answer


def require_party(agreement: Agreement | None, agreement_id: str, account: str) -> Agreement:
    """The agreement, if the caller is one of its two parties.

    Raises:
        AwsError: ResourceNotFoundException (404), AccessDeniedException (403).
    """
    if agreement is None:
        raise AwsError(
            "ResourceNotFoundException",
            f"There is no agreement {agreement_id}.",
            404,
            {"resourceId": agreement_id, "resourceType": "Agreement"},
        )
    if account not in (agreement.proposer_account_id, agreement.customer_aws_account_id):
        raise AwsError(
            "AccessDeniedException",
            f"Account {account} is neither proposer nor acceptor of {agreement_id}.",
            403,
            {"reason": "INVALID_ACCESS"},
        )
    return agreement


def _summary(sold: Sold, now: datetime) -> dict[str, Any]:
    agreement = sold.agreement
    described = describe(sold, now)
    behaviour = described.pop("endTimeBehavior", None)
    trial = described.pop("freeTrialSummary", None)
    described["lastUpdateTime"] = _last_update(agreement, now).timestamp()
    if now >= agreement.activates_at:
        described["entitlements"] = [{"licenseArn": agreement.license_arn}]
    if behaviour is not None:
        described["endTimeBehaviorType"] = behaviour["type"]
        if "reasonCode" in behaviour:
            described["endTimeBehaviorReasonCode"] = behaviour["reasonCode"]
    if trial is not None:
        described["freeTrialEndTime"] = trial["trialEndTime"]
    return described


def _proposal(sold: Sold) -> dict[str, Any]:
    return {
        "resources": [{"id": sold.product.product_id, "type": RESOURCE_TYPE}],
        "offerId": sold.agreement.offer_id,
    }


def _initial_id(agreement: Agreement) -> str:
    return agreement.initial_agreement_id or agreement.agreement_id


def _end_time_behaviour(agreement: Agreement, now: datetime) -> dict[str, Any] | None:
    """Present while the agreement is active and has an end."""
    if not agreement.has_term or agreement.agreement_status(now) != "ACTIVE":
        return None
    same_offer = {"renewalSummary": {"offerId": agreement.offer_id}}
    if agreement.end_reason == "REPLACED":
        return {"type": "REPLACE"}
    if agreement.auto_renew or agreement.end_reason == "RENEWED":
        return {"type": "RENEW", **same_offer}
    if agreement.renewal_disabled_by is None:
        return {"type": "EXPIRE", "reasonCode": "NO_RENEWAL_TERM"}
    return {"type": "EXPIRE", "reasonCode": f"{agreement.renewal_disabled_by}_RENEW_OPTED_OUT", **same_offer}


def _last_update(agreement: Agreement, now: datetime) -> datetime:
    moments = [agreement.accepted_at, agreement.ended_at]
    if agreement.cancellation_request is not None:
        moments.append(agreement.cancellation_request.updated_at)
    return max(moment for moment in moments if moment is not None and moment <= now)


def _terms(sold: Sold) -> Iterator[dict[str, Any]]:
    agreement, product = sold
    rate_card = [{"dimensionKey": dimension.key, "price": _NO_PRICE} for dimension in product.dimensions]

    def term(kind: str, **members: Any) -> dict[str, Any]:
        digest = hashlib.sha256(f"{agreement.offer_id}/{kind}".encode()).hexdigest()
        return {kind[0].lower() + kind[1:]: {"type": kind, "id": f"term-{digest[:20]}", **members}}

    yield term(
        "LegalTerm",
        documents=[
            {"type": "StandardEula", "url": "https://aws.amazon.com/marketplace", "version": "2022-07-14"}
        ],
    )
    yield term("SupportTerm", refundPolicy="No refunds: nothing has been paid.")
    if agreement.trial_ends_at is not None:
        yield term(
            "FreeTrialPricingTerm",
            duration=f"P{(agreement.trial_ends_at - agreement.starts_at).days}D",
            grants=[{"dimensionKey": dimension.key} for dimension in product.dimensions],
        )
    if product.has_entitlements:
        duration = _duration(agreement)
        yield term(
            "ConfigurableUpfrontPricingTerm",
            currencyCode=_CURRENCY,
            rateCards=[
                {
                    "selector": {"type": "Duration", "value": duration},
                    "constraints": {
                        "multipleDimensionSelection": "Allowed",
                        "quantityConfiguration": "Allowed",
                    },
                    "rateCard": rate_card,
                }
            ],
            configuration={
                "selectorValue": duration,
                "dimensions": [
                    {"dimensionKey": key, "dimensionValue": int(units)}
                    for key, units in agreement.entitlements.items()
                ],
            },
        )
    if product.pricing_model != "contract":
        yield term("UsageBasedPricingTerm", currencyCode=_CURRENCY, rateCards=[{"rateCard": rate_card}])
    if agreement.auto_renew or agreement.renewal_disabled_by is not None:
        yield term(
            "RenewalTerm",
            configuration={"enableAutoRenew": agreement.auto_renew},
            lockoutPeriod=f"P{LOCKOUT_BEFORE_END.days}D",
        )
    if agreement.has_term and agreement.offer_kind == "private":
        yield term(
            "ValidityTerm",
            agreementDuration=_duration(agreement),
            agreementStartDate=agreement.starts_at.timestamp(),
            agreementEndDate=agreement.end_time.timestamp(),
        )


def _duration(agreement: Agreement) -> str:
    days = (agreement.end_time - agreement.starts_at).days
    return "P12M" if days == 365 else f"P{max(days, 1)}D"


Test = Callable[[Sold, datetime], bool]


def _equals(of: Callable[[Sold, datetime], str | None]) -> Callable[[str], Test]:
    return lambda value: lambda sold, now: of(sold, now) == value


def _before(of: Callable[[Agreement, datetime], datetime]) -> Callable[[str], Test]:
    def test(value: str) -> Test:
        moment = _moment(value)
        return lambda sold, now: of(sold.agreement, now) < moment

    return test


def _after(of: Callable[[Agreement, datetime], datetime]) -> Callable[[str], Test]:
    def test(value: str) -> Test:
        moment = _moment(value)
        return lambda sold, now: of(sold.agreement, now) > moment

    return test


def _moment(value: str) -> datetime:
    try:
        return parse_rfc3339(value)
    except ValueError:
        raise _invalid("INVALID_FILTER_VALUES", f"{value!r} is no ISO 8601 moment.") from None


def _end_time(agreement: Agreement, now: datetime) -> datetime:
    return agreement.end_time


def _start_time(agreement: Agreement, now: datetime) -> datetime:
    return agreement.starts_at


def _behaviour(member: str) -> Callable[[Sold, datetime], str | None]:
    def of(sold: Sold, now: datetime) -> str | None:
        return (_end_time_behaviour(sold.agreement, now) or {}).get(member)

    return of


# Filter names -> what they ask of an agreement. PartyType chooses among the caller's agreements before.
_TESTS: dict[str, Callable[[str], Test]] = {
    "AgreementType": _equals(lambda sold, now: AGREEMENT_TYPE),
    "ResourceIdentifier": _equals(lambda sold, now: sold.product.product_id),
    "ResourceType": _equals(lambda sold, now: RESOURCE_TYPE),
    "AcceptorAccountId": _equals(lambda sold, now: sold.agreement.customer_aws_account_id),
    "OfferId": _equals(lambda sold, now: sold.agreement.offer_id),
    "Status": _equals(lambda sold, now: sold.agreement.agreement_status(now)),
    "InitialAgreementId": _equals(lambda sold, now: _initial_id(sold.agreement)),
    "LicenseArn": _equals(lambda sold, now: sold.agreement.license_arn),
    "EndTimeBehaviorType": _equals(_behaviour("type")),
    "EndTimeBehaviorReasonCode": _equals(_behaviour("reasonCode")),
    # No offer sets and no contacts are simulated: nothing is found.
    "OfferSetId": _equals(lambda sold, now: None),
    "IncludesContactOfType": _equals(lambda sold, now: None),
    "BeforeEndTime": _before(_end_time),
    "AfterEndTime": _after(_end_time),
    "BeforeStartTime": _before(_start_time),
    "AfterStartTime": _after(_start_time),
    "BeforeLastUpdateTime": _before(_last_update),
    "AfterLastUpdateTime": _after(_last_update),
}
_SORTS: dict[str, Callable[[Agreement, datetime], datetime]] = {
    "EndTime": _end_time,
    "StartTime": _start_time,
    "LastUpdateTime": _last_update,
}


def _filters(sent: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for item in sent:
        name, values = item.get("name"), item.get("values")
        if name is None:
            raise _invalid("MISSING_FILTER_NAME", "A filter has no name.")
        if not values:
            raise _invalid("MISSING_FILTER_VALUES", f"The filter {name} has no value.")
        if name != "PartyType" and name not in _TESTS:
            raise _invalid("INVALID_FILTER_NAME", f"{name} is no filter of SearchAgreements.")
        if name in wanted:
            raise _invalid("INVALID_FILTERS", f"The filter {name} appears twice.")
        wanted[name] = values[0]
    if "PartyType" not in wanted:
        raise _invalid("MISSING_PARTY_TYPE", "The filter PartyType is required.")
    if wanted["PartyType"] not in ("Proposer", "Acceptor"):
        raise _invalid("INVALID_PARTY_TYPE", "PartyType is Proposer or Acceptor.")
    if "AgreementType" not in wanted:
        raise _invalid("UNSUPPORTED_FILTERS", "The filter AgreementType is required.")
    if wanted["PartyType"] == "Acceptor":
        _require_acceptors(set(wanted) - {"PartyType", "AgreementType"} - _END_TIME_FILTERS)
    return wanted


def _require_acceptors(names: set[str]) -> None:
    subjects = names & _ACCEPTOR_SUBJECTS
    supported = names == {"ResourceType"} or (len(subjects) <= 1 and names - subjects <= {"Status"})
    if not supported:
        raise _invalid("UNSUPPORTED_FILTERS", "An acceptor cannot combine these filters.")


def _order(sort: Mapping[str, str], party: str) -> tuple[Callable[[Agreement, datetime], datetime], bool]:
    by = sort.get("sortBy", "EndTime")
    if by not in _SORTS or (party == "Acceptor" and by != "EndTime"):
        raise _invalid("INVALID_SORT_BY", f"An agreement of a {party} cannot be sorted by {by}.")
    return _SORTS[by], sort.get("sortOrder", "DESCENDING") == "DESCENDING"


def _page(rows: list[Any], request: Mapping[str, Any]) -> tuple[list[Any], str | None]:
    start = _read_token(request["nextToken"]) if request.get("nextToken") else 0
    end = start + request.get("maxResults", LARGEST_PAGE)
    token = base64.urlsafe_b64encode(f"from:{end}".encode()).decode() if end < len(rows) else None
    return rows[start:end], token


def _read_token(token: str) -> int:
    try:
        word, _, offset = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "from" and offset.isascii() and offset.isdigit() and len(offset) < 10:
            return int(offset)
    except (binascii.Error, UnicodeError, ValueError):
        pass
    raise _invalid("INVALID_NEXT_TOKEN", "nextToken is not one that this service gave.")


def _invalid(reason: str, message: str) -> AwsError:
    return AwsError("ValidationException", message, 400, {"reason": reason})
