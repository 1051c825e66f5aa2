//! Keys that are fetched, kept, and fetched again; and tokens that are altered.

use std::sync::Arc;

use portico::clock::Timestamp;
use portico::config::Jwks;
use portico::tls::Tls;
use portico::wallet::jwks::JwksWallets;
use portico::wallet::{Credential, CredentialError, WalletIdentity, WalletProvider};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::clock::{Hands, code};
use crate::support::issuer::{Issuer, Key, Mood};
use crate::support::soon;

const START: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

/// A provider for the tokens of an issuer, at a time of the test's choosing.
struct World {
    issuer: Issuer,
    provider: Arc<JwksWallets>,
    clock: Arc<Hands>,
}

impl World {
    async fn with(keys: &[&Key]) -> Self {
        Self::with_rules(keys, json!({})).await
    }

    async fn with_rules(keys: &[&Key], more: Value) -> Self {
        let issuer = Issuer::start(keys).await;
        let mut rules = json!({ "issuer": Issuer::NAME, "audience": "app", "jwks_url": issuer.url(),
                                "auth_identifier": "sub", "allow_private": true });
        rules.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rules: Jwks = serde_json::from_value(rules).unwrap();
        let clock = Hands::at(START);
        let provider = Arc::new(JwksWallets::of_issuer(&rules, &Tls::default(), clock.clone()));
        Self { issuer, provider, clock }
    }

    async fn identify(&self, token: &str) -> Result<WalletIdentity, CredentialError> {
        soon("the provider", self.provider.identify(&Credential::alone(token))).await
    }

    fn passes(&self, secs: u64) {
        self.clock.passes(secs);
    }
}

/// What a good token says, for a year.
fn claims() -> Value {
    json!({ "iss": Issuer::NAME, "aud": "app", "sub": "user|1", "iat": START, "exp": START + 365 * DAY })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_token_of_the_issuer_tells_whose_it_is() {
    let key = Key::new("a");
    let world = World::with(&[&key]).await;
    let identity = world.identify(&key.token(&claims())).await.unwrap();
    assert_eq!((&*identity.provider, &*identity.wallet_id), ("jwks", "user|1"));
    assert_eq!((&*identity.auth_method, &*identity.auth_identifier), ("jwt", "user|1"));
    assert_eq!(identity.expires_at, Timestamp::from_secs(START + 365 * DAY));
    assert_eq!(identity.issued_at, Some(Timestamp::from_secs(START)));
    assert_eq!(identity.claims, claims());
}

#[tokio::test]
async fn a_token_for_somebody_else_or_another_time_is_refused_for_that_reason() {
    let key = Key::new("a");
    let world = World::with_rules(&[&key], json!({ "required": ["sub"] })).await;
    for (name, value, expected) in [
        ("iss", json!("https://issuer.example/"), "wrong_issuer"),
        ("iss", json!(null), "wrong_issuer"),
        ("aud", json!("app2"), "wrong_audience"),
        ("aud", json!(["other"]), "wrong_audience"),
        ("aud", json!(["other", "app"]), "ok"),
        ("aud", json!({ "app": 1 }), "wrong_audience"),
        ("exp", json!(START), "expired"),
        ("exp", json!("later"), "malformed_claims"),
        ("exp", json!(-1), "malformed_claims"),
        ("nbf", json!(START + 60), "ok"),
        ("nbf", json!(START + 61), "token_not_yet_valid"),
        ("iat", json!(START + 61), "issued_in_future"),
        ("iat", json!(true), "malformed_claims"),
        ("sub", json!(""), "malformed_claims"),
        ("sub", json!(1), "malformed_claims"),
    ] {
        let result = world.identify(&key.token(&claims_with(name, value.clone()))).await;
        assert_eq!(code(result), expected, "{name} {value}");
    }
    let strict = World::with_rules(&[&key], json!({ "required": ["scope"] })).await;
    assert_eq!(code(strict.identify(&key.token(&claims())).await), "malformed_claims");
}

#[tokio::test]
async fn nobody_but_the_holder_of_the_named_key_signs() {
    let (key, other) = (Key::new("a"), Key::new("b"));
    let world = World::with(&[&key, &other]).await;
    let forged = Key::new("a").token(&claims());
    assert_eq!(code(world.identify(&forged).await), "invalid_signature");
    // The other key is the issuer's, too, and still not the one that is named.
    let mut named_wrongly = other.clone();
    named_wrongly.kid = "a".into();
    assert_eq!(code(world.identify(&named_wrongly.token(&claims())).await), "invalid_signature");
    assert_eq!(code(world.identify(&other.token(&claims())).await), "ok");
}

#[tokio::test]
async fn a_crowd_that_comes_at_once_has_the_issuer_asked_once() {
    let key = Key::new("a");
    let world = Arc::new(World::with(&[&key]).await);
    world.issuer.now(Mood::Hangs);
    let token = key.token(&claims());
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let (world, token) = (Arc::clone(&world), token.clone());
            tokio::spawn(async move { world.identify(&token).await })
        })
        .collect();
    world.issuer.until_asked(1).await;
    world.issuer.now(Mood::Publishes);
    for one in crowd {
        assert_eq!(code(one.await.unwrap()), "ok");
    }
    assert_eq!(world.issuer.asked(), 1);
}

#[tokio::test]
async fn keys_are_kept_for_as_long_as_the_issuer_says_and_then_fetched_again() {
    let key = Key::new("a");
    let world = World::with(&[&key]).await;
    world.issuer.cache("public, max-age=3600");
    let token = key.token(&claims());
    world.identify(&token).await.unwrap();
    world.passes(3599);
    world.identify(&token).await.unwrap();
    assert_eq!(world.issuer.asked(), 1);
    // The issuer has withdrawn the key meanwhile.
    world.issuer.publish(&[]);
    world.passes(1);
    assert_eq!(code(world.identify(&token).await), "unknown_key");
    assert_eq!(world.issuer.asked(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_at_once_but_made_up_ones_ask_the_issuer_once_a_minute() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let world = World::with(&[&old]).await;
    world.issuer.cache("max-age=86400");
    world.identify(&old.token(&claims())).await.unwrap();
    world.issuer.publish(&[&old, &new]);
    world.passes(60);
    world.identify(&new.token(&claims())).await.unwrap();
    assert_eq!(world.issuer.asked(), 2);
    for made_up in 0..50 {
        let token = Key::new(&format!("made up {made_up}")).token(&claims());
        assert_eq!(code(world.identify(&token).await), "unknown_key");
        world.passes(1);
    }
    assert_eq!(world.issuer.asked(), 2);
    world.passes(10);
    for _ in 0..2 {
        assert_eq!(code(world.identify(&Key::new("more").token(&claims())).await), "unknown_key");
    }
    assert_eq!(world.issuer.asked(), 3);
}

#[tokio::test]
async fn users_log_in_while_the_issuer_is_down_but_not_for_ever() {
    let (key, new) = (Key::new("a"), Key::new("new"));
    let world = World::with_rules(&[&key], json!({ "max_stale": "1h" })).await;
    world.issuer.cache("max-age=600");
    let token = key.token(&claims());
    world.identify(&token).await.unwrap();
    world.issuer.now(Mood::Answers(503));
    for _ in 0..60 {
        world.passes(60);
        assert_eq!(code(world.identify(&token).await), "ok");
    }
    // Whether it is a new key of the issuer's, nobody can say now.
    assert_eq!(code(world.identify(&new.token(&claims())).await), "unavailable");
    world.passes(600);
    assert_eq!(code(world.identify(&token).await), "unavailable");
    let asked = world.issuer.asked();
    assert_eq!(code(world.identify(&token).await), "unavailable");
    assert_eq!(world.issuer.asked(), asked, "it is left alone for a moment");
    world.issuer.now(Mood::Publishes);
    world.passes(60);
    assert_eq!(code(world.identify(&token).await), "ok");
}

#[tokio::test]
async fn whatever_is_no_key_set_leaves_the_keys_that_are_there() {
    let key = Key::new("a");
    let world = World::with(&[&key]).await;
    let token = key.token(&claims());
    for mood in [
        Mood::Answers(404),
        Mood::Redirects,
        Mood::Babbles,
        Mood::Says("<html>".into()),
        Mood::Says(r#"{"keys":[],"keys":[]}"#.into()),
    ] {
        world.issuer.now(mood.clone());
        let fresh = World::with(&[]).await;
        fresh.issuer.now(mood.clone());
        assert_eq!(code(fresh.identify(&token).await), "unavailable", "{mood:?}");
        world.issuer.now(Mood::Publishes);
        world.passes(3600);
        assert_eq!(code(world.identify(&token).await), "ok");
        world.issuer.now(mood.clone());
        world.passes(3600);
        assert_eq!(code(world.identify(&token).await), "ok", "{mood:?}");
    }
}

#[tokio::test]
async fn a_slow_issuer_holds_nobody_up_who_has_a_key_that_is_known() {
    let key = Key::new("a");
    let world = Arc::new(World::with(&[&key]).await);
    let token = key.token(&claims());
    world.identify(&token).await.unwrap();
    world.issuer.now(Mood::Hangs);
    world.passes(3600);
    let waiting = tokio::spawn({
        let (world, token) = (Arc::clone(&world), token.clone());
        async move { world.identify(&token).await }
    });
    world.issuer.until_asked(2).await;
    assert_eq!(code(world.identify(&token).await), "ok");
    // Whoever hangs up takes nothing from the others.
    waiting.abort();
    world.issuer.publish(&[]);
    world.issuer.now(Mood::Publishes);
    assert_eq!(code(world.identify(&Key::new("b").token(&claims())).await), "unknown_key");
    assert_eq!(code(world.identify(&token).await), "unknown_key");
    assert_eq!(world.issuer.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_given_up() {
    let key = Key::new("a");
    let world = World::with_rules(&[&key], json!({ "timeout": "50ms" })).await;
    world.issuer.now(Mood::Hangs);
    assert_eq!(code(world.identify(&key.token(&claims())).await), "unavailable");
}

#[tokio::test]
async fn the_operators_own_network_is_asked_only_where_that_is_allowed() {
    let key = Key::new("a");
    let world = World::with_rules(&[&key], json!({ "allow_private": false })).await;
    assert_eq!(code(world.identify(&key.token(&claims())).await), "unavailable");
    assert_eq!(world.issuer.asked(), 0);
}

proptest! {
    #[test]
    fn no_text_is_taken_for_a_token_that_it_is_not(text in "[a-zA-Z0-9_.=-]{0,200}") {
        prop_assert!(portico::wallet::jwks::UnverifiedJwt::parse(&text).is_err());
    }

    #[test]
    fn whoever_alters_one_character_of_a_token_has_none(at: prop::sample::Index, to in "[a-zA-Z0-9_.=-]") {
        use portico::config::JwtAlgorithm;
        use portico::wallet::jwks::{KeySet, Policy, UnverifiedJwt};

        let key = Key::new("a");
        let set = json!({ "keys": [key.jwk()] }).to_string();
        let keys = KeySet::parse(set.as_bytes(), &[JwtAlgorithm::EdDSA]).unwrap();
        let rules: Jwks = serde_json::from_value(
            json!({ "issuer": Issuer::NAME, "audience": "app", "jwks_url": "https://issuer.example/keys",
                    "auth_identifier": "sub" }),
        ).unwrap();
        let judge = |text: &str| {
            let token = UnverifiedJwt::parse(text).ok()?;
            let key = keys.key(token.kid())?;
            Policy::of_issuer(&rules).identity(&token, &key, Timestamp::from_secs(START)).ok()
        };
        let token = key.token(&claims());
        prop_assert!(judge(&token).is_some());
        let mut altered = token.clone();
        let at = at.index(token.len());
        altered.replace_range(at..=at, &to);
        prop_assert!(altered == token || judge(&altered).is_none());
    }
}
