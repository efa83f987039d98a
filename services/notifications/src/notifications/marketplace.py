"""AWS Marketplace as notifications asks it: GetEntitlements, DescribeAgreement and SearchAgreements. The only
file that speaks to it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError
from prometheus_client import Counter

from chassis import tracing
from chassis.aws import error_code, is_outage
from chassis.checks import call_check
from chassis.doctor import Check, Ill
from notifications.news import Generation
from notifications.purchase import Agreement, Entitlement, ValueType
from notifications.reconciliations import ListedAgreement
from notifications.subscription import Subscription

log = structlog.get_logger()

QUESTIONS = Counter(
    "marketplane_marketplace_questions_total",
    "Questions to AWS by what came of them; any `our_fault` needs a person.",
    ["operation", "outcome"],
)

# From nought on: of a counter that begins with its first event Prometheus sees no increase.
for operation in ("GetEntitlements", "DescribeAgreement", "SearchAgreements"):
    QUESTIONS.labels(operation, "our_fault")

MOST_PAGES = 400
"""AWS gives up to 25 entitlements a page. So many (10,000) do not fit into one item of DynamoDB (400 KB): a
token that never ends must not keep us asking for ever."""

OPEN_ENDED = 9999
"""AWS writes "without an end" as 9999-01-01T00:00:00Z."""

# botocore's errors where no answer came, or none that could be read. Its others (no credentials, a bad
# profile, a wrong parameter) are ours.
_NO_ANSWER = (ConnectionError, HTTPClientError, ResponseParserError)

# AccessDeniedException is in the model; AccessDenied is how AWS's front refuses a request without permission.
_DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
_NOT_FOUND = "ResourceNotFoundException"

_VALUES = {
    "IntegerValue": ValueType.INTEGER,
    "DoubleValue": ValueType.DOUBLE,
    "BooleanValue": ValueType.BOOLEAN,
    "StringValue": ValueType.STRING,
}


class NotAnswered(Exception):
    """A question that AWS did not answer. What was known before stays true as far as we know.

    Args:
        operation: what was asked.
        code: AWS's name of the error, or that of the exception where no answer came.
    """

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"{operation}: {code}")
        self.operation = operation
        self.code = code


class Away(NotAnswered):
    """AWS is down, slow or throttling us. The same question may be answered in a moment."""


class OurFault(NotAnswered):
    """Credentials, permissions, a product code that is not ours, or an answer that we cannot read. No retry
    mends it; a person must. It is asked again all the same, so that the mend needs no more than itself."""


def home_region(region: str) -> str:
    """The one Region of a partition where both APIs live. boto3 makes up a host for every other.

    Args:
        region: any Region of the partition, such as that of our tables.
    """
    if region.startswith("cn-"):
        return "cn-northwest-1"
    if region.startswith("eusc-"):
        return "eusc-de-east-1"
    return "us-east-1"


class Marketplace:
    """What AWS knows of purchases.

    Args:
        entitlements: a boto3 `marketplace-entitlement` client of the home Region, with credentials of the
            account that published the products.
        agreements: a boto3 `marketplace-agreement` client of the same.
    """

    def __init__(self, entitlements: Any, agreements: Any) -> None:
        self._entitlements = entitlements
        self._agreements = agreements
        self._told: set[str] = set()

    def checks(self, contracts: Iterable[str], agreements: bool) -> list[Check]:
        """Whether AWS answers us: it is asked for what contracts entitle to, and for an agreement that never
        was.

        Args:
            contracts: the product codes of which AWS knows entitlements.
            agreements: whether agreements are asked for at all.
        """
        not_ours = Ill(
            "AWS knows no product of this code in this account.",
            "Write the product code into the catalogue (not the `prod-` id), and call as the account that "
            "published the product.",
        )
        found = [
            call_check(
                f"GetEntitlements of AWS Marketplace, {code}",
                lambda code=code: self._entitlements.get_entitlements(ProductCode=code, MaxResults=1),  # type: ignore[misc]
                {"InvalidParameterException": not_ours},
            )
            for code in contracts
        ]
        if agreements:
            asking = "DescribeAgreement of AWS Marketplace"
            found.append(
                call_check(asking, lambda: self._agreements.describe_agreement(agreementId="agmt-none"))
            )
        return found

    def entitlements(self, subscription: Subscription) -> list[Entitlement]:
        """What a buyer is entitled to now, of all pages. Empty where AWS says none.

        Raises:
            Away, OurFault: see there.
        """
        operation = "GetEntitlements"
        try:
            found = [_entitlement(row) for row in self._rows(subscription)]
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            raise _named(operation, error) from error
        except (KeyError, ValueError) as error:
            QUESTIONS.labels(operation, "our_fault").inc()
            raise OurFault(operation, f"unreadable answer ({error})") from error
        QUESTIONS.labels(operation, "answered").inc()
        return found

    def agreement(self, agreement_id: str) -> Agreement | None:
        """What AWS says of an agreement; None where it is not told to us: without permission, or sold by a
        channel partner, to which we are no party.

        Raises:
            Away, OurFault: see there.
        """
        operation = "DescribeAgreement"
        try:
            with tracing.of_call(operation):
                answer = self._agreements.describe_agreement(agreementId=agreement_id)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            code = error_code(error)
            if code not in _DENIED and code != _NOT_FOUND:
                raise _named(operation, error) from error
            QUESTIONS.labels(operation, "not_known").inc()
            self._tell_of_denial(code)
            return None
        QUESTIONS.labels(operation, "answered").inc()
        return Agreement(
            trial_ends_at=_moment(answer.get("freeTrialSummary", {}).get("trialEndTime")),
            ends_at=_moment(answer.get("endTime")),
            status=answer.get("status"),
        )

    def active_agreements(self, token: str | None) -> tuple[list[ListedAgreement], str | None]:
        """Some of the agreements by which we sell now, and the token to go on with; None at the end. What a
        channel partner sells is not among them.

        Raises:
            Away, OurFault: see there.
        """
        operation = "SearchAgreements"
        wanted = {"PartyType": "Proposer", "AgreementType": "PurchaseAgreement", "Status": "ACTIVE"}
        request: dict[str, Any] = {
            "catalog": "AWSMarketplace",
            "filters": [{"name": name, "values": [value]} for name, value in wanted.items()],
            "maxResults": 50,
        }
        try:
            with tracing.of_call(operation):
                answer = self._agreements.search_agreements(
                    **request, **({"nextToken": token} if token else {})
                )
            listed = [_listed(one) for one in answer.get("agreementViewSummaries", [])]
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            raise _named(operation, error) from error
        except KeyError as error:
            QUESTIONS.labels(operation, "our_fault").inc()
            raise OurFault(operation, f"unreadable answer ({error})") from error
        QUESTIONS.labels(operation, "answered").inc()
        return listed, answer.get("nextToken")

    def _rows(self, subscription: Subscription) -> Iterator[dict[str, Any]]:
        """Every page. An empty one may still have a token, and with nothing to say AWS leaves `Entitlements`
        out (GetEntitlements' model; boto3's issue 1258)."""
        wanted = (
            {"CUSTOMER_IDENTIFIER": [subscription.customer_identifier]}
            if subscription.generation == Generation.LEGACY
            else {"LICENSE_ARN": [subscription.license_arn]}
        )
        request: dict[str, Any] = {"ProductCode": subscription.product_code, "Filter": wanted}
        for _ in range(MOST_PAGES):
            with tracing.of_call("GetEntitlements"):
                page = self._entitlements.get_entitlements(**request)
            yield from page.get("Entitlements", [])
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]
        raise ValueError(f"more than {MOST_PAGES} pages")

    def _tell_of_denial(self, code: str) -> None:
        if code not in self._told:
            log.warning(
                "AWS does not let us read an agreement; its trial and its end stay unknown. Agreements that "
                "a channel partner sold are closed to us; for all others grant "
                "aws-marketplace:DescribeAgreement, or set DESCRIBE_AGREEMENTS=false. Not told again.",
                code=code,
            )
        self._told.add(code)


def _named(operation: str, error: Exception) -> NotAnswered:
    away = is_outage(error) if isinstance(error, ClientError) else isinstance(error, _NO_ANSWER)
    QUESTIONS.labels(operation, "away" if away else "our_fault").inc()
    return (Away if away else OurFault)(operation, error_code(error))


def _listed(one: dict[str, Any]) -> ListedAgreement:
    proposal = one.get("proposalSummary", {})
    return ListedAgreement(
        agreement_id=one["agreementId"],
        product_ids=tuple(resource["id"] for resource in proposal.get("resources", []) if "id" in resource),
        license_arns=tuple(row["licenseArn"] for row in one.get("entitlements", []) if row.get("licenseArn")),
        customer_aws_account_id=one.get("acceptor", {}).get("accountId"),
        offer_id=proposal.get("offerId"),
        accepted_at=_moment(one.get("acceptanceTime")),
        starts_at=_moment(one.get("startTime")),
        ends_at=_moment(one.get("endTime")),
    )


def _entitlement(row: dict[str, Any]) -> Entitlement:
    """Exactly one member of `Value` is set, by the type of the dimension."""
    ((member, value),) = row["Value"].items()
    return Entitlement(
        dimension=row["Dimension"],
        type=_VALUES[member],
        value=_text(value),
        expires_at=_moment(row.get("ExpirationDate")),
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # Without an exponent: `1e+22` is no number to a reader that looks for digits.
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)


def _moment(value: datetime | None) -> datetime | None:
    """boto3 reads times in the host's zone."""
    if value is None:
        return None
    moment = value.astimezone(UTC)
    return None if moment.year >= OPEN_ENDED else moment
