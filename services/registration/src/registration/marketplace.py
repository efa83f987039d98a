"""Asks AWS Marketplace. The only file that speaks to it."""

from typing import Any

import botocore.exceptions
import botocore.parsers

from registration.resolve_refusals import Refusal, TokenNotResolved, name_refusal

# botocore's errors where no answer came, or none that could be read. Its others (no credentials, a bad
# profile) are ours.
_NO_ANSWER = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.parsers.ResponseParserError,
)


class Marketplace:
    """AWS Marketplace Metering Service, as far as registration needs it.

    Args:
        metering_client: boto3's `meteringmarketplace`, with credentials of the account that published the
            product.
    """

    def __init__(self, metering_client: Any) -> None:
        self._metering = metering_client

    def resolve_customer(self, registration_token: str) -> dict[str, Any]:
        """What AWS says the token stands for. Until it expires it resolves to the same, so repeats are safe.

        Raises:
            TokenNotResolved: with the reason. Nothing of AWS's own message goes on: it could repeat the
                token.
        """
        try:
            answer: dict[str, Any] = self._metering.resolve_customer(RegistrationToken=registration_token)
        except botocore.exceptions.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            message = error.response.get("Error", {}).get("Message", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise TokenNotResolved(name_refusal(code, message, status), code) from None
        except _NO_ANSWER as error:
            raise TokenNotResolved(Refusal.AWAY, type(error).__name__) from None
        except botocore.exceptions.BotoCoreError as error:
            raise TokenNotResolved(Refusal.OUR_FAULT, type(error).__name__) from None
        return answer
