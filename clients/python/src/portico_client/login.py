"""What happens in a login, step by step, and how it ended."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .types import Event, LoggedIn, Session


@dataclass(frozen=True)
class Step:
    """What a page may know. A step holds no secret: send it to the browser as it is."""

    step: Literal["scanned", "approved", "declined", "failed"]
    index: int
    reason: str | None = None
    """Why it was declined or failed."""
    code: str | None = None
    """The code of a failure."""


@dataclass(frozen=True)
class Approved:
    """The user approved, and the daemon has verified the answer. It holds secrets; `repr` hides them."""

    user_key: str
    """The user's public key, in hex."""
    session_token: str = field(repr=False)
    """The wallet's credential. Keep it like a password."""
    claims: "Session"
    """What the daemon verified in it."""
    login: "LoggedIn | None"
    """The session. `None` if sessions are off."""


@dataclass(frozen=True)
class Declined:
    """The user declined."""

    reason: str | None


@dataclass(frozen=True)
class Failed:
    """The login ended without an answer of the user, such as with the code `timeout`."""

    code: str
    reason: str
    detail: str | None = None


Result = Approved | Declined | Failed


def result_of(event: "Event") -> Result | None:
    """Return the result that an event holds. `None`: the login goes on."""
    if event["type"] == "error":
        return Failed(event["code"], event["reason"], event.get("detail"))
    if event["type"] != "authenticate_key":
        return None
    status = event["status"]
    if status["status"] == "declined":
        return Declined(status.get("reason"))
    # The daemon never says "approved" without verified claims.
    return Approved(event["user_key"], status["session_token"], event["session"], event.get("login"))


def step_of(event: "Event") -> Step | None:
    """Return what an event of a login means for the page. `None`: nothing."""
    index = event["index"]
    if event["type"] == "key_handshake":
        return Step("scanned", index)
    match result_of(event):
        case Approved():
            return Step("approved", index)
        case Declined(reason):
            return Step("declined", index, reason)
        case Failed(code, reason):
            return Step("failed", index, reason, code)
    return None
