"""The routes that have a method of their own, as calls."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ._wire import CHECK_TIMEOUT, Call

WAIT = 30
"""Seconds that the daemon waits for an event before it answers without one."""
LONG_POLL_TIMEOUT = WAIT + 15.0
"""Seconds that a long poll may take: `WAIT`, and time for a slow machine."""


def open_login() -> Call:
    return Call("POST", "/login", body={})


def cancel_login(stream_id: str) -> Call:
    return Call("DELETE", f"/key-handshake/{_segment(stream_id)}")


def events(stream_id: str, after: int, wait: int) -> Call:
    query = {"after": str(after), "wait": str(wait)}
    return Call("GET", f"/events/{_segment(stream_id)}", query=query, timeout=max(LONG_POLL_TIMEOUT, wait + 15.0))


def check(access_token: str | None, credential: str | None, provider: str | None) -> Call:
    body = _given(access_token=access_token, credential=credential, provider=provider)
    return Call("POST", "/auth/verify", body=body, timeout=CHECK_TIMEOUT)


def refresh(credential: str, access_token: str | None, provider: str | None) -> Call:
    body = _given(credential=credential, access_token=access_token, provider=provider)
    return Call("POST", "/auth/refresh", body=body, timeout=CHECK_TIMEOUT)


def logout(access_token: str | None, credential: str | None, everywhere: bool) -> Call:
    body = _given(access_token=access_token, credential=credential, all=everywhere or None)
    return Call("POST", "/auth/logout", body=body)


def redeem(app: str, code: str) -> Call:
    return Call("POST", "/web/redeem", body={"app": app, "code": code})


def verify_jwt(public_key: str, token: str, session: bool) -> Call:
    body = _given(pubkey=public_key, token=token, session=session or None)
    return Call("POST", "/jwt/verify", body=body, timeout=CHECK_TIMEOUT)


def issue_jwt(target_key: str, hours: int) -> Call:
    return Call("POST", "/jwt/issue", body={"target_key": target_key, "duration_hours": hours, "format": "portal"})


def revoke_jwt(token: str) -> Call:
    return Call("POST", "/jwt/revoke", body={"token": token})


def info() -> Call:
    return Call("GET", "/info")


def ready() -> Call:
    return Call("GET", "/ready")


def users(filters: Mapping[str, str], cursor: str | None) -> Call:
    return Call("GET", "/users", query=_given(**filters, cursor=cursor))


def user(user_id: str) -> Call:
    return Call("GET", f"/users/{_segment(user_id)}")


def change_user(user_id: str, change: Mapping[str, Any]) -> Call:
    return Call("PATCH", f"/users/{_segment(user_id)}", body=dict(change))


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _segment(text: str) -> str:
    return quote(text, safe="")
