//! Sessions that Para's and Capsule's own libraries have exported, and forged ones.

use std::sync::Arc;
use std::time::Duration;

use portico::clock::SystemClock;
use portico::config::{ParaApiKeys, ParaSessionRules};
use portico::tls::Tls;
use portico::wallet::para_session::{CAPSULE, Dialect, ExportedSession, PARA, ParaSessions};
use portico::wallet::{Credential, CredentialError, WalletProvider};
use proptest::prelude::*;
use serde::Deserialize;

use crate::para_api::{API_KEY, PARTNER, ParaApi, SECRET_KEY, User};

#[derive(Deserialize)]
struct File {
    observed_requests: Vec<Observed>,
    capsule_requests: Vec<Observed>,
    capsule_export: String,
    sessions: Vec<Vector>,
}

#[derive(Deserialize)]
struct Observed {
    url: String,
    body: String,
    headers: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    session: String,
    signer_count: usize,
    expected_by_daemon: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("para-sessions.json")).unwrap()
}

/// The one user of the vectors.
fn user() -> User {
    let wallet = |kind: &str, id: &str, address: &str| [kind.to_owned(), id.to_owned(), address.to_owned()];
    User {
        id: "d5358219-38d3-4650-91a8-e338131d1c5e".into(),
        auth_type: "email".into(),
        identifier: "email@example.com".into(),
        wallets: vec![
            wallet(
                "EVM",
                "de4034f1-6b0f-4a98-87a5-e459db4d3a03",
                "0x9dd3824f045c77bc369485e8f1dd6b452b6be617",
            ),
            wallet(
                "SOLANA",
                "d70f64e4-266a-457e-9cea-eeb42341a975",
                "EEp7DbBu5yvgf7Pr9W17cATPjCqUxY8K8R3dFbg53a3W",
            ),
        ],
    }
}

async fn provider(dialect: &'static Dialect, refuse_signers: bool) -> (ParaApi, ParaSessions) {
    let api = ParaApi::start().await;
    api.log_in("s:valid-cookie.sig", &user());
    let rules = ParaSessionRules {
        api_key_file: "unread".into(),
        secret_key_file: None,
        base_url: Some(api.base()),
        partner_id: PARTNER.into(),
        refuse_signers,
        cache: Duration::ZERO,
        timeout: Duration::from_secs(30),
        allow_private: true,
        session: Duration::from_secs(3600),
    };
    let keys = ParaApiKeys { public: API_KEY.into(), secret: SECRET_KEY.into() };
    let provider = ParaSessions::new(dialect, &rules, keys, &Tls::default(), Arc::new(SystemClock));
    (api, provider)
}

/// `accept`, or the code of the refusal.
async fn verdict(provider: &ParaSessions, session: &str) -> &'static str {
    match provider.identify(&Credential::alone(session)).await {
        Ok(wallet) => {
            assert_eq!(wallet.wallet_id, user().id);
            assert_eq!((&*wallet.auth_method, &*wallet.auth_identifier), ("email", "email@example.com"));
            "accept"
        }
        Err(CredentialError::Rejected { code, .. }) => code,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_vector_gets_its_verdict_from_both_providers() {
    for dialect in [&PARA, &CAPSULE] {
        let (_api, provider) = provider(dialect, false).await;
        for Vector { name, why, session, expected_by_daemon, .. } in file().sessions {
            let wanted: &[&str] = match &*expected_by_daemon {
                "accept" | "accept_after_strip" => &["accept"],
                "reject_malformed" | "either" => &["malformed_session"],
                "reject_inactive" => &["session_inactive"],
                "reject_forged" => &["no_embedded_wallet"],
                "reject_mismatch" => &["user_mismatch", "wallet_mismatch"],
                other => panic!("an unknown verdict {other}"),
            };
            let verdict = verdict(&provider, &session).await;
            assert!(wanted.contains(&verdict), "{}: {name}: {verdict} ({why})", dialect.name);
        }
        assert_eq!(verdict(&provider, &file().capsule_export).await, "accept");
    }
}

#[tokio::test]
async fn where_signers_are_refused_the_sessions_that_carry_one_are() {
    let (api, provider) = provider(&PARA, true).await;
    let sessions = file().sessions;
    let carrying: Vec<_> = sessions.iter().filter(|vector| vector.signer_count > 0).collect();
    assert!(!carrying.is_empty());
    for Vector { name, session, .. } in carrying {
        assert_eq!(verdict(&provider, session).await, "signer_in_session", "{name}");
    }
    assert!(api.asked().is_empty(), "nobody is asked about what is refused anyway");
    let harmless = sessions.iter().find(|vector| vector.name == "phone_session").unwrap();
    assert_eq!(verdict(&provider, &harmless.session).await, "accept");
}

#[tokio::test]
async fn questions_are_asked_as_the_real_libraries_ask_them() {
    let file = file();
    for (dialect, observed) in [(&PARA, &file.observed_requests[0]), (&CAPSULE, &file.capsule_requests[0])] {
        let (api, provider) = provider(dialect, false).await;
        assert_eq!(verdict(&provider, &file.sessions[0].session).await, "accept");
        let asked = &api.asked()[0];
        assert_eq!((&asked.target, &asked.body), (&observed.url, &observed.body));
        // What is the library's own, or the key's.
        let differ = ["accept", "x-external-api-key", "user-agent", "host", "accept-encoding", "connection"];
        for (name, value) in &observed.headers {
            let sent = asked.headers.get(name).and_then(|value| value.to_str().ok());
            if name.ends_with("-version") {
                assert!(sent.is_some(), "{name}");
            } else if !differ.contains(&&**name) {
                assert_eq!(sent, Some(&**value), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn only_wallets_that_the_provider_says_are_the_users_are_told_of_and_by_its_kind() {
    let (_api, provider) = provider(&PARA, false).await;
    let mut boaster = user();
    boaster.wallets[0][0] = "COSMOS".into();
    boaster.wallets.push(["EVM".into(), "somebody-elses".into(), "0xrich".into()]);
    let session = boaster.export("s:valid-cookie.sig");
    let wallet = provider.identify(&Credential::alone(&session)).await.unwrap();
    let told: Vec<_> =
        wallet.wallets.into_iter().map(|one| [one.kind, one.id.unwrap(), one.address]).collect();
    let mut known = user().wallets;
    known.sort_by_key(|[_, id, _]| id.clone());
    assert_eq!(told, known);
}

#[tokio::test]
async fn the_address_of_another_wallet_of_the_app_is_as_little_the_users_as_any() {
    let (api, provider) = provider(&PARA, false).await;
    let victim = User::named("victim");
    api.log_in("s:victim", &victim);
    let mut forger = user();
    forger.wallets[0][2].clone_from(&victim.wallets[0][2]);
    // The first time it is asked for, the second it is known.
    for _ in 0..2 {
        assert_eq!(verdict(&provider, &forger.export("s:valid-cookie.sig")).await, "wallet_mismatch");
    }
}

#[tokio::test]
async fn a_session_has_one_name_however_the_rest_of_it_is_written_and_another_at_each_provider() {
    let (_api, para) = provider(&PARA, false).await;
    let one = para.identify(&Credential::alone(&user().export("s:valid-cookie.sig"))).await.unwrap();
    let other = user().export_without_signers("s:valid-cookie.sig");
    let same = para.identify(&Credential::alone(&other)).await.unwrap();
    assert_eq!(one.credential, same.credential);
    let (_api, capsule) = provider(&CAPSULE, false).await;
    let elsewhere = capsule.identify(&Credential::alone(&other)).await.unwrap();
    assert_ne!(one.credential, elsewhere.credential);
}

proptest! {
    /// Any cookie of visible ASCII comes out as it went in, any other is refused; signers are counted, and nowhere in
    /// what is kept.
    #[test]
    fn what_is_read_is_what_was_written(cookie in "\\PC{0,20}", signer in "[A-Za-z]{8,40}", nested in 0usize..20) {
        use base64::Engine;
        use secrecy::ExposeSecret;

        let deep = format!("{}{}{}", "[".repeat(nested), format_args!("{{\"signer\":\"{signer}\"}}"), "]".repeat(nested));
        let cookie_text = serde_json::to_string(&cookie).unwrap();
        let text = format!(
            "{{\"userId\":\"u\",\"sessionCookie\":{cookie_text},\"x\":{deep},\
             \"wallets\":{{\"w\":{{\"signer\":\"{signer}\",\"address\":\"0x1\"}}}}}}"
        );
        let read = ExportedSession::parse(&base64::engine::general_purpose::STANDARD.encode(text));
        let is_plain = !cookie.is_empty() && cookie.bytes().all(|byte| byte.is_ascii_graphic())
            && !cookie.contains(['"', '\\']);
        prop_assert_eq!(read.is_ok(), is_plain && nested < 15);
        if let Ok(read) = read {
            prop_assert_eq!(read.cookie.expose_secret(), &cookie);
            prop_assert_eq!(read.signers, 2);
            let shown = format!("{read:?}");
            prop_assert!(!shown.contains(&signer));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        use base64::Engine;

        let _ = ExportedSession::parse(&text);
        let _ = ExportedSession::parse(&base64::engine::general_purpose::STANDARD.encode(bytes));
    }
}
