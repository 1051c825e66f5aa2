//! Tokens made by the thirdweb packages, versions 5 and 4, and forged ones, with the verdict of a strict verifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico::clock::Timestamp;
use portico::ethereum::{Address, SigningKey};
use portico::wallet::thirdweb::{ExpectedPayload, Payload, SignInRefusal};
use portico::wallet::thirdweb::{Inexact, Policy, Refusal, ThirdwebClaims, Verified, issue, verify};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct File {
    jwt: Vec<Token>,
    jwt_v4: Vec<Token>,
    login: Vec<Login>,
    login_v4: Vec<Login>,
}

/// A payload of a user, signed, and what the service is set to.
#[derive(Deserialize)]
struct Login {
    name: String,
    options: Value,
    now: u64,
    payload: Value,
    message: Option<String>,
    signature: String,
    strict: String,
}

#[derive(Deserialize)]
struct Token {
    name: String,
    description: String,
    expected_iss: Address,
    domain: String,
    now: u64,
    token: String,
    strict: String,
    strict_reason: String,
    expected_claims: Option<Value>,
}

fn file() -> File {
    serde_json::from_str(include_str!("thirdweb.json")).unwrap()
}

fn tokens() -> impl Iterator<Item = Token> {
    let File { jwt, jwt_v4, .. } = file();
    assert_eq!((jwt.len(), jwt_v4.len()), (77, 13), "none is left out");
    jwt.into_iter().chain(jwt_v4)
}

fn named(name: &str) -> Token {
    tokens().find(|token| token.name == name).unwrap()
}

impl Token {
    fn judge(&self) -> Result<Verified, Refusal> {
        let policy = Policy { domain: self.domain.clone(), admins: vec![self.expected_iss], leeway_secs: 0 };
        verify(&self.token, &policy, self.now)
    }
}

#[test]
fn every_token_gets_its_verdict() {
    for token in tokens() {
        let Token { name, description, strict_reason, .. } = &token;
        let verdict = token.judge();
        match token.strict.as_str() {
            "either" => {}
            "accept" | "reject" => {
                let accepted = token.strict == "accept";
                assert_eq!(verdict.is_ok(), accepted, "{name}: {description}: {strict_reason}: {verdict:?}");
            }
            other => panic!("{other}"),
        }
        if let (Ok(verified), Some(claims)) = (verdict, &token.expected_claims) {
            assert_eq!(&verified.claims, claims, "{name}");
        }
    }
}

#[test]
fn each_kind_of_forgery_is_refused_for_its_own_reason() {
    for (name, reason) in [
        ("v5_sub_not_an_address", Refusal::Claims),
        ("v5_exp_equals_now", Refusal::Expired),
        ("v5_iat_in_future", Refusal::IssuedInFuture),
        ("v5_wrong_aud", Refusal::Audience),
        ("v5_signed_by_other_wallet", Refusal::Signature),
        ("v5_other_issuer_self_consistent", Refusal::UnknownIssuer),
        ("tampered_sub", Refusal::Signature),
        ("signature_truncated", Refusal::Signature),
        ("header_reordered", Refusal::Header),
        ("four_parts", Refusal::Malformed),
        ("payload_noncanonical_trailing_bits_2", Refusal::Malformed),
        ("ws_reserialised", Refusal::Malformed),
        ("dup_aud_signed_as_sent", Refusal::Malformed),
        ("number_form_reserialised", Refusal::Claims),
        ("exp_missing", Refusal::Claims),
        ("exp_huge", Refusal::Claims),
        ("aud_array", Refusal::Audience),
        ("payload_bom", Refusal::Malformed),
        ("sig_erc6492_wrapped", Refusal::Signature),
        ("big_ctx_100k", Refusal::Malformed),
        ("v4_high_s", Refusal::Signature),
        ("v4_eip2098", Refusal::Signature),
    ] {
        assert_eq!(named(name).judge(), Err(reason), "{name}");
    }
}

/// Whoever logs out with one spelling is logged out with all.
#[test]
fn all_spellings_of_a_token_have_one_name() {
    let id = |name| named(name).judge().unwrap().id;
    let baseline = id("crafted_baseline");
    assert_eq!(id("signature_uppercase_hex"), baseline);
    assert_eq!(id("signature_v_0_1"), baseline);
    assert_eq!(id("v4_default"), id("v4_b64url_token"));
    assert_ne!(id("v4_default"), baseline);
}

#[test]
fn leeway_is_for_clocks_that_run_ahead_and_not_for_the_end() {
    let early = named("v5_iat_in_future");
    let policy = Policy { domain: early.domain, admins: vec![early.expected_iss], leeway_secs: 3600 };
    assert!(verify(&early.token, &policy, early.now).is_ok());
    assert_eq!(verify(&early.token, &policy, early.now - 1), Err(Refusal::IssuedInFuture));
    assert_eq!(verify(&early.token, &policy, 1_800_086_400), Err(Refusal::Expired));
}

fn admin() -> SigningKey {
    SigningKey::parse(&"11".repeat(32)).unwrap()
}

fn payload(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()
}

/// The same token, written again by Portico.
fn reissued(token: &Token) -> String {
    let Verified { claims, owner, .. } = token.judge().unwrap();
    let time = |name: &str| claims[name].as_u64().unwrap();
    let new = ThirdwebClaims {
        domain: claims["aud"].as_str().unwrap(),
        owner,
        now: time("iat"),
        lifetime_secs: time("exp") - time("iat"),
        id: claims["jti"].as_str().unwrap(),
        context: claims.get("ctx"),
    };
    issue(&admin(), &new).unwrap()
}

#[test]
fn a_token_made_here_equals_the_real_packages_byte_for_byte() {
    for name in ["v5_random_jti", "v5_encodeJWT_no_ctx", "v5_domain_with_port", "crafted_baseline"] {
        let theirs = named(name);
        assert_eq!(reissued(&theirs), theirs.token, "{name}");
    }
}

/// Its verifier hashes what JavaScript makes of the payload.
#[test]
fn a_context_is_written_as_javascript_writes_it() {
    for name in [
        "v5_ctx_nested",
        "v5_ctx_unicode",
        "v5_ctx_numbers",
        "v5_ctx_bigint",
        "v5_ctx_primitive_string",
        "v5_ctx_array",
    ] {
        let theirs = named(name);
        let text = String::from_utf8(payload(&theirs.token)).unwrap();
        let (_, context) = text.split_once("\"ctx\":").unwrap();
        let (context, _) = context.split_once(",\"exp\":18").unwrap();
        let ours = String::from_utf8(payload(&reissued(&theirs))).unwrap();
        let sorted = ours.split_once("\"ctx\":").unwrap().1.split_once(",\"exp\":18").unwrap().0;
        let letters = |text: &str| {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            letters
        };
        assert_eq!(letters(sorted), letters(context), "{name}: {sorted} and {context} differ in order alone");
    }
}

#[test]
fn a_context_that_javascript_would_change_is_not_issued() {
    let context = json!({ "wei": 9_007_199_254_740_993_u64 });
    let owner = admin().address();
    let new =
        ThirdwebClaims { domain: "d", owner, now: 1, lifetime_secs: 1, id: "j", context: Some(&context) };
    assert_eq!(issue(&admin(), &new), Err(Inexact));
}

proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,200}") {
        let header = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9";
        let policy = Policy { domain: "d".into(), admins: vec![admin().address()], leeway_secs: 0 };
        let encoded = URL_SAFE_NO_PAD.encode(&text);
        let signature = URL_SAFE_NO_PAD.encode(admin().sign(text.as_bytes()));
        let signed = format!("{header}.{encoded}.{signature}");
        for token in [text.clone(), format!("{header}.{text}"), signed] {
            prop_assert!(verify(&token, &policy, 1).is_err());
        }
    }

    #[test]
    fn whatever_is_issued_holds_until_its_end_and_not_with_a_bit_changed(
        domain in "[a-z0-9.:-]{1,40}",
        id in any::<String>(),
        context in proptest::option::of(any::<(String, i32, f64)>()),
        lifetime_secs in 1..1_000_000_u64,
        bit in any::<prop::sample::Index>(),
    ) {
        const NOW: u64 = 1_800_000_000;
        let context = context.map(|(text, int, float)| json!({ "text": text, "ints": [int], "float": float }));
        let owner = SigningKey::parse(&"22".repeat(32)).unwrap().address();
        let new = ThirdwebClaims { domain: &domain, owner, now: NOW, lifetime_secs, id: &id, context: context.as_ref() };
        let token = issue(&admin(), &new).unwrap();
        let policy = Policy { domain: domain.clone(), admins: vec![admin().address()], leeway_secs: 0 };
        let verified = verify(&token, &policy, NOW + lifetime_secs - 1).unwrap();
        prop_assert_eq!((verified.owner, &verified.claims["jti"]), (owner, &json!(id)));
        prop_assert_eq!(verify(&token, &policy, NOW + lifetime_secs), Err(Refusal::Expired));

        let mut bytes = token.into_bytes();
        let bit = bit.index(bytes.len() * 7);
        bytes[bit / 7] ^= 1 << (bit % 7);
        if let Ok(altered) = verify(std::str::from_utf8(&bytes).unwrap(), &policy, NOW) {
            // Capitals of the signature's hex digits, and nothing that was signed.
            prop_assert_eq!(altered.id, verified.id);
        }
    }
}

fn logins() -> Vec<Login> {
    let File { login, login_v4, .. } = file();
    assert_eq!((login.len(), login_v4.len()), (16, 5), "none is left out");
    login.into_iter().chain(login_v4).collect()
}

impl Login {
    /// Version 5 has the settings of a login apart, version 4 beside the domain.
    fn expected(&self) -> ExpectedPayload {
        let set = |name: &str| self.options.get(name).or_else(|| self.options.get("login")?.get(name));
        let text = |name| set(name).map(|value| value.as_str().unwrap().to_owned());
        let statement = "Please ensure that the domain above matches the URL of the current website.";
        ExpectedPayload {
            domain: text("domain").unwrap(),
            uri: text("uri"),
            statement: text("statement").unwrap_or(statement.into()),
            version: text("version").unwrap_or("1".into()),
            chain_ids: text("chainId").into_iter().map(|chain| chain.parse().unwrap()).collect(),
            resources: set("resources")
                .map_or(Vec::new(), |set| serde_json::from_value(set.clone()).unwrap()),
            leeway_secs: 0,
        }
    }

    fn payload(&self) -> Option<Payload> {
        serde_json::from_value(self.payload.clone()).ok()
    }

    fn judge(&self) -> Result<Address, SignInRefusal> {
        let payload = self.payload().ok_or(SignInRefusal::Malformed)?;
        payload.verify(&self.signature, &self.expected(), Timestamp::from_secs(self.now))
    }
}

#[test]
fn every_signed_payload_gets_its_verdict() {
    for login in logins() {
        let verdict = login.judge();
        match login.strict.as_str() {
            "either" => {}
            strict => assert_eq!(verdict.is_ok(), strict == "accept", "{}: {verdict:?}", login.name),
        }
    }
}

#[test]
fn the_text_is_the_real_packages_byte_for_byte() {
    let mut compared = 0;
    for login in logins() {
        if let (Some(payload), Some(message)) = (login.payload(), &login.message) {
            assert_eq!(&payload.message(), message, "{}", login.name);
            compared += 1;
        }
        // What came is what goes back: nothing is added, nothing is lost.
        if let Some(payload) = login.payload() {
            assert_eq!(serde_json::to_value(payload).unwrap(), login.payload, "{}", login.name);
        }
    }
    assert_eq!(compared, 14);
}

#[test]
fn each_payload_that_is_refused_is_so_for_its_own_reason() {
    let logins = logins();
    for (name, reason) in [
        ("chain_1_expired", SignInRefusal::Expired),
        ("not_yet_valid", SignInRefusal::NotYetValid),
        ("wrong_domain", SignInRefusal::Foreign("domain")),
        ("address_swapped", SignInRefusal::Signature),
        ("expiration_extended", SignInRefusal::Signature),
        ("missing_required_resource", SignInRefusal::Foreign("resources")),
        ("statement_mismatch", SignInRefusal::Foreign("uri")),
        ("nonce_newline_injection", SignInRefusal::Malformed),
        ("v4_login_expired", SignInRefusal::Expired),
        ("v4_login_address_swapped", SignInRefusal::Signature),
    ] {
        let login = logins.iter().find(|login| login.name == name).unwrap();
        assert_eq!(login.judge(), Err(reason), "{name}");
    }
}
