"""The seller's systems that want to be told: what of, where, and with which secrets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

MOST_ENDPOINTS = 25
"""Each has a few threads of its own in the worker, so that none waits for another."""

MOST_SECRETS = 5
"""Each is one more signature in every request."""

_TRIES = 8


class NoSuchEndpoint(Exception):
    """There is no such endpoint, or none any more."""


class VersionNotMet(Exception):
    """The endpoint is not the one that If-Match names."""


class TooManySecrets(Exception):
    """As many secrets as an endpoint may have are still in force; the oldest has to run out first."""


class EndpointDisabled(Exception):
    """Nothing is sent to a disabled endpoint."""


class ChangedTooOften(Exception):
    """Others changed the endpoint each time that we were about to."""


class DisabledReason(StrEnum):
    BY_OPERATOR = "by_operator"
    GONE = "gone"  # it answered 410


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A secret of an endpoint. `expires_at`: when it signs no more; None for the present one."""

    sealed: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One of the seller's systems.

    Attributes:
        event_types: what it wants to be told; None: all, those that are yet to come included.
        deleted_at: when it was deleted. It stays a while after, so that what was still to be sent to it is
            seen to.
        version: one more with each change.
    """

    endpoint_id: str
    url: str
    description: str | None = None
    event_types: tuple[str, ...] | None = None
    disabled_reason: DisabledReason | None = None
    secrets: tuple[Secret, ...] = ()
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    version: int = 1

    @property
    def enabled(self) -> bool:
        return self.disabled_reason is None and self.deleted_at is None

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    def is_meant_by(self, if_match: str | None) -> bool:
        """Whether a request with this `If-Match` may change this version (RFC 9110 §13.1.1)."""
        if if_match is None or if_match.strip() == "*":
            return True
        # Compared whole, so a weak tag (`W/"1"`) never matches.
        return self.etag in (tag.strip() for tag in if_match.split(","))

    def wants(self, kind: str) -> bool:
        return self.event_types is None or kind in self.event_types

    def signing(self, now: datetime) -> list[str]:
        """The sealed secrets that sign now, the present one first."""
        return [one.sealed for one in self.secrets if one.expires_at is None or now < one.expires_at]

    def changed(self, change: Mapping[str, Any], now: datetime) -> "Endpoint":
        """With another `url`, `description`, `event_types` or `enabled`; the same object where nothing
        differs."""
        types = change.get("event_types", self.event_types)
        changed = replace(
            self,
            url=change.get("url", self.url),
            description=change.get("description", self.description),
            event_types=None if types is None else tuple(sorted(set(types))),
        )
        if "enabled" in change:
            reason = self.disabled_reason or DisabledReason.BY_OPERATOR
            changed = replace(changed, disabled_reason=None if change["enabled"] else reason)
        return self if changed == self else changed._anew(now)

    def rotated(self, sealed: str, overlap: timedelta, now: datetime) -> "Endpoint":
        """With a new secret; the one before signs beside it until the overlap is over.

        Raises:
            TooManySecrets: see there.
        """
        until = now + overlap
        kept = [replace(one, expires_at=one.expires_at or until) for one in self.secrets]
        kept = [one for one in kept if one.expires_at is not None and now < one.expires_at]
        if len(kept) >= MOST_SECRETS:
            raise TooManySecrets
        return replace(self, secrets=(Secret(sealed=sealed, created_at=now), *kept))._anew(now)

    def gone(self, now: datetime) -> "Endpoint":
        """It answered 410: it wants to hear nothing any more."""
        return replace(self, disabled_reason=DisabledReason.GONE)._anew(now) if self.enabled else self

    def deleted(self, now: datetime) -> "Endpoint":
        """What remains: nothing that could be sent to, and no secret."""
        return replace(self, url="", description=None, secrets=(), deleted_at=now)._anew(now)

    def _anew(self, now: datetime) -> "Endpoint":
        return replace(self, updated_at=now, version=self.version + 1)


def new_endpoint(endpoint_id: str, sealed: str, wished: Mapping[str, Any], now: datetime) -> Endpoint:
    """An endpoint as it begins.

    Args:
        sealed: its first secret.
        wished: `url`, and any of what can be changed later.
    """
    secret = Secret(sealed=sealed, created_at=now)
    bare = Endpoint(endpoint_id=endpoint_id, url="", secrets=(secret,), created_at=now, updated_at=now)
    return replace(bare.changed(wished, now), version=1)


class Tables(Protocol):
    def endpoint(self, endpoint_id: str) -> Endpoint | None: ...

    def replace_endpoint(self, before: Endpoint, after: Endpoint) -> bool:
        """Write `after` if the row still has `before`'s version; False where it has not."""
        ...


def alter(
    tables: Tables, endpoint_id: str, if_match: str | None, how: Callable[[Endpoint], Endpoint]
) -> Endpoint:
    """Change an endpoint by `how`, on top of whatever others change at the same time.

    Args:
        tables: where endpoints are; reads must be consistent.
        if_match: the `If-Match` header.
        how: gives the endpoint as it should stand; the same object where nothing is to be written.

    Raises:
        NoSuchEndpoint, VersionNotMet, ChangedTooOften: see there.
    """
    for _ in range(_TRIES):
        before = tables.endpoint(endpoint_id)
        if before is None or before.deleted_at is not None:
            raise NoSuchEndpoint
        if not before.is_meant_by(if_match):
            raise VersionNotMet
        after = how(before)
        if after is before or tables.replace_endpoint(before, after):
            return after
    raise ChangedTooOften
