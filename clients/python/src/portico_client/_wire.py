"""One request and its answer, without the way between them: the same for both clients."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from .errors import PorticoError

CHECK_TIMEOUT = 2.0
"""How long a check may take, because a browser waits for it. In seconds."""
TIMEOUT = 10.0
"""How long any other request may take, in seconds."""

_SECRETS = frozenset({"access_token", "session_token", "token", "credential", "stream_id", "challenge", "url"})
"""With one of these, anybody is logged in or can log in. `url` is a login URL."""


class Veiled(dict[str, Any]):
    """An object of the daemon. `print` and loggers show `[redacted]` in place of its secrets."""

    def __repr__(self) -> str:
        shown = {
            name: "[redacted]" if name in _SECRETS and value is not None else value for name, value in self.items()
        }
        return repr(shown)

    __str__ = __repr__


def parse_veiled(text: str | bytes) -> Any:
    """Read JSON. Every object in it is veiled."""
    return json.loads(text, object_hook=Veiled)


@dataclass(frozen=True, repr=False)
class Call:
    """A request to the daemon."""

    method: str
    path: str
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT


def request_of(call: Call, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Build the request of a call."""
    return client.build_request(
        call.method,
        call.path,
        params=call.query or None,
        headers=call.headers,
        json=call.body,
        timeout=call.timeout,
    )


def data_of(answer: httpx.Response) -> Any:
    """Read the envelope of an answer: its data. Raise what it refuses."""
    try:
        envelope = parse_veiled(answer.content)
        success = envelope["success"]
    except (ValueError, TypeError, KeyError):
        # The parser's own error would repeat a part of the answer.
        message = f"HTTP {answer.status_code}, and the body is not an envelope of Portico"
        raise PorticoError("malformed_answer", message, status=answer.status_code) from None
    if success is True:
        return envelope.get("data")
    raise _refusal(envelope, answer)


def _refusal(envelope: Veiled, answer: httpx.Response) -> PorticoError:
    def text(name: str) -> str | None:
        value = envelope.get(name)
        return value if isinstance(value, str) else None

    seconds = answer.headers.get("retry-after", "")
    return PorticoError(
        text("code") or "malformed_answer",
        text("error") or f"HTTP {answer.status_code}",
        status=answer.status_code,
        retry_after=int(seconds) if seconds.isascii() and seconds.isdigit() else None,
        detail=text("detail"),
        renewable=envelope.get("renewable") is True,
    )


def failure_of(error: httpx.TransportError, call: Call) -> PorticoError:
    """Say why no answer came. The text of the cause is left out: it may repeat a header."""
    # httpx counts reads, writes and the pool apart. Only a time-out of the connection was certainly not received.
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return PorticoError("no_answer", f"Portico did not answer within {call.timeout:g} s")
    return PorticoError("unreachable", f"no answer from Portico: {type(error).__name__}")


def options_of(socket: str | None, url: str | None, token: str | None) -> tuple[str | None, str, dict[str, str]]:
    """Check how a client is made: its socket, its base URL, and the headers of each request."""
    headers = {"accept": "application/json"}
    if (socket is None) == (url is None):
        raise PorticoError("bad_options", "give either socket=, the path of Portico's Unix socket, or url=")
    if token is not None:
        # HTTP clients repeat an invalid header in their error texts.
        if not token or not all("!" <= letter <= "~" for letter in token):
            message = "token: must be visible ASCII characters, without blanks or line ends"
            raise PorticoError("bad_options", message)
        headers["authorization"] = f"Bearer {token}"
    if url is None:
        return socket, "http://portico", headers
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise PorticoError("bad_options", "url: must be an address like http://127.0.0.1:3000")
    if parsed.userinfo:
        raise PorticoError("bad_options", "url: must not contain a user or a password; use token=")
    return None, url, headers
