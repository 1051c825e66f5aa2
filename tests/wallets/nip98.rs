//! Signed requests: each once, for the request that it came with, and just now.

use std::ops::Deref;
use std::sync::Arc;

use nostr_sdk::Keys;
use portico::clock::{Timekeeper, Timestamp};
use portico::config::Nip98;
use portico::store::sqlite::{SqliteOptions, SqliteStore};
use portico::wallet::nip98::Nip98Wallets;
use portico::wallet::{Credential, CredentialError, WalletIdentity, WalletProvider, WebRequest};
use proptest::prelude::*;
use serde_json::json;

use crate::clock::{Hands, code};
use crate::support::signed::{self, tag};

const START: u64 = 1_800_000_000;
const URL: &str = "https://app.example/v1/me?x=1";
const REQUEST: WebRequest<'_> = WebRequest { method: "GET", target: "/v1/me?x=1", body: None };

/// What remembers, and is gone with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn provider(&self, clock: &Arc<Hands>) -> Nip98Wallets {
        let rules: Nip98 = serde_json::from_value(json!({ "public_url": "https://app.example" })).unwrap();
        let store = Arc::new(SqliteStore::open(&self.0.path().join("db"), SqliteOptions::default()).unwrap());
        let timekeeper = Arc::new(Timekeeper::trusting(clock.clone()));
        Nip98Wallets::new(&rules, store.clone(), store, clock.clone(), timekeeper)
    }
}

/// A provider with a disk of its own.
struct Alone {
    provider: Nip98Wallets,
    _disk: Disk,
}

impl Deref for Alone {
    type Target = Nip98Wallets;

    fn deref(&self) -> &Nip98Wallets {
        &self.provider
    }
}

fn provider(clock: &Arc<Hands>) -> Alone {
    let disk = Disk::new();
    Alone { provider: disk.provider(clock), _disk: disk }
}

async fn shown(
    provider: &Nip98Wallets,
    text: &str,
    request: WebRequest<'_>,
) -> Result<WalletIdentity, CredentialError> {
    provider.identify(&Credential { text, request: Some(request) }).await
}

#[tokio::test]
async fn whoever_signs_the_request_is_known_by_their_key_for_as_long_as_a_session_lasts() {
    let (clock, keys) = (Hands::at(START), Keys::generate());
    let ahead = signed::at(START + 30, &keys, "GET", URL, None);
    let identity = shown(&provider(&clock), &ahead, REQUEST).await.unwrap().checked().unwrap();
    assert_eq!((&*identity.provider, &*identity.wallet_id), ("nip98", &*keys.public_key().to_hex()));
    assert!(identity.auth_identifier.starts_with("npub1"));
    assert_eq!(identity.target_key.as_deref(), Some(&*identity.wallet_id));
    // A clock that runs ahead makes no session longer.
    assert_eq!(identity.expires_at, Timestamp::from_secs(START + 12 * 3600));
}

#[tokio::test]
async fn a_header_by_a_clock_that_runs_ahead_is_worth_nothing_after_a_restart_either() {
    let (disk, clock, keys) = (Disk::new(), Hands::at(START), Keys::generate());
    for ahead in [0, 1, 30, 59] {
        let text = signed::at(START + ahead, &keys, "GET", URL, None);
        shown(&disk.provider(&clock), &text, REQUEST).await.unwrap();
        let again = shown(&disk.provider(&clock), &text, REQUEST).await;
        assert_eq!(code(again), "already_used", "{ahead} seconds ahead");
    }
}

#[tokio::test]
async fn a_header_that_was_overheard_is_worth_nothing() {
    let (clock, keys) = (Hands::at(START), Keys::generate());
    let provider = provider(&clock);
    let ahead = signed::at(START + 60, &keys, "GET", URL, None);
    assert_eq!(code(shown(&provider, &ahead, REQUEST).await), "ok");
    for _ in 0..=120 {
        assert_eq!(code(shown(&provider, &ahead, REQUEST).await), "already_used");
        clock.passes(1);
    }
    assert_eq!(code(shown(&provider, &ahead, REQUEST).await), "outside_window");
    // What was refused is not used up by that.
    let fresh = signed::at(START + 121, &keys, "GET", URL, None);
    let elsewhere = WebRequest { target: "/v1/you", ..REQUEST };
    assert_eq!(code(shown(&provider, &fresh, elsewhere).await), "wrong_url");
    assert_eq!(code(provider.identify(&Credential::alone(&fresh)).await), "request_required");
    assert_eq!(code(shown(&provider, &fresh, REQUEST).await), "ok");
}

#[tokio::test]
async fn a_clock_that_is_ahead_for_an_hour_lets_nobody_show_a_request_twice() {
    let (clock, keys) = (Hands::at(START), Keys::generate());
    let provider = provider(&clock);
    let signed = |secs| signed::at(secs, &keys, "GET", URL, None);
    assert_eq!(code(shown(&provider, &signed(START), REQUEST).await), "ok");
    clock.passes(3600);
    assert_eq!(code(shown(&provider, &signed(START + 3600), REQUEST).await), "ok");
    clock.comes_back(3600);
    assert_eq!(code(shown(&provider, &signed(START), REQUEST).await), "already_used");
    clock.passes(1);
    assert_eq!(code(shown(&provider, &signed(START + 1), REQUEST).await), "ok", "others need not wait");
}

#[tokio::test]
async fn a_restart_that_forgets_what_was_shown_believes_nothing_from_before_it() {
    let (clock, keys) = (Hands::at(START), Keys::generate());
    let before = signed::at(START, &keys, "GET", URL, None);
    assert_eq!(code(shown(&provider(&clock), &before, REQUEST).await), "ok");
    clock.passes(1);
    let restarted = provider(&clock);
    assert_eq!(code(shown(&restarted, &before, REQUEST).await), "outside_window");
    let after = signed::at(START + 1, &keys, "GET", URL, None);
    assert_eq!(code(shown(&restarted, &after, REQUEST).await), "ok");
}

#[tokio::test]
async fn what_was_signed_for_something_else_is_refused_for_that_reason() {
    let (clock, keys) = (Hands::at(START), Keys::generate());
    let provider = provider(&clock);
    let body = Some([7; 32]);
    let with = |tags| signed::with(START, &keys, 27235, tags);
    let [u, get] = [tag("u", URL), tag("method", "GET")];
    let payload = tag("payload", &hex::encode([7; 32]));
    for (text, request, expected) in [
        (with(vec![u.clone(), get.clone()]), REQUEST, "ok"),
        (signed::with(START, &keys, 22242, vec![u.clone(), get.clone()]), REQUEST, "wrong_kind"),
        (with(vec![u.clone(), u.clone(), get.clone()]), REQUEST, "wrong_url"),
        (with(vec![get.clone()]), REQUEST, "wrong_url"),
        (with(vec![tag("u", "https://app.example.evil/v1/me?x=1"), get.clone()]), REQUEST, "wrong_url"),
        (with(vec![u.clone(), get.clone(), get.clone()]), REQUEST, "wrong_method"),
        (with(vec![u.clone(), get.clone()]), WebRequest { method: "POST", ..REQUEST }, "wrong_method"),
        (with(vec![u.clone(), get.clone()]), WebRequest { body, ..REQUEST }, "payload_required"),
        (with(vec![u.clone(), get.clone(), payload.clone()]), REQUEST, "payload_unknown"),
        (with(vec![u.clone(), get.clone(), payload.clone()]), WebRequest { body, ..REQUEST }, "ok"),
        (
            with(vec![u.clone(), get.clone(), payload.clone()]),
            WebRequest { body: Some([8; 32]), ..REQUEST },
            "wrong_payload",
        ),
        (
            with(vec![u.clone(), get.clone(), payload.clone(), payload.clone()]),
            WebRequest { body, ..REQUEST },
            "wrong_payload",
        ),
        // A target that would continue the name of the host is invalid.
        (
            with(vec![tag("u", "https://app.example.evil"), get.clone()]),
            WebRequest { target: ".evil", ..REQUEST },
            "wrong_url",
        ),
    ] {
        assert_eq!(code(shown(&provider, &text, request).await), expected, "{request:?}");
    }
}

proptest! {
    #[test]
    fn no_text_is_taken_for_a_signed_request(text in "(Nostr )?[a-zA-Z0-9+/=]{0,200}") {
        let policy = portico::wallet::nip98::Policy {
            public_url: "https://app.example".into(),
            window: std::time::Duration::from_secs(60),
        };
        prop_assert!(policy.judge(&text, Some(&REQUEST), Timestamp::from_secs(START)).is_err());
    }

    #[test]
    fn whoever_alters_one_character_of_a_signed_request_signs_nothing_else(
        at: prop::sample::Index,
        to in "[a-zA-Z0-9+/=]",
    ) {
        let keys = Keys::generate();
        let policy = portico::wallet::nip98::Policy {
            public_url: "https://app.example".into(),
            window: std::time::Duration::from_secs(60),
        };
        let header = signed::at(START, &keys, "GET", URL, None);
        let judge = |text: &str| policy.judge(text, Some(&REQUEST), Timestamp::from_secs(START)).ok();
        let good = judge(&header);
        prop_assert!(good.is_some());
        let mut altered = header.clone();
        let at = 6 + at.index(header.len() - 6);
        altered.replace_range(at..=at, &to);
        // Of the text around the event, some can be spelt otherwise; what is signed stays the same.
        prop_assert!(judge(&altered).is_none_or(|same| Some(same) == good));
    }
}
