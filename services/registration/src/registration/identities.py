"""Who somebody is, as somebody else vouches: the proof by which a purchase joins an account that there is."""

import base64
import hashlib
from dataclasses import dataclass

# The issuer of accounts that the seller's own back end names (hand-over).
SELLER = "urn:marketplane:seller-account"


@dataclass(frozen=True)
class Identity:
    """An issuer's name for a person or account; never changes, and is nobody else's at that issuer.

    An e-mail address is none: it is entered by whoever likes, and passes from hand to hand.

    Args:
        issuer: the OpenID provider's address, `https://github.com`, or SELLER.
        subject: what the issuer calls them.
    """

    issuer: str
    subject: str

    @property
    def identity_id(self) -> str:
        """One text of fixed length for both, which does not show them."""
        text = f"{len(self.issuer)} {self.issuer} {self.subject}".encode()
        return base64.b32encode(hashlib.sha256(text).digest()).decode().rstrip("=").lower()


def of_account(account_id: str) -> Identity:
    """The identity that the seller's own back end names."""
    return Identity(SELLER, account_id)
