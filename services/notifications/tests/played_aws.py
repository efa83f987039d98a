"""AWS's two read APIs as boto3's clients show them, played: pages, errors, and what happens meanwhile."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError


def refusal(code: str, status: int = 400, operation: str = "GetEntitlements") -> ClientError:
    """An error answer of AWS."""
    answer: Any = {"Error": {"Code": code, "Message": "..."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def entitlement(dimension: str, value: Any, expires_at: datetime | None = None) -> dict[str, Any]:
    """A row of GetEntitlements."""
    member = {int: "IntegerValue", float: "DoubleValue", bool: "BooleanValue", str: "StringValue"}[
        type(value)
    ]
    row = {"Dimension": dimension, "Value": {member: value}}
    return row | ({"ExpirationDate": expires_at} if expires_at else {})


class PlayedAws:
    """Stands for both boto3 clients.

    Attributes:
        pages: of GetEntitlements, in their order; `{}` is what AWS sends when it has nothing to say.
        agreements: what DescribeAgreement says, by agreement id.
        listed: what SearchAgreements says, page by page.
        fails: the error of an operation, while it stands here.
        meanwhile: each is called once, after an answer was made and before it is given.
        asked: every request.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.pages: list[dict[str, Any]] = [{}]
        self.agreements: dict[str, dict[str, Any]] = {}
        self.listed: list[list[dict[str, Any]]] = [[]]
        self.fails: dict[str, Exception] = {}
        self.meanwhile: list[Callable[[], object]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def sells(self, *rows: dict[str, Any]) -> None:
        self.pages = [{"Entitlements": list(rows)}]

    def get_entitlements(self, **request: Any) -> dict[str, Any]:
        number = int(request.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return self._answer("GetEntitlements", request, self.pages[number] | more)

    def describe_agreement(self, **request: Any) -> dict[str, Any]:
        answer = self.agreements.get(request["agreementId"])
        if answer is None and "DescribeAgreement" not in self.fails:
            self.asked.append(("DescribeAgreement", request))
            raise refusal("ResourceNotFoundException", 404, "DescribeAgreement")
        return self._answer("DescribeAgreement", request, answer or {})

    def search_agreements(self, **request: Any) -> dict[str, Any]:
        wanted = {one["name"]: one["values"] for one in request["filters"]}
        assert wanted == {
            "PartyType": ["Proposer"],
            "AgreementType": ["PurchaseAgreement"],
            "Status": ["ACTIVE"],
        }
        number = int(request.get("nextToken", "0"))
        more = {"nextToken": str(number + 1)} if number + 1 < len(self.listed) else {}
        # With nothing to say AWS may leave a list out.
        rows = {"agreementViewSummaries": self.listed[number]} if self.listed[number] else {}
        return self._answer("SearchAgreements", request, rows | more)

    def operations(self) -> list[str]:
        """What was asked since this was called last."""
        asked, self.asked = [operation for operation, _ in self.asked], []
        return asked

    def _answer(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, dict(request)))
        if operation in self.fails:
            raise self.fails[operation]
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return answer
