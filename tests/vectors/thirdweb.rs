//! Tokens made by the thirdweb packages, versions 5 and 4, and forged ones, with the verdict of a strict verifier.

use portico::ethereum::Address;
use portico::wallet::thirdweb::{Policy, Refusal, Verified, verify};
use serde::Deserialize;
use serde_json::Value;

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
