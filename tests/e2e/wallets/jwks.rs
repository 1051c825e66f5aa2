//! Users of an issuer that publishes its keys.

use serde_json::{Value, json};

use crate::sessions::SESSIONS;
use crate::support::daemon::{Daemon, Plan};
use crate::support::issuer::{Issuer, Key, Mood};
use crate::support::rest::{Rest, refused};
use crate::support::{now, soon};

/// A daemon that lets users of this issuer in, to be started.
fn trusting(issuer: &Issuer) -> Plan {
    trusting_with(issuer, "")
}

/// … with this in `[wallets.jwks]` too.
fn trusting_with(issuer: &Issuer, mapping: &str) -> Plan {
    let (name, url) = (Issuer::NAME, issuer.url());
    Daemon::offline().with_config(&format!(
        "{SESSIONS}[wallets]\ndefault = \"jwks\"\n[wallets.jwks]\nissuer = \"{name}\"\naudience = \"app\"\n\
         jwks_url = \"{url}\"\nauth_method = \"via\"\nallow_private = true\n{mapping}\n"
    ))
}

/// What the issuer says of a user, for so many seconds.
fn claims(user: &str, secs: u64) -> Value {
    json!({ "iss": Issuer::NAME, "aud": "app", "sub": user, "email": format!("{user}@example.com"), "via": "otp",
            "iat": now(), "exp": now() + secs })
}

async fn login(rest: &Rest, credential: &str) -> Value {
    rest.post("/auth/login", json!({ "credential": credential })).await.data()
}

fn both(login: &Value, credential: &str) -> Value {
    json!({ "access_token": login["access_token"], "credential": credential })
}

/// A user's request, as a gateway hands it on.
fn forwarded(rest: &Rest, login: &Value, credential: &str) -> Rest {
    let bearer = format!("Bearer {}", login["access_token"].as_str().unwrap());
    rest.clone().with("authorization", &bearer).with("x-wallet-session", credential)
}

#[tokio::test]
async fn a_user_of_the_issuer_logs_in_and_both_layers_are_checked() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    let providers = rest.get("/providers").await.data();
    assert_eq!(providers, json!({ "providers": ["jwks", "portal"], "default": "jwks" }));

    let credential = key.token(&claims("alice", 600));
    let login = login(&rest, &credential).await;
    let user = &login["user"];
    assert_eq!((&user["provider"], &user["wallet_id"]), (&json!("jwks"), &json!("alice")));
    assert_eq!(
        (&user["auth_method"], &user["auth_identifier"]),
        (&json!("otp"), &json!("alice@example.com"))
    );
    assert_eq!(rest.post("/auth/verify", both(&login, &credential)).await.data()["active"], true);
    let forward = forwarded(&rest, &login, &credential).get("/auth/forward").await;
    assert_eq!((forward.status.as_u16(), forward.header("x-auth-wallet")), (200, Some("alice")));
    assert_eq!(forward.header("x-auth-provider"), Some("jwks"));
    assert_eq!(issuer.asked(), 1);
    assert_eq!(daemon.metric("portico_session_logins_total{provider=\"jwks\"}").await, 1.0);
}

#[tokio::test]
async fn an_issuer_that_compresses_where_it_may_is_asked_not_to() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    issuer.now(Mood::Compresses);
    let daemon = trusting(&issuer).start().await;
    login(&daemon.rest(), &key.token(&claims("alice", 600))).await;
}

#[tokio::test]
async fn a_user_whose_name_is_not_ascii_is_carried_safely() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    let mut seen = Vec::new();
    for (name, header) in
        [("josé", "jos%C3%A9"), ("jos%C3%A9", "jos%25C3%25A9"), ("名前", "%E5%90%8D%E5%89%8D")]
    {
        let credential = key.token(&claims(name, 600));
        let login = login(&rest, &credential).await;
        assert_eq!(login["user"]["wallet_id"], name);
        let checked = rest.post("/auth/verify", both(&login, &credential)).await.data();
        assert_eq!(
            (&checked["user"]["wallet_id"], &checked["claims"]["wallet_id"]),
            (&json!(name), &json!(name))
        );
        let forward = forwarded(&rest, &login, &credential).get("/auth/forward").await;
        assert_eq!((forward.status.as_u16(), forward.header("x-auth-wallet")), (200, Some(header)));
        seen.push(login["user"]["id"].clone());
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "each is a user of their own");
    for hostile in ["a\r\nX-Auth-Roles: admin", "jo\u{a0}sé", "jo\u{202e}sé", "jo\u{85}sé"] {
        let answer =
            rest.post("/auth/login", json!({ "credential": key.token(&claims(hostile, 600)) })).await;
        assert_eq!(answer.refusal(), refused(401, "unusable_identity"), "{hostile:?}");
    }
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_for_its_reason_and_never_logged() {
    let (key, stranger) = (Key::new("a"), Key::new("a"));
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    let mut for_another = claims("alice", 600);
    for_another["aud"] = json!("another app");
    let forged = stranger.token(&claims("alice", 600));
    for (credential, code) in [
        (forged.as_str(), "invalid_signature"),
        (&key.token(&for_another), "wrong_audience"),
        (&Key::new("b").token(&claims("alice", 600)), "unknown_key"),
        (&key.token(&claims("alice", 0)), "session_expired"),
        (&key.token(&claims("al ice", 600)), "unusable_identity"),
        ("token", "malformed_token"),
    ] {
        let answer = rest.post("/auth/login", json!({ "credential": credential })).await;
        assert_eq!(answer.refusal(), refused(401, code));
    }
    // Nothing is guessed from what a token says: whose it is, the caller says.
    let as_portal = json!({ "credential": key.token(&claims("alice", 600)), "provider": "portal" });
    assert_eq!(rest.post("/auth/login", as_portal).await.refusal(), refused(401, "unsupported_algorithm"));
    assert!(!daemon.log().contains(&forged));
}

#[tokio::test]
async fn another_users_token_beside_ones_own_is_a_mismatch() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    let (alice, mallory) = (key.token(&claims("alice", 600)), key.token(&claims("mallory", 600)));
    let login = login(&rest, &alice).await;
    for path in ["/auth/verify", "/auth/refresh"] {
        let answer = rest.post(path, both(&login, &mallory)).await;
        assert_eq!(answer.refusal(), refused(401, "session_mismatch"));
    }
    let answer = forwarded(&rest, &login, &mallory).get("/auth/forward").await;
    assert_eq!(answer.header("x-auth-error"), Some("session_mismatch"));
}

#[tokio::test]
async fn a_fresh_token_of_the_issuer_carries_the_session_on() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    let login = login(&rest, &key.token(&claims("alice", 600))).await;
    let fresh = key.token(&claims("alice", 7200));
    let renewed = rest.post("/auth/refresh", both(&login, &fresh)).await.data();
    assert_eq!(renewed["session"]["id"], login["session"]["id"]);
    assert!(renewed["session"]["expires_at"].as_str() > login["session"]["expires_at"].as_str());
    rest.post("/auth/verify", both(&renewed, &fresh)).await.data();
}

#[tokio::test]
async fn the_session_ends_with_the_token_that_it_rests_on() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    let credential = key.token(&claims("alice", 2));
    let login = login(&rest, &credential).await;
    assert!(login["expires_in"].as_u64().unwrap() <= 2);
    let ended = soon("the session to end", async {
        loop {
            let answer = rest.post("/auth/verify", both(&login, &credential)).await;
            if answer.status != 200 {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(ended.refusal(), refused(401, "session_expired"));
    let answer = rest.post("/auth/refresh", both(&login, &credential)).await;
    assert_eq!(answer.refusal(), refused(401, "session_expired"));
}

#[tokio::test]
async fn while_the_keys_are_not_to_be_had_nobody_is_let_in_and_nobody_is_told_that_their_token_is_bad() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    issuer.now(Mood::Answers(500));
    let daemon = trusting(&issuer).start().await;
    let answer =
        daemon.rest().post("/auth/login", json!({ "credential": key.token(&claims("alice", 600)) })).await;
    assert_eq!(answer.refusal(), refused(503, "provider_unavailable"));
    daemon.until_logged("cannot fetch the issuer's keys").await;
}

#[tokio::test]
async fn a_section_that_cannot_work_is_refused_at_the_start_and_its_key_named() {
    let good = "[wallets.jwks]\nissuer = \"i\"\naudience = \"a\"\njwks_url = \"https://i.example/keys\"\n";
    for (section, named) in [
        ("[wallets]\ndefault = \"jwks\"\n".to_owned(), "wallets.default"),
        (good.replace("https", "http"), "wallets.jwks.jwks_url"),
        (good.replace("\"i\"", "\"\""), "wallets.jwks.issuer"),
        (good.replace("audience = \"a\"\n", ""), "audience"),
        (format!("{good}algorithms = [\"HS256\"]\n"), "wallets.jwks.algorithms"),
        (format!("{good}algorithms = []\n"), "wallets.jwks.algorithms"),
        (format!("{good}timeout = \"1h\"\n"), "wallets.jwks.timeout"),
        ("[wallets.para]\naudience = \"\"\n".to_owned(), "wallets.para.audience"),
    ] {
        let (code, said) = Daemon::offline().with_config(&section).refusal().await;
        assert_eq!(code, 64, "{section}");
        assert!(said.contains(named), "{section}: {said}");
    }
}

/// Anybody can type somebody else's address where an issuer does not verify it.
#[tokio::test]
async fn a_token_with_an_unverified_address_takes_over_nobodys_account() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let ceo = |verified: bool| {
        let mut claims = claims("mallory", 600);
        claims["email"] = json!("ceo@example.com");
        claims["email_verified"] = json!(verified);
        claims["user_metadata"] = json!({ "phone": "+1", "phone_verified": verified });
        key.token(&claims)
    };
    for mapping in [
        "wallet_id = \"email\"",
        "wallet_id = \"/email\"",
        "wallet_id = \"/user_metadata/phone\"",
        "auth_identifier = \"/email\"",
    ] {
        let daemon = trusting_with(&issuer, mapping).start().await;
        let ask = |verified| json!({ "credential": ceo(verified) });
        let refusal = daemon.rest().post("/auth/login", ask(false)).await.refusal();
        assert_eq!(refusal, refused(401, "unverified_identifier"), "{mapping}");
        daemon.rest().post("/auth/login", ask(true)).await.data();
    }
}

#[tokio::test]
async fn a_name_that_only_looks_like_another_users_name_is_refused() {
    let key = Key::new("a");
    let issuer = Issuer::start(&[&key]).await;
    let daemon = trusting(&issuer).start().await;
    let rest = daemon.rest();
    login(&rest, &key.token(&claims("u1", 600))).await;
    for lookalike in ["\u{200b}u1", "u1\u{2060}", "u\u{ad}1"] {
        let ask = json!({ "credential": key.token(&claims(lookalike, 600)) });
        assert_eq!(rest.post("/auth/login", ask).await.refusal(), refused(401, "unusable_identity"));
        let mut invisible = claims("u2", 600);
        invisible["email"] = json!(format!("{lookalike}@example.com"));
        let ask = json!({ "credential": key.token(&invisible) });
        assert_eq!(rest.post("/auth/login", ask).await.refusal(), refused(401, "unusable_identity"));
        let invited = rest.post("/users", json!({ "wallet_id": lookalike, "provider": "jwks" })).await;
        assert_eq!(invited.refusal(), refused(400, "bad_request"));
    }
}
