"""Users in FastAPI: a dependency that lets a user in, or refuses the request."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fastapi import HTTPException, Request, Response
from starlette.datastructures import Headers

from ._cookies import ACCESS_COOKIE, WALLET_COOKIE, cookie_in, drop_cookie, set_cookie
from .errors import PorticoError

if TYPE_CHECKING:
    from .client import AsyncPortico
    from .types import LoggedIn, Member, OpenSession

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT_OUT = frozenset({"user_disabled", "user_not_listed"})
_NOT_SHOWN = frozenset({"access_token_required", "credential_required"})


@dataclass(frozen=True)
class SignedInUser:
    """A user who is let in."""

    user: "Member"
    session: "OpenSession"
    set_cookies: tuple[str, ...] = ()
    """
    `Set-Cookie` headers: the access token was renewed. FastAPI adds them to what a route returns, but not to a
    `Response` that the route has made itself.
    """


class SignedIn:
    """
    A dependency of FastAPI: the user of a request.

    The tokens come in `Authorization: Bearer` (the access token) and `X-Wallet-Session` (the credential), or else in
    the cookies. An access token in a cookie that has expired is renewed, once, however many requests come with it.

    The user needs all `roles` and all `permissions`. Browsers that ask for a page are sent to `sign_in`, the path of
    your sign-in page, with `?return_to=`. `origin` is the address of your app, like `https://shop.example`, if a proxy
    changes `Host`.
    """

    def __init__(
        self,
        portico: "AsyncPortico",
        *,
        roles: Collection[str] = (),
        permissions: Collection[str] = (),
        sign_in: str | None = None,
        origin: str | None = None,
    ) -> None:
        self._portico = portico
        self._roles = frozenset(roles)
        self._permissions = frozenset(permissions)
        self._sign_in = sign_in
        self._origin = origin

    async def __call__(self, request: Request, response: Response) -> SignedInUser:
        """Let the user in, or raise an `HTTPException`: 401, 403, 503, or 303 to the sign-in page."""
        tokens = _tokens_of(request)
        if tokens is None:
            raise self._turned_away(request, "not_signed_in", [])
        if tokens.are_cookies and _is_from_another_site(request, self._origin):
            raise _refused(403, "cross_site_request")
        try:
            found = await self._identify(tokens)
        except PorticoError as error:
            raise self._refusal_of(error, request, tokens) from None
        if not self._roles.issubset(found.user["roles"]):
            raise _refused(403, "role_missing", found.set_cookies)
        if not self._permissions.issubset(found.user["permissions"]):
            raise _refused(403, "permission_missing", found.set_cookies)
        for cookie in found.set_cookies:
            response.headers.append("set-cookie", cookie)
        return found

    async def _identify(self, tokens: "_Tokens") -> SignedInUser:
        try:
            checked = await self._portico.check(access_token=tokens.access_token, credential=tokens.credential)
            return SignedInUser(checked["user"], checked["session"])
        except PorticoError as error:
            if not tokens.are_cookies or tokens.credential is None or not _is_renewable(error):
                raise
            # An access token that the daemon does not know says nothing about a session.
            old = tokens.access_token if error.code == "token_expired" else None
        renewed = await self._portico.refresh(credential=tokens.credential, access_token=old)
        return SignedInUser(renewed["user"], renewed["session"], (_access_cookie(renewed),))

    def _refusal_of(self, error: PorticoError, request: Request, tokens: "_Tokens") -> Exception:
        if error.is_passing:
            return _refused(503, "try_again_later", retry_after=error.retry_after or 1)
        if not _is_about_user(error):
            # Portico refuses the app and not its user: the answer must not be 401.
            return PorticoError(error.code, f"Portico refuses this app: {error}", status=500)
        if error.status == 403:
            return _refused(403, error.code)
        spent = [drop_cookie(ACCESS_COOKIE), drop_cookie(WALLET_COOKIE)] if tokens.are_cookies else []
        return self._turned_away(request, error.code, spent)

    def _turned_away(self, request: Request, code: str, cookies: Collection[str]) -> HTTPException:
        accepts = request.headers.get("accept", "")
        if self._sign_in is None or request.method not in ("GET", "HEAD") or "text/html" not in accepts:
            return _refused(401, code, cookies)
        joint = "&" if "?" in self._sign_in else "?"
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        location = f"{self._sign_in}{joint}return_to={quote(safe_path(path), safe='')}"
        return _with_headers(303, None, [("location", location), *_set(cookies)])


def session_cookies(login: "LoggedIn", credential: str) -> list[str]:
    """Return the `Set-Cookie` headers of a user who has just logged in. They live as long as the session."""
    return [
        _access_cookie(login),
        set_cookie(WALLET_COOKIE, credential, datetime.fromisoformat(_python_time(login["session"]["expires_at"]))),
    ]


def no_cookies() -> list[str]:
    """Return the `Set-Cookie` headers of a logout."""
    return [drop_cookie(ACCESS_COOKIE), drop_cookie(WALLET_COOKIE)]


def safe_path(path: object) -> str:
    r"""
    Return the path, if it is a path of this site; otherwise `/`.

    Anybody can link to your sign-in page with any `return_to`, and browsers take `//evil.example` and
    `/\evil.example` for another site. You can write the result between double quotes in HTML and in a script.
    """
    if isinstance(path, str) and len(path) <= 2048 and re.fullmatch(r"/(?!/)[!#-&(-;=?-\[\]-_a-~]*", path):
        return path
    return "/"


@dataclass(frozen=True, repr=False)
class _Tokens:
    access_token: str | None
    credential: str | None
    are_cookies: bool


def _tokens_of(request: Request) -> _Tokens | None:
    """Find the tokens in the headers of a request, else in its cookies."""
    bearer = re.fullmatch(r"(?i:bearer) +([^ ]+)", request.headers.get("authorization", ""))
    wallet = request.headers.get("x-wallet-session")
    if bearer is not None or wallet is not None:
        return _Tokens(bearer and bearer[1], wallet, are_cookies=False)
    cookies = request.headers.getlist("cookie")
    access, credential = cookie_in(cookies, ACCESS_COOKIE), cookie_in(cookies, WALLET_COOKIE)
    return None if access is None and credential is None else _Tokens(access, credential, are_cookies=True)


def _is_from_another_site(request: Request, origin: str | None) -> bool:
    """
    Whether another site made the browser send this request.

    `GET`, `HEAD` and `OPTIONS` are always allowed: your app must not change anything on them. Browsers send
    `Sec-Fetch-Site`; older browsers send only `Origin`. A request with neither does not come from a browser, or comes
    from one that sends no cookies across sites.
    """
    if request.method in _SAFE_METHODS:
        return False
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    sender = request.headers.get("origin")
    if sender is None:
        return False
    return sender != origin if origin is not None else urlsplit(sender).netloc != request.headers.get("host")


def _is_renewable(error: PorticoError) -> bool:
    """Whether the credential alone gets a new access token."""
    expired = error.code == "token_expired" and error.renewable
    return expired or error.code in ("invalid_token", "access_token_required")


def _is_about_user(error: PorticoError) -> bool:
    """Whether Portico refuses the user. With `unauthorized`, it refuses the API token of this app."""
    is_refused = error.status == 401 and error.code != "unauthorized"
    return is_refused or error.code in _KEPT_OUT or error.code in _NOT_SHOWN


def _access_cookie(login: "LoggedIn") -> str:
    ends = datetime.fromisoformat(_python_time(login["session"]["expires_at"]))
    return set_cookie(ACCESS_COOKIE, login["access_token"], ends)


def _python_time(at: str) -> str:
    # Python 3.10 does not read the `Z` of RFC 3339.
    return at.removesuffix("Z") + "+00:00" if at.endswith("Z") else at


def _refused(status: int, code: str, cookies: Collection[str] = (), retry_after: float | None = None) -> HTTPException:
    """Answer `{"detail": {"error": code}}`, and why in `WWW-Authenticate` (RFC 6750 §3)."""
    headers = _set(cookies)
    if status == 401:
        headers.append(("www-authenticate", "Bearer" if code == "not_signed_in" else 'Bearer error="invalid_token"'))
    if retry_after is not None:
        headers.append(("retry-after", f"{retry_after:g}"))
    return _with_headers(status, {"error": code}, headers)


def _with_headers(status: int, detail: Any, headers: list[tuple[str, str]]) -> HTTPException:
    # A dict could hold only one `Set-Cookie`.
    raw = [(name.encode(), value.encode("latin-1")) for name, value in [*headers, ("cache-control", "no-store")]]
    return HTTPException(status, detail, headers=Headers(raw=raw))


def _set(cookies: Collection[str]) -> list[tuple[str, str]]:
    return [("set-cookie", cookie) for cookie in cookies]
