"""What AWS answers, read as it is; and what its refusals mean."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import botocore.exceptions
import pytest
import samples
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber
from played_aws import PlayedAws, entitlement, refusal
from structlog.testing import capture_logs

from notifications.folding import fold
from notifications.marketplace import (
    MOST_PAGES,
    QUESTIONS,
    Away,
    Marketplace,
    NotAnswered,
    OurFault,
    home_region,
)
from notifications.purchase import Agreement, Entitlement, ValueType
from notifications.subscription import Subscription

IN_A_YEAR = samples.after(days=365)
OPEN_ENDED = datetime(9999, 1, 1, tzinfo=UTC)


def subscription(body: str) -> Subscription:
    (one,) = fold([samples.news_of(body)], samples.T0)
    return one


AGREEMENT = subscription(samples.contract_updated(samples.T0, "e1"))
LEGACY = subscription(
    samples.action("subscribe-success", samples.T0, "m1", **{"product-code": samples.LEGACY_CONTRACT})
)


@pytest.fixture
def aws() -> PlayedAws:
    return PlayedAws()


@pytest.fixture
def marketplace(aws: PlayedAws) -> Marketplace:
    return Marketplace(aws, aws)


def counted(operation: str, outcome: str) -> float:
    return float(QUESTIONS.labels(operation, outcome)._value.get())


def test_all_pages_are_read_and_an_empty_one_is_not_the_last(
    aws: PlayedAws, marketplace: Marketplace
) -> None:
    aws.pages = [
        {"Entitlements": [entitlement("seats", 20)]},
        {"Entitlements": []},
        {},
        {"Entitlements": [entitlement("regions", 3), entitlement("plan", "gold")]},
    ]
    assert [one.dimension for one in marketplace.entitlements(AGREEMENT)] == ["seats", "regions", "plan"]
    assert [request.get("NextToken") for _, request in aws.asked] == [None, "1", "2", "3"]


@pytest.mark.parametrize("page", [{}, {"Entitlements": []}])
def test_no_entitlements_are_none_with_and_without_the_key(
    aws: PlayedAws, marketplace: Marketplace, page: dict[str, Any]
) -> None:
    aws.pages = [page]
    assert marketplace.entitlements(AGREEMENT) == []


def test_each_generation_is_asked_for_by_its_own_identity(aws: PlayedAws, marketplace: Marketplace) -> None:
    marketplace.entitlements(AGREEMENT)
    marketplace.entitlements(LEGACY)
    assert [request for _, request in aws.asked] == [
        {"ProductCode": samples.CONTRACT, "Filter": {"LICENSE_ARN": [samples.ARN]}},
        {
            "ProductCode": samples.LEGACY_CONTRACT,
            "Filter": {"CUSTOMER_IDENTIFIER": [samples.LEGACY_CUSTOMER]},
        },
    ]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (20, ValueType.INTEGER, "20"),
        (0, ValueType.INTEGER, "0"),
        (1.5, ValueType.DOUBLE, "1.5"),
        (1e22, ValueType.DOUBLE, "10000000000000000000000"),
        (True, ValueType.BOOLEAN, "true"),
        (False, ValueType.BOOLEAN, "false"),
        ("gold", ValueType.STRING, "gold"),
        ("", ValueType.STRING, ""),
    ],
)
def test_values_of_each_kind(
    aws: PlayedAws, marketplace: Marketplace, value: Any, kind: ValueType, text: str
) -> None:
    aws.sells(entitlement("d", value))
    assert marketplace.entitlements(AGREEMENT) == [Entitlement(dimension="d", type=kind, value=text)]


def test_times_are_utc_and_the_year_9999_is_no_end(aws: PlayedAws, marketplace: Marketplace) -> None:
    here = IN_A_YEAR.astimezone(timezone(timedelta(hours=-5)))
    aws.sells(entitlement("a", 1, here), entitlement("b", 1, OPEN_ENDED))
    first, second = marketplace.entitlements(AGREEMENT)
    assert (first.expires_at, second.expires_at) == (IN_A_YEAR, None)
    assert first.expires_at is not None
    assert first.expires_at.tzinfo is UTC


@pytest.mark.parametrize(
    "row",
    [
        {"Dimension": "d"},
        {"Dimension": "d", "Value": {}},
        {"Value": {"IntegerValue": 1}},
        {"Dimension": "d", "Value": {"MoneyValue": 1}},
        {"Dimension": "d", "Value": {"IntegerValue": 1, "StringValue": "1"}},
    ],
)
def test_what_cannot_be_read_is_never_taken_for_none(
    aws: PlayedAws, marketplace: Marketplace, row: dict[str, Any]
) -> None:
    aws.sells(entitlement("good", 1), row)
    with pytest.raises(OurFault, match=r"^GetEntitlements: unreadable answer "):
        marketplace.entitlements(AGREEMENT)


def test_a_token_that_never_ends_is_given_up(aws: PlayedAws, marketplace: Marketplace) -> None:
    aws.pages = [{}] * (MOST_PAGES + 1)
    with pytest.raises(OurFault, match="more than 400 pages"):
        marketplace.entitlements(AGREEMENT)
    assert len(aws.asked) == MOST_PAGES


REFUSALS: list[tuple[Exception, type[NotAnswered], str]] = [
    (refusal("ThrottlingException"), Away, "away"),
    (refusal("InternalServiceErrorException", 500), Away, "away"),
    (refusal("ServiceUnavailable", 503), Away, "away"),
    (botocore.exceptions.ReadTimeoutError(endpoint_url="x"), Away, "away"),
    (botocore.exceptions.EndpointConnectionError(endpoint_url="x"), Away, "away"),
    (ResponseParserError("x"), Away, "away"),
    (refusal("AccessDeniedException"), OurFault, "our_fault"),
    (refusal("InvalidParameterException"), OurFault, "our_fault"),
    (refusal("ExpiredTokenException"), OurFault, "our_fault"),
    (botocore.exceptions.NoCredentialsError(), OurFault, "our_fault"),
]


@pytest.mark.parametrize(("error", "named", "outcome"), REFUSALS, ids=lambda value: repr(value)[:40])
def test_refusals_have_names(
    aws: PlayedAws, marketplace: Marketplace, error: Exception, named: type[NotAnswered], outcome: str
) -> None:
    before = counted("GetEntitlements", outcome)
    aws.fails["GetEntitlements"] = error
    with pytest.raises(named) as raised:
        marketplace.entitlements(AGREEMENT)
    assert type(raised.value) is named
    assert raised.value.operation == "GetEntitlements"
    assert counted("GetEntitlements", outcome) == before + 1


def test_a_failure_on_the_second_page_answers_nothing(aws: PlayedAws, marketplace: Marketplace) -> None:
    aws.pages = [{"Entitlements": [entitlement("seats", 20)]}, {}]
    aws.meanwhile = [lambda: aws.fails.update(GetEntitlements=refusal("ThrottlingException"))]
    with pytest.raises(Away):
        marketplace.entitlements(AGREEMENT)
    assert len(aws.asked) == 2


@pytest.mark.parametrize(
    ("answer", "agreement"),
    [
        ({}, Agreement()),
        ({"endTime": OPEN_ENDED}, Agreement()),
        ({"endTime": IN_A_YEAR}, Agreement(ends_at=IN_A_YEAR)),
        ({"freeTrialSummary": {"trialEndTime": IN_A_YEAR}}, Agreement(trial_ends_at=IN_A_YEAR)),
    ],
)
def test_an_agreement(
    aws: PlayedAws, marketplace: Marketplace, answer: dict[str, Any], agreement: Agreement
) -> None:
    aws.agreements["agmt-EXAMPLE"] = answer
    assert marketplace.agreement("agmt-EXAMPLE") == agreement


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "ResourceNotFoundException"])
def test_an_agreement_that_is_closed_to_us_is_not_known_and_told_once(aws: PlayedAws, code: str) -> None:
    marketplace = Marketplace(aws, aws)
    aws.fails["DescribeAgreement"] = refusal(code, 403)
    before = counted("DescribeAgreement", "not_known")
    with capture_logs() as logs:
        assert [marketplace.agreement("agmt-EXAMPLE") for _ in range(3)] == [None, None, None]
    assert counted("DescribeAgreement", "not_known") == before + 3
    (line,) = logs
    assert line["log_level"] == "warning"
    assert line["code"] == code
    assert "grant aws-marketplace:DescribeAgreement" in line["event"]


@pytest.mark.parametrize(
    ("code", "status", "named"),
    [
        ("ThrottlingException", 429, Away),
        ("InternalServerException", 500, Away),
        ("ValidationException", 400, OurFault),
    ],
)
def test_other_refusals_of_an_agreement_have_names(
    aws: PlayedAws, marketplace: Marketplace, code: str, status: int, named: type[NotAnswered]
) -> None:
    aws.fails["DescribeAgreement"] = refusal(code, status)
    with pytest.raises(named, match=f"^DescribeAgreement: {code}$"):
        marketplace.agreement("agmt-EXAMPLE")


def test_the_calls_fit_aws_s_own_model() -> None:
    """boto3 checks requests and answers against AWS's service models."""
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    entitlements = boto3.client("marketplace-entitlement", **credentials)
    agreements = boto3.client("marketplace-agreement", **credentials)
    row = {"ProductCode": samples.CONTRACT, "LicenseArn": samples.ARN} | entitlement("seats", 20, IN_A_YEAR)
    asked = {"ProductCode": samples.CONTRACT, "Filter": {"LICENSE_ARN": [samples.ARN]}}
    ends = {"endTime": IN_A_YEAR, "freeTrialSummary": {"trialEndTime": samples.after(days=30)}}
    with Stubber(entitlements) as first, Stubber(agreements) as second:
        first.add_response("get_entitlements", {"Entitlements": [row], "NextToken": "t"}, asked)
        first.add_response("get_entitlements", {}, asked | {"NextToken": "t"})
        second.add_response("describe_agreement", ends, {"agreementId": "agmt-EXAMPLE"})
        marketplace = Marketplace(entitlements, agreements)
        assert marketplace.entitlements(AGREEMENT) == [
            Entitlement(dimension="seats", type=ValueType.INTEGER, value="20", expires_at=IN_A_YEAR)
        ]
        assert marketplace.agreement("agmt-EXAMPLE") == Agreement(
            trial_ends_at=samples.after(days=30), ends_at=IN_A_YEAR
        )
        first.assert_no_pending_responses()
        second.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("region", "home"),
    [
        ("us-east-1", "us-east-1"),
        ("eu-central-1", "us-east-1"),
        ("cn-north-1", "cn-northwest-1"),
        ("eusc-de-east-1", "eusc-de-east-1"),
    ],
)
def test_both_apis_live_in_one_region_of_a_partition(region: str, home: str) -> None:
    assert home_region(region) == home
