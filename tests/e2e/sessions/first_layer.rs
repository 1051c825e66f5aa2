//! The wallet's token alone, and with it whether the session that it began goes on.

use serde_json::{Value, json};

use super::daemon;
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::refused;

#[tokio::test]
async fn one_call_knows_the_token_and_the_session_behind_it() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (rest, us) = (daemon.rest(), daemon.public_key().await);
    let (member, disabled) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let question = |member: &Member, session: bool| json!({ "pubkey": us, "token": member.credential, "session": session });
    let token_alone = rest.post("/jwt/verify", question(&member, false)).await.data();
    assert!(token_alone.get("user").is_none() && token_alone.get("session").is_none(), "{token_alone}");
    let told = rest.post("/jwt/verify", question(&member, true)).await.data();
    assert_eq!((&told["target_key"], &told["user"]), (&json!(member.phone.key()), &member.login["user"]));
    assert_eq!(told["session"], member.login["session"]);

    rest.post("/auth/logout", json!({ "access_token": member.access_token() })).await.data();
    rest.patch(&format!("/users/{}", disabled.id()), json!({ "disabled": true })).await.data();
    for (member, status, code) in [(&member, 401, "session_revoked"), (&disabled, 403, "user_disabled")] {
        rest.post("/jwt/verify", question(member, false)).await.data();
        let answer = rest.post("/jwt/verify", question(member, true)).await;
        assert_eq!(answer.refusal(), refused(status, code));
        let batch = rest.post("/jwt/verify", json!([question(member, true), question(member, false)])).await;
        let batch = batch.data();
        assert_eq!((&batch[0]["code"], &batch[1]["success"]), (&json!(code), &json!(true)));
        let answer = daemon.websocket().await.command("VerifyJwt", question(member, true)).await;
        assert_eq!(answer["code"], code);
    }
    let renewed = rest.post("/auth/login", json!({ "credential": member.credential })).await.data();
    let told = rest.post("/jwt/verify", question(&member, true)).await.data();
    assert_eq!(told["session"], renewed["session"]);
}

#[tokio::test]
async fn a_token_that_began_no_session_is_told_from_one_that_did() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (rest, us) = (daemon.rest(), daemon.public_key().await);
    let member = Member::of(&daemon).await;
    let ask = |token: &Value| json!({ "pubkey": us, "token": token, "session": true });
    let issued = json!({ "target_key": member.phone.key(), "duration_hours": 1 });
    let issued = rest.post("/jwt/issue", issued).await.data();
    let answer = rest.post("/jwt/verify", ask(&issued["token"])).await;
    assert_eq!(answer.refusal(), refused(401, "not_a_wallet_token"));
    let answer = rest.post("/jwt/verify", ask(&json!("nonsense"))).await;
    assert_eq!(answer.refusal(), refused(400, "malformed_token"), "the token comes first");
    rest.post("/jwt/revoke", json!({ "token": member.credential })).await.data();
    let answer = rest.post("/jwt/verify", ask(&json!(member.credential))).await;
    assert_eq!(answer.refusal(), refused(400, "token_revoked"));

    let without = Daemon::offline().start().await;
    let (rest, us) = (without.rest(), without.public_key().await);
    let issued = rest.post("/jwt/issue", json!({ "target_key": us, "duration_hours": 1 })).await.data();
    let ask = json!({ "pubkey": us, "token": issued["token"], "session": true });
    assert_eq!(rest.post("/jwt/verify", ask).await.refusal(), refused(404, "sessions_off"));
}
