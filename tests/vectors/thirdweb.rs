//! Tokens made by the thirdweb packages, versions 5 and 4, and forged ones, with the verdict of a strict verifier.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portico::ethereum::{Address, SigningKey};
use portico::wallet::thirdweb::{Inexact, NewToken, Policy, Refusal, Verified, issue, verify};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct File {
    jwt: Vec<Token>,
    jwt_v4: Vec<Token>,
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
    let File { jwt, jwt_v4 } = file();
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

/// What a token says, said anew by us.
fn reissued(token: &Token) -> String {
    let Verified { claims, owner, .. } = token.judge().unwrap();
    let time = |name: &str| claims[name].as_u64().unwrap();
    let new = NewToken {
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
    let new = NewToken { domain: "d", owner, now: 1, lifetime_secs: 1, id: "j", context: Some(&context) };
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
        let new = NewToken { domain: &domain, owner, now: NOW, lifetime_secs, id: &id, context: context.as_ref() };
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
