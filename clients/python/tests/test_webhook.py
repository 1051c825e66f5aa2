import base64
import hashlib
import hmac
from datetime import datetime, timezone

import pytest
from standardwebhooks import Webhook

from portico_client import PorticoError, verify_webhook

NOW = 1_800_000_000
BODY = b'{"type":"key_handshake","stream_id":"s1","index":1}'
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def headers(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> dict[str, str]:
    """What another implementation signs."""
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(at, timezone.utc), body.decode())
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(at), "Webhook-Signature": signature}


def code(body: bytes, sent: dict[str, str], secret: str = SECRET, **options: object) -> str:
    with pytest.raises(PorticoError) as refused:
        verify_webhook(body, sent, secret, now=NOW, **options)  # type: ignore[arg-type]
    assert secret == "" or secret not in str(refused.value)
    return refused.value.code


def test_a_delivery_of_the_daemon_is_an_event() -> None:
    event = verify_webhook(BODY, headers(), SECRET, now=NOW)
    assert event["type"] == "key_handshake"
    # While the secret changes, the sender signs with both.
    both = headers()
    both["Webhook-Signature"] = "v1,AAAA " + both["Webhook-Signature"]
    verify_webhook(BODY, both, SECRET, now=NOW)


def test_a_forged_delivery_is_refused() -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    assert code(BODY, headers(other)) == "invalid_signature"
    assert code(BODY + b" ", headers()) == "invalid_signature"
    assert code(BODY, {**headers(), "Webhook-Id": "msg_2"}) == "invalid_signature"
    assert code(BODY, {**headers(), "Webhook-Timestamp": str(NOW + 1)}) == "invalid_signature"
    assert code(BODY, {**headers(), "Webhook-Signature": "v1,é"}) == "invalid_signature"
    assert code(BODY, {}) == "invalid_signature"


def test_a_recorded_delivery_cannot_be_sent_again_later() -> None:
    assert code(BODY, headers(at=NOW - 301)) == "too_old"
    assert code(BODY, headers(at=NOW + 301)) == "too_early"
    verify_webhook(BODY, headers(at=NOW - 299), SECRET, now=NOW)
    assert code(BODY, headers(at=NOW - 299), tolerance=10) == "too_old"


def test_the_scheme_of_portal_signs_the_body() -> None:
    signature = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    verify_webhook(BODY, {"X-Portal-Signature": signature}, "secret", scheme="portal")
    assert code(BODY, {"X-Portal-Signature": "0" * 64}, "secret", scheme="portal") == "invalid_signature"


def test_a_set_up_that_is_wrong_is_the_apps_fault() -> None:
    assert code(BODY, headers(), "") == "bad_options"
    assert code(BODY, headers(), "whsec_***") == "bad_options"
    assert code(b"no json", headers(body=b"no json")) == "malformed_delivery"
