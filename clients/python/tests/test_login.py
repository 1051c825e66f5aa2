import asyncio
import threading
from pathlib import Path

import pytest
import stage

from portico_client import Approved, AsyncPortico, Declined, Failed, Portico, PorticoError, Step


def test_a_user_who_approves_is_logged_in_with_a_session(demo: stage.Demo) -> None:
    login = demo.client.login()
    assert login.url.startswith("portal://npub1")
    assert login.relays_ready == 1
    demo.scan(login.url)
    result = login.result()
    assert isinstance(result, Approved)
    assert result.login is not None
    assert result.claims["issuer"] == result.user_key == result.login["user"]["wallet_id"]
    assert result.claims["audience"] == demo.public_key
    assert [step.step for step in login.steps()] == ["scanned", "approved"]


def test_a_user_who_declines_is_a_result_and_not_an_error(demo: stage.Demo) -> None:
    login = demo.client.login()
    demo.scan(login.url, "as no-sayer no")
    result = login.result()
    assert isinstance(result, Declined)
    assert list(login.steps())[-1] == Step("declined", 2, result.reason)


def test_a_login_that_is_taken_back_ends_as_cancelled(demo: stage.Demo) -> None:
    login = demo.client.login()
    login.cancel()
    result = login.result()
    assert isinstance(result, Failed)
    assert result.code == "cancelled"


def test_the_same_holds_over_tcp_with_the_api_token(demo: stage.Demo) -> None:
    with Portico(url=demo.url, token=demo.token) as client:
        assert demo.approved("as tcp", client).claims["audience"] == demo.public_key
    with Portico(url=demo.url, token="wrong") as stranger, pytest.raises(PorticoError) as refused:
        stranger.login()
    assert (refused.value.code, refused.value.status) == ("unauthorized", 401)


def test_the_same_holds_with_asyncio(demo: stage.Demo) -> None:
    async def run() -> None:
        async with AsyncPortico(socket=demo.socket) as client:
            login = await client.login()
            waiting = asyncio.create_task(login.result())
            demo.scan(login.url, "as async")
            result = await waiting
            assert isinstance(result, Approved)
            assert [step.step async for step in login.steps()] == ["scanned", "approved"]
            assert result.login is not None
            shown = {"access_token": result.login["access_token"], "credential": result.session_token}
            assert (await client.check(**shown))["user"]["id"] == result.login["user"]["id"]
            assert await client.logout(access_token=shown["access_token"]) == 1
            with pytest.raises(PorticoError, match="session_revoked"):
                await client.check(**shown)
            gone = await client.login()
            await gone.cancel()
            assert isinstance(await gone.result(), Failed)

    asyncio.run(run())


def test_a_login_goes_on_when_the_daemon_is_killed_and_started_again(demo: stage.Demo, tmp_path: Path) -> None:
    with stage.daemon(tmp_path, demo.relay, "[sessions]\nenabled = true\n") as daemon:
        login = daemon.client.login()
        results: list[object] = []
        waiting = threading.Thread(target=lambda: results.append(login.result()))
        waiting.start()
        daemon.kill()
        daemon.resume()
        demo.scan(login.url, "as survivor")
        waiting.join(timeout=60)
        assert [type(result) for result in results] == [Approved]


def test_nothing_that_is_printed_holds_a_secret(demo: stage.Demo) -> None:
    login = demo.client.login()
    demo.scan(login.url, "as printed")
    result = login.result()
    assert isinstance(result, Approved)
    assert result.login is not None
    page = demo.client.read_events(login.stream_id)
    secrets = [result.session_token, result.login["access_token"], login.stream_id, login.url]
    for value in (login, result, result.login, page, demo.client, [{"page": page}]):
        for shown in (repr(value), str(value)):
            assert not any(secret in shown for secret in secrets), shown
    assert "'access_token': '[redacted]'" in repr(result)
