"""The ids of webhooks: random ones, and derived ones, by which a step that is repeated finds what it has
done."""

import base64
import hashlib
import secrets

_CHARACTERS = 26
SHARDS = 4
"""Over so many keys that which would share one is spread, so that no partition of a table takes all writes
of an hour, or of an endpoint (DynamoDB: 1,000 a second each)."""


def random_id(prefix: str) -> str:
    """Such as `whe_2fzk5j3w7v6c4b2a5d7e3f6g4h`: 26 characters of base32, 130 random bits."""
    return _id(prefix, secrets.token_bytes(20))


def derived_id(prefix: str, *parts: str) -> str:
    """The same for the same parts, always."""
    return _id(prefix, hashlib.sha256("\n".join(parts).encode()).digest())


def shard_of(identity: str) -> int:
    """Which of the shards an id belongs to."""
    return hashlib.sha256(identity.encode()).digest()[0] % SHARDS


def _id(prefix: str, digest: bytes) -> str:
    return f"{prefix}_{base64.b32encode(digest).decode().lower()[:_CHARACTERS]}"
