"""Ids that nobody can guess or count."""

import base64
import secrets
from collections.abc import Callable

Random = Callable[[int], bytes]

_CHARACTERS = 26


def random_id(prefix: str, random: Random = secrets.token_bytes) -> str:
    """Such as `reg_2fzk5j3w7v6c4b2a5d7e3f6g4h`: 26 characters of lowercase base32, 130 random bits.

    Args:
        prefix: says what the id names.
        random: gives so many random bytes.
    """
    return f"{prefix}_{base64.b32encode(random(20)).decode().lower()[:_CHARACTERS]}"
