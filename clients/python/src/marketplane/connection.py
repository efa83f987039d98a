"""The HTTP connection to the metering service."""

from __future__ import annotations

import re
from collections.abc import Callable

import urllib3

from marketplane.answers import Answer

PATH = "/v1/usage-events"

# Checked here, because the error that http.client would raise has the secret in its text.
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class NoAnswer(Exception):
    """Nobody knows whether the request was taken."""


class Connection:
    """Sends batches. Any number of threads may use it at once; a forked process makes its own.

    Args:
        url: of the service, such as `https://metering.example`.
        api_key: goes into `X-API-Key`.
        token: called before each request, for a bearer token; instead of an API key.
        timeout: seconds for connecting, and for each wait for bytes of an answer.
        connections: how many are kept open.

    Raises:
        ValueError: the address is none, or there are no credentials, or two.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        token: Callable[[], str] | None = None,
        timeout: float = 30.0,
        connections: int = 1,
    ) -> None:
        parts = urllib3.util.parse_url(url)
        if parts.scheme not in ("http", "https") or not parts.host or parts.query or parts.fragment:
            raise ValueError("The service's address is http:// or https://, a host, and no more than a path.")
        if parts.auth:
            raise ValueError("Credentials do not belong into the address.")
        if (api_key is None) == (token is None):
            raise ValueError("Give an API key, or a function that gives a bearer token.")
        if api_key is not None and not _VISIBLE.fullmatch(api_key):
            raise ValueError("The API key is empty, or has blanks or a line break in it.")
        self._url = url.rstrip("/") + PATH
        self._api_key = api_key
        self._token = token
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
        )

    def post(self, body: bytes) -> Answer:
        """
        Raises:
            NoAnswer: no connection, no answer in time, no token, or an answer that broke off.
        """
        headers = {"Content-Type": "application/json", **self._credentials()}
        try:
            # An answer that leads elsewhere is not followed: the key is for this address only.
            answer = self._pool.request("POST", self._url, body=body, headers=headers, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise NoAnswer(type(error).__name__) from error
        return Answer(
            answer.status, answer.data, {name.lower(): value for name, value in answer.headers.items()}
        )

    def close(self) -> None:
        self._pool.clear()

    def _credentials(self) -> dict[str, str]:
        if self._token is None:
            return {"X-API-Key": self._api_key or ""}
        try:
            token = self._token()
        except Exception as error:  # whoever gives tokens may be away for a while, in ways of their own
            raise NoAnswer(f"no token: {type(error).__name__}") from error
        if not _VISIBLE.fullmatch(token):
            raise NoAnswer("no token: what was given is empty, or has blanks or a line break in it")
        return {"Authorization": f"Bearer {token}"}
