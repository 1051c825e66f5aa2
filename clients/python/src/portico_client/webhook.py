"""Webhooks: whether a delivery comes from the daemon."""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

from ._wire import parse_veiled
from .errors import PorticoError

if TYPE_CHECKING:
    from .types import Event


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    scheme: Literal["standard", "portal"] = "standard",
    tolerance: float = 300,
    now: float | None = None,
) -> "Event":
    """
    Return the event in a delivery, with its `stream_id`, if the daemon signed it with this secret.

    Give it the body as it came, before anything parses it. `standard` checks `webhook-signature` (Standard Webhooks),
    which covers the time, too: a delivery may be `tolerance` seconds old or ahead. `portal` checks
    `x-portal-signature`, of the body alone: somebody who recorded a delivery can send it again. A delivery can come
    twice, under the same `webhook-id`.

    Raise `PorticoError` with the code `invalid_signature`, `too_old`, `too_early`, `malformed_delivery` or
    `bad_options`; its `status` is what to answer.
    """
    if not secret:
        raise PorticoError("bad_options", "the webhook's secret is missing", status=500)
    lower = {name.lower(): value for name, value in headers.items()}
    if scheme == "portal":
        _check_portal(body, lower, secret)
    else:
        _check_standard(body, lower, _standard_key(secret), tolerance, time.time() if now is None else now)
    try:
        return cast("Event", parse_veiled(body))
    except ValueError:
        raise PorticoError("malformed_delivery", "the body of the webhook is not JSON", status=400) from None


def _check_portal(body: bytes, headers: Mapping[str, str], secret: str) -> None:
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not _is_equal(headers.get("x-portal-signature", ""), right):
        raise _invalid("x-portal-signature")


def _check_standard(body: bytes, headers: Mapping[str, str], key: bytes, tolerance: float, now: float) -> None:
    at = headers.get("webhook-timestamp", "")
    signed = f"{headers.get('webhook-id', '')}.{at}.".encode() + body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # The header may hold several signatures: that of the old secret and that of the new one.
    matches = [_is_equal(signature, right) for signature in headers.get("webhook-signature", "").split(" ")]
    if not any(matches) or not re.fullmatch(r"[0-9]{1,12}", at):
        raise _invalid("webhook-signature")
    age = now - int(at)
    if age > tolerance:
        raise PorticoError("too_old", f"the webhook was sent more than {tolerance:g} s ago", status=401)
    if age < -tolerance:
        raise PorticoError("too_early", "the webhook is from the future: compare the clocks", status=401)


def _standard_key(secret: str) -> bytes:
    """`whsec_` and base64 stand for bytes. Any other text is the key itself."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise PorticoError("bad_options", "the webhook's secret is not whsec_ and base64", status=500) from None


def _is_equal(given: str, right: str) -> bool:
    # `compare_digest` raises for text that is not ASCII.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), right.encode())


def _invalid(name: str) -> PorticoError:
    return PorticoError("invalid_signature", f"{name} is missing or wrong", status=401)
