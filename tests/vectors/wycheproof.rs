//! Project Wycheproof's ECDSA signatures over secp256k1 with SHA-256, as r‖s.

use portico::portal_token::{Signature, VerifyingKey};
use secp256k1::{Parity, PublicKey, SecretKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    public_key: Point,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Point {
    uncompressed: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: u32,
    comment: String,
    msg: String,
    sig: String,
    result: String,
}

/// The even lift of the key, and whether the key itself was the other point.
fn lift(point: &Point) -> (VerifyingKey, Parity) {
    let point: PublicKey = point.uncompressed.parse().unwrap();
    let (x, parity) = point.x_only_public_key();
    (VerifyingKey::from(x), parity)
}

/// What to check under the lifted key in place of a message's hash. (r, s) verifies for e under −P
/// exactly if (r, −s) does for −e under P, and the sign of s is normalised away.
fn digest(message: &str, parity: Parity) -> [u8; 32] {
    let digest = Sha256::digest(hex::decode(message).unwrap()).into();
    match parity {
        Parity::Even => digest,
        Parity::Odd => SecretKey::from_slice(&digest).unwrap().negate().secret_bytes(),
    }
}

#[test]
fn every_signature_gets_its_verdict() {
    let text = include_str!("wycheproof-ecdsa-secp256k1-sha256-p1363.json");
    let file: File = serde_json::from_str(text).unwrap();
    let mut checked = 0;
    for group in file.test_groups {
        let (key, parity) = lift(&group.public_key);
        for test in group.tests {
            let digest = digest(&test.msg, parity);
            let verified = Signature::parse(&hex::decode(&test.sig).unwrap())
                .and_then(|signature| signature.verify(&key, digest));
            assert_eq!(verified.is_ok(), test.result == "valid", "{} {}", test.tc_id, test.comment);
            checked += 1;
        }
    }
    assert_eq!(checked, file.number_of_tests);
}
