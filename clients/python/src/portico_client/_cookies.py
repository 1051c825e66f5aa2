"""
The cookies of a login.

The prefix `__Host-` binds them to one host: no subdomain can set them. Scripts cannot read them (`HttpOnly`), and a
browser does not send them with a form of another site (`SameSite=Lax`).
"""

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from email.utils import format_datetime

ACCESS_COOKIE = "__Host-access"
"""The access token. The cookie lives as long as the session, because a renewal needs the expired token."""
WALLET_COOKIE = "__Host-wallet"
"""The wallet's credential."""

_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


def set_cookie(name: str, value: str, expires: datetime) -> str:
    """Return a `Set-Cookie` header."""
    # The characters of tokens. Any other character could add an attribute to the cookie.
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]*", value):
        message = f"{name}: contains a character that no token has"
        raise ValueError(message)
    at = format_datetime(expires.astimezone(timezone.utc), usegmt=True)
    return f"{name}={value}; {_ATTRIBUTES}; Expires={at}"


def drop_cookie(name: str) -> str:
    """Return a `Set-Cookie` header that deletes the cookie."""
    return set_cookie(name, "", datetime.fromtimestamp(0, timezone.utc))


def cookie_in(headers: Iterable[str], name: str) -> str | None:
    """Return the value of a cookie. `None` if it is missing or empty, or there are two: this app did not set both."""
    pairs = [pair.strip() for header in headers for pair in header.split(";")]
    values = [pair.removeprefix(f"{name}=") for pair in pairs if pair.startswith(f"{name}=")]
    return values[0] or None if len(values) == 1 else None
