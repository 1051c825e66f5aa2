//! Both layers must hold, and belong together.

use serde_json::json;

use super::{SESSIONS, daemon};
use crate::support::beginning::Member;
use crate::support::daemon::Daemon;
use crate::support::relay::TestRelay;
use crate::support::rest::{Rest, refused};
use crate::support::{now, soon};

/// Asks until a token has run out.
async fn until_expired(rest: &Rest, member: &Member) -> crate::support::rest::Answer {
    soon("the token to run out", async {
        loop {
            let answer = rest.post("/auth/verify", member.both()).await;
            if answer.status != 200 {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_pair_that_holds_is_active_and_tells_who_it_is() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let checked = daemon.rest().post("/auth/verify", member.both()).await.data();
    assert_eq!(checked["active"], true);
    assert_eq!(checked["user"], member.login["user"]);
    assert_eq!(checked["session"], member.login["session"]);
    assert_eq!(checked["claims"]["sid"], member.session());
}

#[tokio::test]
async fn a_stolen_access_token_is_worth_nothing_beside_another_wallets_credential() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let (alice, mallory) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let stolen = json!({ "access_token": alice.access_token(), "credential": mallory.credential });
    let rest = daemon.rest();
    for path in ["/auth/verify", "/auth/refresh"] {
        assert_eq!(rest.post(path, stolen.clone()).await.refusal(), refused(401, "session_mismatch"));
    }
    let audited = soon("the audit", async {
        loop {
            let audit = rest.get("/audit?kind=session_mismatch").await.data();
            if audit["records"].as_array().unwrap().len() == 2 {
                let met = &audit["records"][0];
                assert_eq!(
                    (&met["user_id"], &met["session_id"]),
                    (&json!(alice.id()), &json!(alice.session()))
                );
                assert_eq!(met["wallet_id"], mallory.phone.key().to_hex());
                return audit.to_string();
            }
        }
    })
    .await;
    assert!(!audited.contains(alice.access_token()) && !audited.contains(&mallory.credential));
}

#[tokio::test]
async fn half_a_pair_is_refused() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let verify = async |body| rest.post("/auth/verify", body).await.refusal();
    let token = json!({ "access_token": member.access_token() });
    assert_eq!(verify(token).await, refused(400, "credential_required"));
    let credential = json!({ "credential": member.credential });
    assert_eq!(verify(credential).await, refused(400, "access_token_required"));
    assert_eq!(verify(json!({})).await, refused(400, "access_token_required"));
    let swapped = json!({ "access_token": member.credential, "credential": member.access_token() });
    assert_eq!(verify(swapped).await, refused(401, "invalid_token"));
}

#[tokio::test]
async fn a_token_that_has_run_out_is_renewed_with_the_roles_of_today() {
    let relay = TestRelay::start().await;
    let config = format!("{SESSIONS}[access]\nlifetime = \"10s\"\n");
    let daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let expired = until_expired(&rest, &member).await;
    assert_eq!(expired.refusal(), refused(401, "token_expired"));
    assert_eq!(expired.json()["renewable"], true);

    rest.patch(&format!("/users/{}", member.id()), json!({ "roles": ["editor"] })).await.data();
    let renewed = rest.post("/auth/refresh", member.both()).await.data();
    assert_eq!(renewed["session"]["id"], member.session());
    assert_eq!(renewed["user"]["roles"], json!(["editor"]));
    let (_, claims) = super::login::parts(renewed["access_token"].as_str().unwrap());
    assert_eq!((&claims["roles"], &claims["sid"]), (&json!(["editor"]), &json!(member.session())));
    // Without the old token, the credential finds its session.
    let found = rest.post("/auth/refresh", json!({ "credential": member.credential })).await.data();
    for none in [json!(""), json!(null)] {
        let ask = json!({ "credential": member.credential, "access_token": none });
        assert_eq!(rest.post("/auth/refresh", ask).await.data()["session"], found["session"]);
        let ask = json!({ "credential": none, "access_token": member.access_token() });
        assert_eq!(rest.post("/auth/refresh", ask).await.refusal(), refused(400, "credential_required"));
    }
    assert_eq!(found["session"]["id"], member.session());
}

#[tokio::test]
async fn roles_hold_from_the_next_check_on_whatever_the_token_says() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    rest.post("/auth/verify", member.both()).await.data();
    let change = json!({ "roles": ["admin"], "permissions": ["pay"] });
    rest.patch(&format!("/users/{}", member.id()), change).await.data();
    let checked = rest.post("/auth/verify", member.both()).await.data();
    assert_eq!(checked["user"]["roles"], json!(["admin"]));
    assert_eq!(checked["claims"]["roles"], json!([]));
}

#[tokio::test]
async fn a_credential_that_is_revoked_or_runs_out_ends_the_session_with_it() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let service = nostr_sdk::PublicKey::parse(&daemon.public_key().await).unwrap();
    let expired = member.phone.token(&service, now() - 100, 50);
    let ask = json!({ "access_token": member.access_token(), "credential": expired });
    assert_eq!(rest.post("/auth/verify", ask.clone()).await.refusal(), refused(401, "session_expired"));
    assert_eq!(rest.post("/auth/refresh", ask).await.refusal(), refused(401, "session_expired"));

    rest.post("/auth/verify", member.both()).await.data();
    rest.post("/jwt/revoke", json!({ "token": member.credential })).await.data();
    assert_eq!(rest.post("/auth/verify", member.both()).await.refusal(), refused(401, "token_revoked"));
    assert_eq!(rest.post("/auth/refresh", member.both()).await.refusal(), refused(401, "token_revoked"));
    // What rested on it does not come back to life beside another credential of the same wallet.
    let events = daemon.ended(member.session()).await;
    assert_eq!(events[1]["reason"], "credential_revoked");
    let other = member.phone.token(&service, now(), 3_000);
    let revived = json!({ "access_token": member.access_token(), "credential": other });
    for path in ["/auth/verify", "/auth/refresh"] {
        assert_eq!(rest.post(path, revived.clone()).await.refusal(), refused(401, "session_revoked"));
    }
    let audit = rest.get(&format!("/audit?session={}", member.session())).await.data();
    assert_eq!(audit["records"][0]["reason"], "credential_revoked");
}

#[tokio::test]
async fn a_fresh_credential_of_the_same_wallet_carries_the_session_on() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let service = nostr_sdk::PublicKey::parse(&daemon.public_key().await).unwrap();
    let fresh = member.phone.token(&service, now(), 20 * 24 * 3600);
    let ask = json!({ "access_token": member.access_token(), "credential": fresh });
    let renewed = rest.post("/auth/refresh", ask).await.data();
    assert_eq!(renewed["session"]["id"], member.session());
    assert!(renewed["session"]["expires_at"].as_str() > member.login["session"]["expires_at"].as_str());
    let checked = rest.post("/auth/verify", member.both()).await.data();
    assert_eq!(checked["session"], renewed["session"]);
}

#[tokio::test]
async fn a_credential_that_a_newer_one_has_followed_still_finds_the_session() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let service = nostr_sdk::PublicKey::parse(&daemon.public_key().await).unwrap();
    let newer = member.phone.token(&service, now(), 20 * 24 * 3600);
    let carried_on = json!({ "access_token": member.access_token(), "credential": newer });
    rest.post("/auth/refresh", carried_on).await.data();
    let older = json!({ "credential": member.credential });
    let renewed = rest.post("/auth/refresh", older.clone()).await.data();
    assert_eq!(renewed["session"]["id"], member.session());
    assert_eq!(rest.post("/auth/logout", older.clone()).await.data(), json!({ "revoked": 1 }));
    assert_eq!(rest.post("/auth/verify", member.both()).await.refusal(), refused(401, "session_revoked"));
    assert_eq!(rest.post("/auth/refresh", older).await.refusal(), refused(401, "session_revoked"));
}

#[tokio::test]
async fn a_credential_whose_session_was_ended_does_not_go_on_in_another_one() {
    let relay = TestRelay::start().await;
    let daemon = daemon(&relay).await;
    let member = Member::of(&daemon).await;
    let rest = daemon.rest();
    let service = nostr_sdk::PublicKey::parse(&daemon.public_key().await).unwrap();
    let elsewhere = member.phone.token(&service, now(), 3_000);
    rest.post("/auth/login", json!({ "credential": elsewhere })).await.data();
    rest.post("/auth/logout", json!({ "credential": member.credential })).await.data();
    let alone = json!({ "credential": member.credential });
    assert_eq!(rest.post("/auth/refresh", alone).await.refusal(), refused(401, "session_revoked"));
    rest.post("/auth/refresh", json!({ "credential": elsewhere })).await.data();
}

#[tokio::test]
async fn where_the_operator_says_so_one_layer_is_enough_but_two_must_still_agree() {
    let relay = TestRelay::start().await;
    let config = format!("{SESSIONS}checks = \"access_token\"\n");
    let mut daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
    let (member, other) = (Member::of(&daemon).await, Member::of(&daemon).await);
    let token = json!({ "access_token": member.access_token() });
    let credential = json!({ "credential": member.credential });
    let mixed = json!({ "access_token": member.access_token(), "credential": other.credential });
    let rest = daemon.rest();
    assert_eq!(rest.post("/auth/verify", token.clone()).await.data()["active"], true);
    assert_eq!(rest.post("/auth/verify", mixed.clone()).await.refusal(), refused(401, "session_mismatch"));

    daemon.terminate().await;
    let config = format!("{SESSIONS}checks = \"credential\"\n");
    std::fs::write(daemon.folder().join("portico.toml"), config).unwrap();
    let daemon = daemon.restart().await;
    let rest = daemon.rest();
    let checked = rest.post("/auth/verify", credential).await.data();
    assert_eq!((&checked["user"], &checked["claims"]), (&member.login["user"], &json!(null)));
    assert_eq!(rest.post("/auth/verify", token).await.refusal(), refused(400, "credential_required"));
    assert_eq!(rest.post("/auth/verify", mixed).await.refusal(), refused(401, "session_mismatch"));
}

#[tokio::test]
async fn a_token_alone_is_worth_nothing_once_the_credential_behind_it_is_revoked() {
    let relay = TestRelay::start().await;
    let config = format!("{SESSIONS}checks = \"access_token\"\n");
    let daemon = Daemon::on(&[&relay]).with_config(&config).start_subscribed(&[&relay]).await;
    let member = Member::of(&daemon).await;
    let token = json!({ "access_token": member.access_token() });
    let rest = daemon.rest();
    rest.post("/auth/verify", token.clone()).await.data();
    rest.post("/jwt/revoke", json!({ "token": member.credential })).await.data();
    assert_eq!(rest.post("/auth/verify", token).await.refusal(), refused(401, "session_revoked"));
}
