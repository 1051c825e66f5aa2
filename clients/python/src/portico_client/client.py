"""The daemon, for programs with and without asyncio. Both clients have the same methods."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import httpx

from . import _calls
from ._follow import Following
from ._wire import TIMEOUT, Call, data_of, failure_of, options_of, request_of
from .errors import PorticoError
from .login import Result, Step, result_of, step_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from .types import (
        Checked,
        Event,
        Events,
        Info,
        LoggedIn,
        OpenedLogin,
        Ready,
        Revoked,
        User,
        UserChange,
        VerifiedToken,
        WebLogin,
    )

# How long a login looks for a daemon that does not answer, in seconds.
_PATIENCE = 900.0


class Portico:
    """
    One daemon, over its Unix socket (`socket`) or over TCP (`url` and an API token).

    It may be shared by threads. Every method raises `PorticoError`.
    """

    def __init__(self, *, socket: str | None = None, url: str | None = None, token: str | None = None) -> None:
        path, base, headers = options_of(socket, url, token)
        transport = httpx.HTTPTransport(uds=path)
        self._http = httpx.Client(transport=transport, base_url=base, headers=headers, trust_env=False)

    def login(self) -> "Login":
        """Open a login."""
        return Login(self, self._send(_calls.open_login()))

    def events(self, stream_id: str, *, after: int = 0, patience: float = float("inf")) -> Iterator["Event"]:
        """
        Yield all events of a stream after index `after`, until it ends.

        After a temporary error it asks again, for `patience` seconds without any answer. No event is lost, and none
        comes twice. An `authenticate_key` event contains tokens.
        """
        following = Following(after, patience)
        while True:
            following.ask()
            try:
                page = self.read_events(stream_id, after=following.after, wait=_calls.WAIT)
            except PorticoError as error:
                time.sleep(following.failed(error))
                continue
            yield from page["events"]
            if page["ended"]:
                return
            time.sleep(following.heard(page))

    def read_events(self, stream_id: str, *, after: int = 0, wait: int = 0) -> "Events":
        """Return the events that a stream has now. With `wait`, wait so many seconds (at most 60) for the first one."""
        return cast("Events", self._send(_calls.events(stream_id, after, wait)))

    def check(self, *, access_token: str | None, credential: str | None, provider: str | None = None) -> "Checked":
        """
        Check that both tokens are valid and belong to one wallet. It takes at most 2 s.

        After the code `token_expired` call `refresh`; after `invalid_token` call it with the credential alone.
        """
        return cast("Checked", self._send(_calls.check(access_token, credential, provider)))

    def refresh(self, *, credential: str, access_token: str | None = None, provider: str | None = None) -> "LoggedIn":
        """Return a new access token of the same session."""
        return cast("LoggedIn", self._send(_calls.refresh(credential, access_token, provider)))

    def logout(
        self, *, access_token: str | None = None, credential: str | None = None, everywhere: bool = False
    ) -> int:
        """End the session, or every session of its user. Return how many were ended."""
        return int(self._send(_calls.logout(access_token, credential, everywhere))["revoked"])

    def redeem(self, app: str, code: str) -> "WebLogin":
        """Return the login of a user whom Portico's sign-in page has sent back with this code. It works once."""
        return cast("WebLogin", self._send(_calls.redeem(app, code)))

    def verify_jwt(self, public_key: str, token: str, *, session: bool = False) -> "VerifiedToken":
        """
        Return the claims of a token, if it is valid. With the key of your service, `target_key` is the user.

        A wallet's token is still valid after a logout: with `session`, its session must also be open.
        """
        return cast("VerifiedToken", self._send(_calls.verify_jwt(public_key, token, session)))

    def issue_jwt(self, target_key: str, hours: int) -> str:
        """Issue a token for a key (hex or npub), signed by this service."""
        return str(self._send(_calls.issue_jwt(target_key, hours))["token"])

    def revoke_jwt(self, token: str) -> "Revoked":
        """Revoke a token, and end the sessions that depend on it."""
        return cast("Revoked", self._send(_calls.revoke_jwt(token)))

    def users(self, **filters: str) -> Iterator["User"]:
        """Yield all users that match, page by page."""
        cursor = None
        while True:
            page = self._send(_calls.users(filters, cursor))
            yield from page["users"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def user(self, user_id: str) -> "User":
        """Return one user."""
        return cast("User", self._send(_calls.user(user_id))["user"])

    def change_user(self, user_id: str, change: "UserChange") -> "User":
        """Change the fields that you name, from the next check on."""
        return cast("User", self._send(_calls.change_user(user_id, cast("Mapping[str, Any]", change)))["user"])

    def info(self) -> "Info":
        """Return the service: its public key, version and commit."""
        return cast("Info", self._send(_calls.info()))

    def ready(self) -> "Ready":
        """Return how ready the daemon is. Raise with status 503 while logins cannot reach it."""
        return cast("Ready", self._send(_calls.ready()))

    def call(self, method: str, path: str, body: Any = None, *, timeout: float = TIMEOUT) -> Any:
        """Call any other route. Return its `data`."""
        return self._send(Call(method, path, body, timeout=timeout))

    def close(self) -> None:
        """Close idle connections."""
        self._http.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, call: Call) -> Any:
        try:
            answer = self._http.send(request_of(call, self._http))
        except httpx.TransportError as error:
            raise failure_of(error, call) from None
        return data_of(answer)


class AsyncPortico:
    """
    One daemon, over its Unix socket (`socket`) or over TCP (`url` and an API token), for asyncio.

    Every method raises `PorticoError`. See `Portico` for what the methods do.
    """

    def __init__(self, *, socket: str | None = None, url: str | None = None, token: str | None = None) -> None:
        path, base, headers = options_of(socket, url, token)
        transport = httpx.AsyncHTTPTransport(uds=path)
        self._http = httpx.AsyncClient(transport=transport, base_url=base, headers=headers, trust_env=False)
        self._renewals: dict[tuple[str | None, ...], asyncio.Task[LoggedIn]] = {}

    async def login(self) -> "AsyncLogin":
        """Open a login."""
        return AsyncLogin(self, await self._send(_calls.open_login()))

    async def events(self, stream_id: str, *, after: int = 0, patience: float = float("inf")) -> AsyncIterator["Event"]:
        """Yield all events of a stream after index `after`, until it ends."""
        following = Following(after, patience)
        while True:
            following.ask()
            try:
                page = await self.read_events(stream_id, after=following.after, wait=_calls.WAIT)
            except PorticoError as error:
                await asyncio.sleep(following.failed(error))
                continue
            for event in page["events"]:
                yield event
            if page["ended"]:
                return
            await asyncio.sleep(following.heard(page))

    async def read_events(self, stream_id: str, *, after: int = 0, wait: int = 0) -> "Events":
        """Return the events that a stream has now."""
        return cast("Events", await self._send(_calls.events(stream_id, after, wait)))

    async def check(
        self, *, access_token: str | None, credential: str | None, provider: str | None = None
    ) -> "Checked":
        """Check that both tokens are valid and belong to one wallet."""
        return cast("Checked", await self._send(_calls.check(access_token, credential, provider)))

    async def refresh(
        self, *, credential: str, access_token: str | None = None, provider: str | None = None
    ) -> "LoggedIn":
        """
        Return a new access token of the same session.

        Callers that renew the same tokens at the same time share one request and its answer.
        """
        key = (credential, access_token, provider)
        if key not in self._renewals:
            task = asyncio.ensure_future(self._send(_calls.refresh(credential, access_token, provider)))
            self._renewals[key] = task
            task.add_done_callback(lambda _: self._renewals.pop(key))
        # A caller that is cancelled does not cancel the request of the others.
        return await asyncio.shield(self._renewals[key])

    async def logout(
        self, *, access_token: str | None = None, credential: str | None = None, everywhere: bool = False
    ) -> int:
        """End the session, or every session of its user. Return how many were ended."""
        return int((await self._send(_calls.logout(access_token, credential, everywhere)))["revoked"])

    async def redeem(self, app: str, code: str) -> "WebLogin":
        """Return the login of a user whom Portico's sign-in page has sent back with this code. It works once."""
        return cast("WebLogin", await self._send(_calls.redeem(app, code)))

    async def verify_jwt(self, public_key: str, token: str, *, session: bool = False) -> "VerifiedToken":
        """Return the claims of a token, if it is valid."""
        return cast("VerifiedToken", await self._send(_calls.verify_jwt(public_key, token, session)))

    async def issue_jwt(self, target_key: str, hours: int) -> str:
        """Issue a token for a key (hex or npub), signed by this service."""
        return str((await self._send(_calls.issue_jwt(target_key, hours)))["token"])

    async def revoke_jwt(self, token: str) -> "Revoked":
        """Revoke a token, and end the sessions that depend on it."""
        return cast("Revoked", await self._send(_calls.revoke_jwt(token)))

    async def users(self, **filters: str) -> AsyncIterator["User"]:
        """Yield all users that match, page by page."""
        cursor = None
        while True:
            page = await self._send(_calls.users(filters, cursor))
            for user in page["users"]:
                yield user
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    async def user(self, user_id: str) -> "User":
        """Return one user."""
        return cast("User", (await self._send(_calls.user(user_id)))["user"])

    async def change_user(self, user_id: str, change: "UserChange") -> "User":
        """Change the fields that you name, from the next check on."""
        call = _calls.change_user(user_id, cast("Mapping[str, Any]", change))
        return cast("User", (await self._send(call))["user"])

    async def info(self) -> "Info":
        """Return the service: its public key, version and commit."""
        return cast("Info", await self._send(_calls.info()))

    async def ready(self) -> "Ready":
        """Return how ready the daemon is. Raise with status 503 while logins cannot reach it."""
        return cast("Ready", await self._send(_calls.ready()))

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Call any other route. Return its `data`."""
        return await self._send(Call(method, path, body, timeout=timeout))

    async def close(self) -> None:
        """Close idle connections."""
        await self._http.aclose()

    async def __aenter__(self) -> "Self":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(self, call: Call) -> Any:
        try:
            answer = await self._http.send(request_of(call, self._http))
        except httpx.TransportError as error:
            raise failure_of(error, call) from None
        return data_of(answer)


class _Opened:
    """A login URL that the daemon opened. `repr` hides it."""

    def __init__(self, opened: "OpenedLogin") -> None:
        self.url = opened["url"]
        """The content of the QR code. It expires after some minutes (`auth.handshake_ttl`)."""
        self.relays_ready = opened["relays_ready"]
        """How many relays are connected. At 0, nobody can scan the URL yet."""
        self.stream_id = opened["stream_id"]
        """The stream of its events. A secret: who has it can read the tokens."""
        self._after = opened["after"]

    def __repr__(self) -> str:
        return f"{type(self).__name__}([redacted])"


class Login(_Opened):
    """One login: the URL for the QR code, what happens to it step by step, and how it ended."""

    def __init__(self, portico: Portico, opened: "OpenedLogin") -> None:
        super().__init__(opened)
        self._portico = portico

    def steps(self) -> Iterator[Step]:
        """Yield all steps from the first on, until the login ends. It may be called again."""
        for event in self._events():
            if (step := step_of(event)) is not None:
                yield step

    def result(self) -> Result:
        """Wait for the end of the login."""
        for event in self._events():
            if (result := result_of(event)) is not None:
                return result
        raise PorticoError("malformed_answer", "the login ended without a result")

    def cancel(self) -> None:
        """Take the URL back, or what the user is being asked. The login then ends with the code `cancelled`."""
        self._portico._send(_calls.cancel_login(self.stream_id))

    def _events(self) -> Iterator["Event"]:
        return self._portico.events(self.stream_id, after=self._after, patience=_PATIENCE)


class AsyncLogin(_Opened):
    """One login, for asyncio. See `Login`."""

    def __init__(self, portico: AsyncPortico, opened: "OpenedLogin") -> None:
        super().__init__(opened)
        self._portico = portico

    async def steps(self) -> AsyncIterator[Step]:
        """Yield all steps from the first on, until the login ends. It may be called again."""
        async for event in self._events():
            if (step := step_of(event)) is not None:
                yield step

    async def result(self) -> Result:
        """Wait for the end of the login."""
        async for event in self._events():
            if (result := result_of(event)) is not None:
                return result
        raise PorticoError("malformed_answer", "the login ended without a result")

    async def cancel(self) -> None:
        """Take the URL back, or what the user is being asked. The login then ends with the code `cancelled`."""
        await self._portico._send(_calls.cancel_login(self.stream_id))

    def _events(self) -> AsyncIterator["Event"]:
        return self._portico.events(self.stream_id, after=self._after, patience=_PATIENCE)
