"""Is a message of SNS signed by the key of a certificate?"""

import base64
import binascii
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from notifications.sns_messages import NotProven, SnsPost

# Version 1 is SHA1, SNS's default; which one a topic has, its owner says: for these, AWS.
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}


def verify(post: SnsPost, certificate: x509.Certificate, now: datetime) -> None:
    """Check the signature.

    Args:
        certificate: from SNS itself; who issued it is not asked, as TLS has proven where it came from.
        now: aware.

    Raises:
        NotProven: see there.
    """
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise NotProven("sns-expired-certificate", "The certificate is not valid now.")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotProven("sns-foreign-certificate", "The certificate's key is not RSA, with which SNS signs.")
    try:
        key.verify(
            base64.b64decode(post.members["Signature"], validate=True),
            post.text_to_sign,
            padding.PKCS1v15(),
            _HASHES[post.members["SignatureVersion"]](),
        )
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise NotProven("sns-forged-signature", "The signature does not fit the message.") from error
