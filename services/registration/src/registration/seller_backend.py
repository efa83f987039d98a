"""Asks the seller's own back end for an account, by a signed POST. The only file that speaks to it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from standardwebhooks.webhooks import Webhook

from chassis import tracing
from registration.handing_over import NotAnswered

_LONGEST_ANSWER = 64 * 1024


class SellerBackend:
    """The seller's own back end.

    Args:
        http: makes the calls; its time-out is how long one try may take.
        secrets: Standard Webhooks' signing secrets, `whsec_…`. Each makes a signature, so that the back end
            may go over from the old one to the new one when it likes.
        now: the system's time, also where the house lives by the simulator's: the back end holds the
            signature against a clock of its own.
    """

    def __init__(
        self, http: httpx.Client, secrets: list[str], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._http = http
        self._signers = [Webhook(secret) for secret in secrets]
        self._now = now

    def ask(self, address: str, body: Mapping[str, Any], idempotency_key: str) -> tuple[int, Any]:
        """Ask once.

        Args:
            address: from the catalogue, never from a request. Redirects are not followed.
            body: `HandOverRequest` of the contract.
            idempotency_key: the same for each try.

        Returns:
            The HTTP status and the decoded JSON, None where the body is none.

        Raises:
            NotAnswered: there was no answer, or one too large.
        """
        now = self._now()
        content = orjson.dumps(body).decode()
        signatures = [signer.sign(idempotency_key, now, content) for signer in self._signers]
        headers = {
            "content-type": "application/json",
            "webhook-id": idempotency_key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        try:
            with (
                tracing.of_call("hand over") as span,
                self._http.stream(
                    "POST",
                    address,
                    content=content,
                    headers=headers | span.headers,
                    follow_redirects=False,
                ) as answer,
            ):
                span.answered(answer.status_code)
                read = b""
                for part in answer.iter_bytes():
                    read += part
                    if len(read) > _LONGEST_ANSWER:
                        raise NotAnswered("the seller's back end answered more than 64 KiB")
        except httpx.HTTPError as error:
            raise NotAnswered(f"the seller's back end did not answer ({type(error).__name__})") from None
        try:
            return answer.status_code, orjson.loads(read)
        except ValueError:
            return answer.status_code, None
