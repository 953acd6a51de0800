"""Sign and verify webhook bodies: HMAC-SHA256 over the raw bytes (docspace.md 6)."""

import hashlib
import hmac
from collections.abc import Sequence

HEADER = "x-docspace-signature-256"
_PREFIX = "sha256="


def sign(body: bytes, secret: str) -> str:
    """Return the header value as the portal writes it: ``sha256=`` and upper-case hex.

    The portal signs the bytes that it sends, whose JSON escapes non-ASCII: a body that is parsed
    and serialized again has another signature.
    """
    return _PREFIX + _digest(body, secret).upper()


def find_signing_key(body: bytes, header: str | None, secrets: Sequence[str]) -> int | None:
    """Return the index of the first secret that signed ``body``, None where none did.

    ``secrets`` are newest first. Hex of either case is accepted. Every secret is compared,
    each in constant time, so that the response time reveals nothing about them.
    """
    if header is None or not header.startswith(_PREFIX):
        return None
    given = header.removeprefix(_PREFIX).lower().encode("utf-8", "replace")
    matches = [hmac.compare_digest(_digest(body, secret).encode(), given) for secret in secrets]
    return matches.index(True) if True in matches else None


def _digest(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
