"""SNS as our door asks it: for its certificates, and to confirm a subscription. The only file that speaks to
it."""

import threading
from collections import OrderedDict

import httpx
import structlog
from cryptography import x509

from chassis.problems import Unavailable
from notifications.sns_messages import NotProven

log = structlog.get_logger()

TIMEOUT = httpx.Timeout(5.0)
LARGEST_ANSWER = 65_536
MOST_CERTIFICATES = 16
"""SNS has one for each Region and year."""


class Sns:
    """Asks SNS by GET, and follows no redirect. Which addresses are SNS's own, the caller has checked.

    Args:
        http: a client of tests; None: our own.
    """

    def __init__(self, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(timeout=TIMEOUT, follow_redirects=False)
        self._certificates: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._lock = threading.Lock()

    def certificate(self, address: str) -> x509.Certificate:
        """The certificate at an address; fetched once, then kept.

        Raises:
            NotProven: there is none.
            Unavailable: SNS does not answer now; it is to send its message again.
        """
        # One at a time: posts with made-up addresses must not become as many requests to SNS at once.
        with self._lock:
            known = self._certificates.get(address)
            if known is None:
                try:
                    known = x509.load_pem_x509_certificate(self._get(address))
                except ValueError as error:
                    raise NotProven(
                        "sns-foreign-certificate", "There is no certificate at its address."
                    ) from error
                self._certificates[address] = known
                if len(self._certificates) > MOST_CERTIFICATES:
                    self._certificates.popitem(last=False)
            return known

    def confirm(self, address: str) -> None:
        """Tell SNS that the subscription is wanted.

        Raises:
            NotProven: SNS refuses.
            Unavailable: SNS does not answer now; it is to send its message again.
        """
        self._get(address)

    def _get(self, address: str) -> bytes:
        try:
            with self._http.stream("GET", address) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > LARGEST_ANSWER:
                        raise NotProven("sns-foreign-certificate", "SNS's answer is far too long.")
        except httpx.HTTPError as error:
            log.warning("SNS does not answer; it is to send its message again.", error=type(error).__name__)
            raise Unavailable("SNS does not answer.") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable("SNS does not answer.")
        if answer.status_code != 200:
            raise NotProven(
                "sns-foreign-certificate", f"SNS answers {answer.status_code} to what its message names."
            )
        return body
