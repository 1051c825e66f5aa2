import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import stage
from fastapi import Depends, FastAPI, Response

from portico_client import AsyncPortico, PorticoError
from portico_client.fastapi import SignedIn, SignedInUser, no_cookies, safe_path, session_cookies

HTML = {"accept": "text/html,*/*;q=0.8"}


class Shop:
    """An app whose every route needs a user."""

    def __init__(self, socket: str, **rules: Any) -> None:
        self.portico = AsyncPortico(socket=socket)
        self.app = FastAPI()
        user = SignedIn(self.portico, **rules)

        @self.app.api_route("/shop", methods=["GET", "POST"])
        async def shop(found: Annotated[SignedInUser, Depends(user)]) -> dict[str, str]:
            return {"id": found.user["id"]}

    def ask(self, method: str = "GET", path: str = "/shop", **headers: str) -> httpx.Response:
        return self.ask_together(1, method, path, headers)[0]

    def ask_together(self, number: int, method: str, path: str, headers: dict[str, str]) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with self.portico, httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                return await asyncio.gather(*(client.request(method, path, headers=headers) for _ in range(number)))

        return asyncio.run(run())


def shop(demo: stage.Demo, **rules: Any) -> Shop:
    return Shop(demo.socket, **rules)


@pytest.fixture(scope="module")
def tokens(demo: stage.Demo) -> Iterator[dict[str, str]]:
    result = demo.approved("as shopper")
    assert result.login is not None
    yield {"access": result.login["access_token"], "wallet": result.session_token, "id": result.login["user"]["id"]}


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access']}", "x-wallet-session": tokens["wallet"]}


def cookies(tokens: dict[str, str]) -> dict[str, str]:
    return {"cookie": f"a=b; __Host-access={tokens['access']}; __Host-wallet={tokens['wallet']}"}


def test_both_tokens_let_a_user_in_in_headers_and_in_cookies(demo: stage.Demo, tokens: dict[str, str]) -> None:
    for headers in (bearer(tokens), cookies(tokens)):
        answer = shop(demo).ask(**headers)
        assert answer.status_code == 200
        assert answer.json() == {"id": tokens["id"]}
        assert "set-cookie" not in answer.headers


def test_a_request_without_both_valid_tokens_is_refused(demo: stage.Demo, tokens: dict[str, str]) -> None:
    for headers, error in [
        ({}, "not_signed_in"),
        ({"authorization": "Basic dTpw"}, "not_signed_in"),
        ({"authorization": "Bearer x"}, "invalid_token"),
        ({"authorization": f"Bearer {tokens['access']}"}, "credential_required"),
        ({**bearer(tokens), "x-wallet-session": "x"}, "malformed_token"),
        ({"authorization": f"Bearer {tokens['access']}", **cookies(tokens)}, "credential_required"),
        ({"cookie": "__Host-access=; __Host-wallet="}, "not_signed_in"),
        # A subdomain cannot set this cookie, so two of them are somebody's trick.
        ({"cookie": cookies(tokens)["cookie"] + "; __Host-wallet=other"}, "credential_required"),
    ]:
        answer = shop(demo).ask(**headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": {"error": error}})
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_credentials_cookie_gets_a_new_access_token(demo: stage.Demo, tokens: dict[str, str]) -> None:
    for access in ("", "__Host-access=of-another-service; "):
        answer = shop(demo).ask(cookie=f"{access}__Host-wallet={tokens['wallet']}")
        assert answer.json() == {"id": tokens["id"]}
        [cookie] = answer.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-access=")
        assert "; Path=/; Secure; HttpOnly; SameSite=Lax; Expires=" in cookie


def test_an_expired_token_is_renewed_once_for_many_requests(demo: stage.Demo, tmp_path: Path) -> None:
    configuration = '[sessions]\nenabled = true\n[access]\nlifetime = "10s"\n'
    with stage.daemon(tmp_path, demo.relay, configuration) as daemon:
        result = demo.approved("as eve", daemon.client)
        assert result.login is not None
        shown = {"access": result.login["access_token"], "wallet": result.session_token}
        with pytest.raises(PorticoError, match="token_expired"):
            while daemon.client.check(access_token=shown["access"], credential=shown["wallet"]):
                time.sleep(0.1)
        answers = Shop(daemon.socket).ask_together(10, "GET", "/shop", cookies(shown))
        renewed = {answer.headers["set-cookie"] for answer in answers}
        assert [answer.status_code for answer in answers] == [200] * 10
        assert len(renewed) == 1
        # A client that sends headers renews its token itself, because an answer has no place for a new one.
        assert Shop(daemon.socket).ask(**bearer(shown)).status_code == 401


def test_a_role_or_a_permission_that_is_missing_keeps_a_user_out(demo: stage.Demo, tokens: dict[str, str]) -> None:
    for rules in ({"roles": ["admin"]}, {"permissions": ["ledger:read"]}):
        answer = shop(demo, **rules).ask(**cookies(tokens))
        assert answer.status_code == 403
        assert answer.json()["detail"]["error"] in ("role_missing", "permission_missing")


def test_a_browser_that_asks_for_a_page_is_sent_to_the_sign_in_page(demo: stage.Demo) -> None:
    rules = {"sign_in": "/sign-in"}
    sent = shop(demo, **rules).ask(path="/shop?page=2", **HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?return_to=%2Fshop%3Fpage%3D2")
    assert shop(demo, **rules).ask(accept="application/json").status_code == 401
    assert shop(demo, **rules).ask("POST", **HTML).status_code == 401


def test_csrf_what_another_site_makes_a_browser_send_is_refused(demo: stage.Demo, tokens: dict[str, str]) -> None:
    rules = {"origin": "https://shop.example"}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://shop.example"},
        {"origin": "null"},
    ):
        answer = shop(demo, **rules).ask("POST", **cookies(tokens), **headers)
        assert (answer.status_code, answer.json()["detail"]["error"]) == (403, "cross_site_request")
        assert shop(demo, **rules).ask("POST", **bearer(tokens), **headers).status_code == 200
        assert shop(demo, **rules).ask("GET", **cookies(tokens), **headers).status_code == 200
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "https://shop.example"}, {}):
        assert shop(demo, **rules).ask("POST", **cookies(tokens), **headers).status_code == 200
    # Without an address of its own, the app's is what the browser asked for.
    assert shop(demo).ask("POST", **cookies(tokens), origin="http://shop.example").status_code == 200
    assert shop(demo).ask("POST", **cookies(tokens), origin="http://evil.example").status_code == 403


def test_while_the_daemon_is_away_nobody_is_let_in_and_nobody_is_signed_out(tokens: dict[str, str]) -> None:
    answer = Shop("/nonexistent/portico.sock", sign_in="/sign-in").ask(**cookies(tokens), **HTML)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "set-cookie" not in answer.headers


def test_a_session_that_was_ended_clears_both_cookies(demo: stage.Demo) -> None:
    result = demo.approved("as leaver")
    assert result.login is not None
    demo.client.logout(access_token=result.login["access_token"])
    shown = {"access": result.login["access_token"], "wallet": result.session_token}
    answer = shop(demo, sign_in="/sign-in").ask(**cookies(shown), **HTML)
    assert answer.status_code == 303
    assert [line.split(";")[0] for line in answer.headers.get_list("set-cookie")] == [
        "__Host-access=",
        "__Host-wallet=",
    ]


def test_a_wrong_api_token_is_not_taken_for_a_user_who_is_signed_out(demo: stage.Demo, tokens: dict[str, str]) -> None:
    app = shop(demo)
    app.portico = AsyncPortico(url=demo.url, token="wrong")
    user = SignedIn(app.portico)

    @app.app.get("/other")
    async def other(_: Annotated[SignedInUser, Depends(user)]) -> Response:
        return Response()

    with pytest.raises(PorticoError, match="refuses this app") as refused:
        app.ask(path="/other", **cookies(tokens))
    assert refused.value.status == 500


def test_a_login_makes_the_cookies_that_the_next_request_needs(demo: stage.Demo) -> None:
    result = demo.approved("as newcomer")
    assert result.login is not None
    made = session_cookies(result.login, result.session_token)
    answer = shop(demo).ask(cookie="; ".join(line.split(";")[0] for line in made))
    assert answer.json() == {"id": result.login["user"]["id"]}
    assert all("Expires=Thu, 01 Jan 1970" in line for line in no_cookies())


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/shop?page=2#top", "/shop?page=2#top"),
        ("/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ('/"><script>', "/"),
        ("/\t/evil.example", "/"),
        ("/" + "a" * 2048, "/"),
        (None, "/"),
    ],
)
def test_a_way_back_cannot_lead_to_another_site(path: object, safe: str) -> None:
    assert safe_path(path) == safe
