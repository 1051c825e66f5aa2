//! Signed requests, and attacks on them.

use std::time::Duration;

use portico::clock::Timestamp;
use portico::wallet::WebRequest;
use portico::wallet::nip98::{Nip98Error, Policy, SignedRequest};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct File {
    pubkey: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    why: String,
    now: u64,
    method: String,
    url: String,
    body: Option<String>,
    authorization: String,
    expected: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("nip98.json")).unwrap()
}

impl Vector {
    fn judge(&self) -> Result<SignedRequest, Nip98Error> {
        self.judge_with(self.body.as_ref().map(|body| Sha256::digest(body).into()))
    }

    fn judge_with(&self, body: Option<[u8; 32]>) -> Result<SignedRequest, Nip98Error> {
        let public_url = "https://api.example.com";
        let target = self.url.strip_prefix(public_url).unwrap();
        let request = WebRequest { method: &self.method, target, body };
        let policy = Policy { public_url: public_url.into(), window: Duration::from_secs(60) };
        policy.judge(&self.authorization, Some(&request), Timestamp::from_secs(self.now))
    }
}

#[test]
fn every_vector_gets_its_verdict() {
    let file = file();
    assert_eq!(file.vectors.len(), 19);
    for vector in &file.vectors {
        let verdict = vector.judge();
        let Vector { name, why, .. } = vector;
        match vector.expected.as_str() {
            "accept" => assert_eq!(verdict.unwrap().user.to_hex(), file.pubkey, "{name}: {why}"),
            "reject" => assert!(verdict.is_err(), "{name}: {why}"),
            either => assert_eq!(either, "either", "{name}"),
        }
    }
}

#[test]
fn each_kind_of_attack_is_rejected_for_its_own_reason() {
    use Nip98Error::*;

    for vector in file().vectors {
        let expected = match vector.name.as_str() {
            "valid_get" | "valid_post_payload" | "valid_content_nonempty" => None,
            "post_without_payload" => Some(PayloadRequired),
            "post_payload_wrong" => Some(WrongPayload),
            "created_at_61s_old" | "created_at_61s_future" => Some(OutsideWindow),
            "kind_22242" => Some(WrongKind),
            "url_without_query" | "url_trailing_slash" | "url_uppercase_host" | "no_u" | "dup_u" => {
                Some(WrongUrl)
            }
            "method_post" | "method_lower" | "no_method" => Some(WrongMethod),
            "tampered" | "bad_sig" => Some(InvalidSignature),
            "not_base64" => Some(MalformedCredential),
            other => panic!("unknown vector {other}"),
        };
        assert_eq!(vector.judge().err(), expected, "{}", vector.name);
    }
}

#[test]
fn a_payload_is_not_believed_for_a_body_that_nobody_has_seen() {
    let file = file();
    let vector = file.vectors.iter().find(|vector| vector.name == "valid_post_payload").unwrap();
    assert_eq!(vector.judge_with(None), Err(Nip98Error::PayloadUnknown));
}
