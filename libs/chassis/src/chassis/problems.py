"""Errors as RFC 9457 problem documents."""

from typing import Any

import orjson
from connexion.exceptions import ProblemException
from connexion.lifecycle import ConnexionResponse

BASE = "https://marketplane.dev/problems/"
MEDIA_TYPE = "application/problem+json"


class Problem(ProblemException):  # type: ignore[misc]
    """Raise anywhere in a request to end it with a problem document.

    Args:
        status: the HTTP status.
        slug: the last part of the problem's type, stable, such as `subscription-already-claimed`.
        title: the kind of problem in one sentence.
        detail: what was wrong this time.
        errors: the places that were wrong, each `{in, path, reason}`.
        retry_after: seconds, sent as `Retry-After`; 5 for a 503 that does not say.
        headers: further headers of the answer.
        more: further members of the document.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str | None = None,
        *,
        errors: list[dict[str, Any]] | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        self.slug = slug
        self.errors = errors
        self.more = more
        headers = dict(headers or {})
        # The contracts promise these two headers with every answer of these statuses, whoever raises it.
        if retry_after is not None or status == 503:
            headers["Retry-After"] = str(5 if retry_after is None else retry_after)
        if status == 401:
            headers.setdefault("WWW-Authenticate", "Bearer")
        super().__init__(status=status, title=title, detail=detail, type=BASE + slug, headers=headers)

    def document(self, instance: str | None = None) -> dict[str, Any]:
        """The problem document, with the request id as its instance."""
        document: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        if instance:
            document["instance"] = instance
        if self.errors:
            document["errors"] = self.errors
        return document | self.more

    def to_problem(self) -> ConnexionResponse:
        return answer(self)


class Unavailable(Problem):
    """503: a part that this service needs is away, nothing was acknowledged, asking again is right."""

    def __init__(self, detail: str, *, retry_after: int = 5, **more: Any) -> None:
        super().__init__(
            503, "unavailable", "A part this service needs is away.", detail, retry_after=retry_after, **more
        )


class NotFound(Problem):
    """404, also where the thing exists but not for this caller."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(404, "not-found", "There is no such thing.", detail)


def answer(problem: Problem, instance: str | None = None) -> ConnexionResponse:
    """The HTTP answer of a problem."""
    return ConnexionResponse(
        status_code=problem.status,
        mimetype=MEDIA_TYPE,
        content_type=MEDIA_TYPE,
        body=orjson.dumps(problem.document(instance)),
        headers=dict(problem.headers or {}),
    )
