from pathlib import Path

import pytest
import stage

from portico_client import Portico, PorticoError


def tokens(demo: stage.Demo, how: str) -> dict[str, str]:
    result = demo.approved(how)
    assert result.login is not None
    return {"access_token": result.login["access_token"], "credential": result.session_token}


def refused(action: object) -> PorticoError:
    assert callable(action)
    with pytest.raises(PorticoError) as caught:
        action()
    return caught.value


def test_both_tokens_pass_together_and_not_with_a_token_of_another_user(demo: stage.Demo) -> None:
    alice, bob = tokens(demo, "as alice"), tokens(demo, "as bob")
    checked = demo.client.check(**alice)
    assert checked["claims"] is not None
    assert checked["claims"]["sub"] == checked["user"]["id"]
    mixed = {**alice, "credential": bob["credential"]}
    assert refused(lambda: demo.client.check(**mixed)).code == "session_mismatch"
    alone = refused(lambda: demo.client.check(access_token=alice["access_token"], credential=None))
    assert alone.code == "credential_required"


def test_after_a_logout_neither_token_lets_anybody_in(demo: stage.Demo) -> None:
    carol = tokens(demo, "as carol")
    assert demo.client.logout(access_token=carol["access_token"]) == 1
    assert refused(lambda: demo.client.check(**carol)).code == "session_revoked"
    assert refused(lambda: demo.client.refresh(**carol)).status == 401


def test_an_access_token_is_renewed_in_the_same_session(demo: stage.Demo) -> None:
    dora = tokens(demo, "as dora")
    renewed = demo.client.refresh(**dora)
    checked = demo.client.check(access_token=renewed["access_token"], credential=dora["credential"])
    assert checked["session"]["id"] == renewed["session"]["id"]
    assert demo.client.logout(credential=dora["credential"], everywhere=True) >= 1


def test_tokens_are_verified_issued_and_revoked_as_in_guides_for_portals_sdk(demo: stage.Demo) -> None:
    result = demo.approved("as frank")
    verified = demo.client.verify_jwt(demo.public_key, result.session_token, session=True)
    assert verified["target_key"] == result.user_key
    issued = demo.client.issue_jwt(result.user_key, 1)
    assert demo.client.verify_jwt(demo.public_key, issued)["target_key"] == result.user_key
    demo.client.revoke_jwt(issued)
    assert refused(lambda: demo.client.verify_jwt(demo.public_key, issued)).code == "token_revoked"


def test_roles_change_from_the_next_check_on(demo: stage.Demo) -> None:
    erin = tokens(demo, "as erin")
    user = demo.client.check(**erin)["user"]
    demo.client.change_user(user["id"], {"roles": ["admin"]})
    assert demo.client.check(**erin)["user"]["roles"] == ["admin"]
    assert demo.client.user(user["id"])["roles"] == ["admin"]
    # Three pages.
    ids = {one["id"] for one in demo.client.users()}
    assert {one["id"] for one in demo.client.users(limit="2")} == ids
    assert user["id"] in ids


def test_a_name_in_a_path_cannot_leave_it(demo: stage.Demo) -> None:
    assert refused(lambda: demo.client.user("../health")).status in (400, 404)
    assert refused(lambda: demo.client.user("x?limit=1")).status in (400, 404)


def test_an_error_says_what_to_do_and_holds_no_secret(demo: stage.Demo, tmp_path: Path) -> None:
    nobody = Portico(socket=str(tmp_path / "none.sock"))
    error = refused(nobody.info)
    assert (error.code, error.status, error.is_passing) == ("unreachable", 0, True)
    secret = "s3cret-token"
    error = refused(lambda: demo.client.check(access_token=secret, credential=secret))
    assert (error.status, error.is_passing) == (401, False)
    assert secret not in repr(error) + str(error)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"socket": "a", "url": "http://127.0.0.1"},
        {"url": "127.0.0.1:3000"},
        {"url": "unix:/run/portico.sock"},
        {"url": "http://user:s3cret@127.0.0.1"},
        {"url": "http://127.0.0.1", "token": "s3cret\n"},
        {"url": "http://127.0.0.1", "token": ""},
        {"url": "http://127.0.0.1", "token": "s3crét"},
    ],
)
def test_an_option_that_is_wrong_is_named_and_not_shown(options: dict[str, str]) -> None:
    error = refused(lambda: Portico(**options))
    assert error.code == "bad_options"
    assert "s3cr" not in str(error)
