//! Tests of whole events, from any author.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr_sdk::{Event, EventBuilder, EventId, Keys, Kind, PublicKey, SecretKey};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const PLAIN: &str = r#"{"token":"t"}"#;

fn keys(byte: u8) -> Keys {
    Keys::new(SecretKey::from_slice(&[byte; 32]).unwrap())
}

fn sealer(byte: u8) -> Sealer {
    Sealer::new(keys(byte), 10)
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn handshake() -> KeyHandshake {
    KeyHandshake { token: "t".into(), client_info: None, preferred_relays: vec![] }
}

/// An event by `keys(1)` with this content.
fn event(kind: Kind, content: impl Into<String>) -> Event {
    EventBuilder::new(kind, content).sign_with_keys(&keys(1)).unwrap()
}

/// An event by `keys(1)` with this text encrypted to `keys(2)`.
fn encrypted(kind: Kind, text: &str) -> Event {
    event(kind, sealer(1).seal_text(&mut rng(), &keys(2).public_key(), text).unwrap())
}

#[test]
fn only_the_recipient_and_the_author_can_open() {
    let [wallet, service, other] = [1, 2, 3].map(sealer);
    let to = service.public_key();
    let event = wallet.seal(&mut rng(), &to, &[to], None, &handshake(), 5).unwrap();
    let opened = service.open(&event).unwrap();
    assert_eq!(opened.message, Message::KeyHandshake(handshake()));
    assert_eq!((opened.author, opened.id), (wallet.public_key(), event.id));
    assert_eq!(other.open(&event), Err(OpenError::Foreign));
}

#[test]
fn an_event_names_its_kind_everybody_concerned_and_what_it_answers() {
    let [wallet, service] = [1, 2].map(sealer);
    let to = service.public_key();
    // Oneself may be among the concerned.
    let concerned = [to, keys(3).public_key(), wallet.public_key()];
    let metadata = SubkeyMetadata {
        name: String::from("phone").try_into().unwrap(),
        nonce: [1; 32],
        valid_from: 0,
        expires_at: 9,
        permissions: vec![],
        version: 1,
    };
    let proof = SubkeyProof { main_key: to, metadata };
    let about = EventId::from_byte_array([4; 32]);
    let event = wallet.seal(&mut rng(), &to, &concerned, Some(about), &proof, 5).unwrap();
    event.verify().unwrap();
    assert_eq!((event.kind, event.created_at.as_secs()), (kind::SUBKEY_PROOF, 5));
    assert_eq!(event.tags.public_keys().copied().collect::<Vec<_>>(), concerned);
    let message = service.open(&event).unwrap().message;
    assert_eq!(message, Message::SubkeyProof { proof, about: Some(about) });
}

#[test]
fn the_same_randomness_makes_the_same_event() {
    let to = keys(2).public_key();
    let seal = || sealer(1).seal(&mut rng(), &to, &[to], None, &handshake(), 5).unwrap();
    assert_eq!(seal(), seal());
}

#[test]
fn plain_json_is_not_taken_for_a_message() {
    for content in [PLAIN, "", "Ag==", &STANDARD.encode(PLAIN)] {
        let result = sealer(2).open(&event(kind::KEY_HANDSHAKE, content));
        assert_eq!(result, Err(OpenError::NotEncrypted), "{content}");
    }
}

#[test]
fn only_version_2_is_taken_though_the_rest_would_decrypt() {
    let good = encrypted(kind::KEY_HANDSHAKE, PLAIN);
    assert!(sealer(2).open(&good).is_ok());
    for version in [0, 1, 3, 0xff] {
        let mut payload = STANDARD.decode(&good.content).unwrap();
        payload[0] = version;
        let result = sealer(2).open(&event(kind::KEY_HANDSHAKE, STANDARD.encode(payload)));
        assert_eq!(result, Err(OpenError::NotEncrypted), "{version}");
    }
}

#[test]
fn a_message_of_another_author_does_not_open_under_ones_own_name() {
    let stolen = encrypted(kind::KEY_HANDSHAKE, PLAIN).content;
    let copy = EventBuilder::new(kind::KEY_HANDSHAKE, stolen).sign_with_keys(&keys(3)).unwrap();
    assert_eq!(sealer(2).open(&copy), Err(OpenError::Foreign));
}

#[test]
fn each_defect_has_its_name() {
    let malformed = |defect| Err(OpenError::Malformed(defect));
    for (kind, text, expected) in [
        (Kind::TextNote, PLAIN, Err(OpenError::UnknownKind)),
        (kind::KEY_HANDSHAKE, "hello", malformed(Defect::NotJson)),
        (kind::KEY_HANDSHAKE, r#"{"token":"t""#, malformed(Defect::NotJson)),
        (kind::KEY_HANDSHAKE, r#"{"token":"t"} x"#, malformed(Defect::NotJson)),
        (kind::KEY_HANDSHAKE, r#"{"token":1}"#, malformed(Defect::NotThisMessage)),
        (kind::KEY_HANDSHAKE, r#" ["t",null,[]]"#, malformed(Defect::NotThisMessage)),
        (kind::AUTH_RESPONSE, PLAIN, malformed(Defect::NotThisMessage)),
        (kind::AUTH_CHALLENGE, PLAIN, malformed(Defect::NotThisMessage)),
        (kind::SUBKEY_PROOF, PLAIN, malformed(Defect::NotThisMessage)),
    ] {
        assert_eq!(sealer(2).open(&encrypted(kind, text)), expected, "{text}");
    }
}

#[test]
fn strangers_do_not_enter_the_memory_of_peers() {
    let reader = sealer(2);
    let forged = encrypted(kind::KEY_HANDSHAKE, PLAIN).content;
    for byte in 10..40 {
        assert_eq!(reader.open_text(&keys(byte).public_key(), &forged), Err(OpenError::Foreign));
    }
    assert_eq!(reader.remembered(), 0);
    assert!(reader.open_text(&keys(1).public_key(), &forged).is_ok());
    assert_eq!(reader.remembered(), 1);
}

#[test]
fn what_cannot_be_sealed_is_an_error() {
    let seal = |to: &PublicKey, text: &str| sealer(1).seal_text(&mut rng(), to, text);
    let to = keys(2).public_key();
    assert_eq!(seal(&PublicKey::from_byte_array([0; 32]), "x"), Err(SealError::InvalidRecipient));
    assert_eq!(seal(&to, ""), Err(SealError::Length));
    assert_eq!(seal(&to, &"x".repeat(70_000)), Err(SealError::Length));
}

#[test]
fn an_author_off_the_curve_is_an_error_and_not_a_panic() {
    let payload = encrypted(kind::KEY_HANDSHAKE, PLAIN).content;
    let off = PublicKey::from_byte_array([0; 32]);
    assert_eq!(sealer(2).open_text(&off, &payload), Err(OpenError::Foreign));
}

#[test]
fn debug_output_holds_no_secret() {
    let output = format!("{:?}", sealer(1));
    assert!(output.contains("[redacted]") && !output.contains(&keys(1).secret_key().to_secret_hex()));
}

proptest! {
    #[test]
    fn a_text_sealed_to_oneself_comes_back(text in ".{1,200}", seed: u64) {
        let sealer = sealer(1);
        let sealed = sealer.seal_text(&mut StdRng::seed_from_u64(seed), &sealer.public_key(), &text).unwrap();
        prop_assert_eq!(sealer.open_text(&sealer.public_key(), &sealed), Ok(text));
    }

    #[test]
    fn one_changed_byte_and_a_text_does_not_open(index: prop::sample::Index, to: u8) {
        let mut payload = STANDARD.decode(encrypted(kind::KEY_HANDSHAKE, PLAIN).content).unwrap();
        let at = index.index(payload.len());
        prop_assume!(payload[at] != to);
        payload[at] = to;
        prop_assert!(sealer(2).open_text(&keys(1).public_key(), &STANDARD.encode(payload)).is_err());
    }

    #[test]
    fn no_content_makes_opening_panic(
        content: String, payload: Vec<u8>, text in ".{1,100}", kind in prop::sample::select(vec![27000, 27001, 27010, 30000]),
    ) {
        let kind = Kind::Custom(kind);
        let _ = sealer(2).open(&event(kind, content));
        let _ = sealer(2).open(&event(kind, STANDARD.encode([&[2], &payload[..]].concat())));
        let _ = sealer(2).open(&encrypted(kind, &text));
    }
}
