"""Asks AWS Marketplace. The only file that speaks to it."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import botocore.exceptions
import botocore.parsers

from chassis import tracing
from chassis.checks import call_check
from chassis.doctor import Check, Ill
from registration import entitlements
from registration.arriving import EntitlementsNotRead
from registration.entitlements import Entitlement
from registration.resolve_refusals import Refusal, TokenNotResolved, name_refusal
from registration.resolved_purchase import ResolvedPurchase

# botocore's errors where no answer came, or none that could be read. Its others (no credentials, a bad
# profile) are ours.
_NO_ANSWER = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.parsers.ResponseParserError,
)

_CATALOG = "AWSMarketplace"


class ParameterNotPut(Exception):
    """AWS did not take a deployment parameter.

    Args:
        error_code: AWS's name of the error. Never its message: it could repeat the secret.
    """

    def __init__(self, error_code: str) -> None:
        super().__init__(error_code)
        self.error_code = error_code


class Marketplace:
    """AWS Marketplace, as far as registration needs it.

    Args:
        metering_client: boto3's `meteringmarketplace`, with credentials of the account that published the
            product.
        entitlement_client: boto3's `marketplace-entitlement`, in the one Region that has it.
        deployment_client: boto3's `marketplace-deployment`.
    """

    def __init__(self, metering_client: Any, entitlement_client: Any, deployment_client: Any) -> None:
        self._metering = metering_client
        self._entitlement = entitlement_client
        self._deployment = deployment_client

    def checks(self, contracts: Iterable[str]) -> list[Check]:
        """Whether AWS answers us: it is asked for a token that never was, and for what contracts grant.

        Args:
            contracts: the product codes of which AWS knows entitlements.
        """
        resolving = "ResolveCustomer of AWS Marketplace"
        return [
            call_check(resolving, lambda: self._metering.resolve_customer(RegistrationToken="none")),
            *(
                call_check(
                    f"GetEntitlements of AWS Marketplace, {code}",
                    lambda code=code: self._entitlement.get_entitlements(ProductCode=code, MaxResults=1),  # type: ignore[misc]
                    {"InvalidParameterException": _not_our_product()},
                )
                for code in contracts
            ),
        ]

    def resolve_customer(self, registration_token: str) -> dict[str, Any]:
        """What AWS says the token stands for. Until it expires it resolves to the same, so repeats are safe.

        Raises:
            TokenNotResolved: with the reason. Nothing of AWS's own message goes on: it could repeat the
                token.
        """
        try:
            with tracing.of_call("ResolveCustomer"):
                answer: dict[str, Any] = self._metering.resolve_customer(RegistrationToken=registration_token)
        except botocore.exceptions.ClientError as error:
            raise TokenNotResolved(_refusal(error), _code(error)) from None
        except _NO_ANSWER as error:
            raise TokenNotResolved(Refusal.AWAY, type(error).__name__) from None
        except botocore.exceptions.BotoCoreError as error:
            raise TokenNotResolved(Refusal.OUR_FAULT, type(error).__name__) from None
        return answer

    def entitlements(self, purchase: ResolvedPurchase) -> tuple[Entitlement, ...]:
        """What a contract grants: all pages; none where AWS's answer has no such key.

        Raises:
            EntitlementsNotRead: AWS could not be asked. That is not "none".
        """
        try:
            return entitlements.understand(self._entitlement_rows(purchase))
        except botocore.exceptions.ClientError as error:
            our_fault = _refusal(error) is not Refusal.AWAY
            raise EntitlementsNotRead(_code(error), our_fault) from None
        except _NO_ANSWER as error:
            raise EntitlementsNotRead(type(error).__name__, our_fault=False) from None
        except botocore.exceptions.BotoCoreError as error:
            raise EntitlementsNotRead(type(error).__name__, our_fault=True) from None

    def _entitlement_rows(self, purchase: ResolvedPurchase) -> Iterator[dict[str, Any]]:
        if purchase.generation == "legacy":
            who = {"CUSTOMER_IDENTIFIER": [purchase.customer_identifier]}
        else:
            who = {"LICENSE_ARN": [purchase.license_arn]}
        request: dict[str, Any] = {"ProductCode": purchase.product_code, "Filter": who}
        while True:
            with tracing.of_call("GetEntitlements"):
                page = self._entitlement.get_entitlements(**request)
            yield from page.get("Entitlements", [])
            # An empty page may still lead on, so the token decides and not the rows (botocore's model).
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]

    def put_deployment_parameter(
        self, product_id: str, agreement_id: str, name: str, secret: str, idempotency_key: str
    ) -> None:
        """Hand a Quick Launch buyer's stack what it needs: AWS keeps it as a secret in the buyer's account.

        Args:
            product_id: `prod-…`, not the product code.
            agreement_id: the purchase.
            name: of the parameter, as the seller's template names it.
            secret: its value, 1 to 15000 characters.
            idempotency_key: the same for each try.

        Raises:
            ParameterNotPut: see there.
        """
        try:
            with tracing.of_call("PutDeploymentParameter"):
                answer = self._deployment.put_deployment_parameter(
                    catalog=_CATALOG,
                    productId=product_id,
                    agreementId=agreement_id,
                    deploymentParameter={"name": name, "secretString": secret},
                    # 32 to 64 characters (botocore's model).
                    clientToken=hashlib.sha256(idempotency_key.encode()).hexdigest(),
                )
        except botocore.exceptions.ClientError as error:
            raise ParameterNotPut(_code(error)) from None
        except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError) as error:
            raise ParameterNotPut(type(error).__name__) from None
        if not answer.get("deploymentParameterId"):
            # botocore reads a garbled 200 as an answer without members.
            raise ParameterNotPut("no deploymentParameterId in the answer")


def _not_our_product() -> Ill:
    return Ill(
        "AWS knows no product of this code in this account.",
        "Write the product code into the catalogue (not the `prod-` id), and call as the account that "
        "published the product.",
    )


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _refusal(error: botocore.exceptions.ClientError) -> Refusal:
    message = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return name_refusal(_code(error), message, status)
