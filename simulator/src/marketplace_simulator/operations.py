"""The simulated operations as botocore's own models describe them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import botocore.session
from botocore.model import OperationModel, Shape, StructureShape

from marketplace_simulator.aws_errors import AwsError
from marketplace_simulator.quick_check import quick_check
from marketplace_simulator.shapes import Reader, Violation, reader_of
from marketplace_simulator.signatures import METERING_REGIONS, ONLY_REGION

# botocore's service -> what a seller uses of it.
_SIMULATED = {
    "meteringmarketplace": ("ResolveCustomer", "BatchMeterUsage", "MeterUsage", "RegisterUsage"),
    "marketplace-entitlement": ("GetEntitlements",),
    "marketplace-agreement": ("DescribeAgreement", "GetAgreementTerms", "SearchAgreements"),
    "marketplace-deployment": ("PutDeploymentParameter",),
}
# The protocols of the models, as the wire calls its languages.
_LANGUAGES = {"smithy-rpc-v2-cbor": "cbor", "json": "json", "rest-json": "rest-json"}
_MOST_VIOLATIONS_TOLD = 10


class Route(NamedTuple):
    """Where a REST operation is: `path` matches the path as sent, its groups are members of the request."""

    method: str
    path: re.Pattern[str]


@dataclass(frozen=True)
class Operation:
    """One operation: how its request is read, how its answer is shaped, which errors it has.

    Args:
        fits: whether a request fits as it is, judged quickly.
        read: reads any request, and says what is wrong with it.
        languages: `json`, `cbor`, `rest-json`: those that its service's model lists.
        regions: where its service is.
        error_statuses: HTTP status of each error that the model gives one.
        says_request_id: whether its errors carry `requestId`.
        says_field_name: whether its ValidationException carries `fieldName`.
        route: of a REST operation.
    """

    target: str
    name: str
    languages: frozenset[str]
    regions: frozenset[str]
    fits: Callable[[Any], bool]
    read: Reader
    output: Shape | None
    errors: frozenset[str]
    error_statuses: dict[str, int]
    says_request_id: bool
    says_field_name: bool
    route: Route | None

    @property
    def internal_error(self) -> str:
        """What the service calls its own failures."""
        name = "InternalServerException"
        return name if name in self.errors else "InternalServiceErrorException"

    def members_of(self, value: Any) -> tuple[Any, list[Violation]]:
        """The members of a request and the limits that it breaks; see `shapes.reader_of`."""
        if self.fits(value):
            return value, []
        return self.read(value)

    def refusal_of(self, violations: list[Violation]) -> AwsError:
        """The error that names the broken limits: the first one's own error where the service has one.

        AWS documents InvalidTagException for a bad tag or a sixth, InvalidLicenseException for a malformed
        ARN and InvalidParameterException for GetEntitlements; the rest is ValidationException (assumed).
        """
        first = violations[0]
        code = "ValidationException"
        if "Tags" in first.path and "InvalidTagException" in self.errors:
            code = "InvalidTagException"
        elif first.path[-1] == "LicenseArn" and "InvalidLicenseException" in self.errors:
            code = "InvalidLicenseException"
        elif "InvalidParameterException" in self.errors:
            code = "InvalidParameterException"
        told = violations[:_MOST_VIOLATIONS_TOLD]
        many = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected: "
        members: dict[str, Any] = {}
        if self.says_field_name:
            members = {"fieldName": ".".join(first.path)}
        if self.says_request_id:
            fields = [{"name": ".".join(item.path), "message": item.reason} for item in told]
            members = {"reason": "OTHER", "fields": fields}
        return AwsError(code, many + "; ".join(map(str, told)), members=members)


@cache
def operations() -> dict[str, Operation]:
    """Every simulated operation by `<service>.<operation>`, the form of X-Amz-Target.

    A REST service has no such name; botocore's name of it stands there.
    """
    session = botocore.session.get_session()
    found: dict[str, Operation] = {}
    for service_name, names in _SIMULATED.items():
        service = session.get_service_model(service_name)
        regional = service_name == "meteringmarketplace"
        for name in names:
            model: OperationModel = service.operation_model(name)
            statuses = {
                shape.name: shape.metadata.get("error", {}).get("httpStatusCode")
                for shape in model.error_shapes
            }
            operation = Operation(
                target=f"{service.metadata.get('targetPrefix', service_name)}.{name}",
                name=name,
                languages=frozenset(
                    _LANGUAGES[protocol]
                    for protocol in service.metadata["protocols"]
                    if protocol in _LANGUAGES
                ),
                regions=METERING_REGIONS if regional else frozenset([ONLY_REGION]),
                fits=quick_check(model.input_shape),
                read=reader_of(model.input_shape),
                output=model.output_shape,
                errors=frozenset(statuses),
                error_statuses={code: status for code, status in statuses.items() if status},
                says_request_id=any("requestId" in shape.members for shape in model.error_shapes),
                says_field_name=any("fieldName" in shape.members for shape in model.error_shapes),
                route=_route(model) if "rest-json" in service.metadata["protocols"] else None,
            )
            found[operation.target] = operation
    return found


def _route(model: OperationModel) -> Route:
    shape = model.input_shape
    assert isinstance(shape, StructureShape), "a REST operation without a request"
    members = {
        member.serialization["name"]: name
        for name, member in shape.members.items()
        if member.serialization.get("location") == "uri"
    }
    path = re.sub(
        r"\\{(\w+)\\}",
        lambda label: f"(?P<{members[label[1]]}>[^/]+)",
        re.escape(model.http["requestUri"]),
    )
    return Route(model.http["method"], re.compile(path))
