//! Events as relays pass them on: read leniently, so that an odd event that its author did sign is not taken
//! for a forgery by the relay.
//!
//! Pure. nostr-sdk rejects a whole event for an empty tag, and where it compares keys it accepts only lower case.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use nostr_sdk::prelude::{Event, EventId, Kind, PublicKey, Tag, Timestamp};
use secp256k1::schnorr::Signature;
use secp256k1::{Message, SECP256K1, XOnlyPublicKey};
use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

/// The longest frame of an event that the protocol can carry, in bytes: the longest text that NIP-44 encrypts
/// makes 87,472 characters of content; the rest is for slashes that are escaped, tags, id, key and signature.
pub(super) const MAX_EVENT: usize = 96 * 1024;

/// Events with more texts in their tags than this are not read: a challenge concerns nine keys at most.
const MAX_TEXTS: usize = 1024;

/// The claims of an event; nothing is verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// `None`: no event can have this author.
    pub(super) id: Option<EventId>,
    pub(super) author: PublicKey,
    pub(super) kind: Kind,
}

/// An event that was read, but not verified.
#[derive(Debug)]
pub(super) struct RawEvent {
    event: Event,
    /// The signed form, if the event differs from it.
    signed: Option<Signed>,
}

#[derive(Debug)]
struct Signed {
    author: String,
    tags: Vec<Vec<String>>,
}

/// The claims of an `EVENT` frame. `None`: it is not such a frame, or no key can have signed its event.
pub(super) fn claim(frame: &str) -> Option<Claim> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow, default)]
        id: Cow<'a, str>,
        #[serde(borrow)]
        pubkey: Cow<'a, str>,
        kind: u16,
    }

    let head = serde_json::from_str::<Third<Head<'_>>>(frame).ok()?.0;
    let (id, author) = (EventId::from_hex(&head.id).ok(), PublicKey::from_hex(&head.pubkey).ok()?);
    Some(Claim { id, author, kind: Kind::from_u16(head.kind) })
}

/// The event of an `EVENT` frame. `None`: it cannot be read, which may not be the relay's fault.
pub(super) fn read(frame: &str) -> Option<RawEvent> {
    #[derive(Deserialize)]
    struct Fields {
        id: String,
        pubkey: String,
        created_at: u64,
        kind: u16,
        tags: Tags,
        content: String,
        sig: String,
    }

    let fields = serde_json::from_str::<Third<Fields>>(frame).ok()?.0;
    let mut id = [0; 32];
    hex::decode_to_slice(&fields.id, &mut id).ok()?;
    let mut signature = [0; 64];
    hex::decode_to_slice(&fields.sig, &mut signature).ok()?;
    let author = PublicKey::from_hex(&fields.pubkey).ok()?;
    let tags = fields.tags.0;
    let is_odd =
        tags.iter().any(Vec::is_empty) || fields.pubkey.bytes().any(|byte| byte.is_ascii_uppercase());
    let signed = is_odd.then(|| Signed { author: fields.pubkey, tags: tags.clone() });
    let event = Event::new(
        EventId::from_byte_array(id),
        author,
        Timestamp::from_secs(fields.created_at),
        Kind::from_u16(fields.kind),
        // Only an empty tag is refused.
        tags.into_iter().filter_map(|tag| Tag::parse(tag).ok()),
        fields.content,
        Signature::from_slice(&signature).ok()?,
    );
    Some(RawEvent { event, signed })
}

impl RawEvent {
    /// The content without its empty tags. Not verified.
    pub(super) const fn unverified(&self) -> &Event {
        &self.event
    }

    /// The same, for callers that know what it should be.
    pub(super) fn into_unverified(self) -> Event {
        self.event
    }

    /// The event, if its id matches its content and its signature its author.
    pub(super) fn verify(self) -> Option<Event> {
        let Self { event, signed } = self;
        let genuine = match signed {
            None => event.verify().is_ok(),
            // Relays that compare keys as text and relays that compare them as bytes have checked different
            // texts.
            Some(Signed { author, tags }) => {
                let is_named =
                    [event.pubkey.to_hex(), author].iter().any(|author| names(&event, author, &tags));
                is_named && is_signed(&event)
            }
        };
        genuine.then_some(event)
    }
}

/// Whether the id matches the content (NIP-01), with these tags and the author in this spelling.
fn names(event: &Event, author: &str, tags: &[Vec<String>]) -> bool {
    let all = (0, author, event.created_at.as_secs(), event.kind.as_u16(), tags, &event.content);
    let id = serde_json::to_vec(&all).map(Sha256::digest);
    id.is_ok_and(|id| id[..] == *event.id.as_bytes())
}

/// The signature alone, which is of the id.
fn is_signed(event: &Event) -> bool {
    let message = Message::from_digest(event.id.to_bytes());
    XOnlyPublicKey::from_slice(event.pubkey.as_bytes())
        .is_ok_and(|author| SECP256K1.verify_schnorr(&event.sig, &message, &author).is_ok())
}

/// The third element of an array, whatever comes before and after it.
struct Third<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Third<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Third<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of three elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Third<T>, A::Error> {
                for _ in 0..2 {
                    elements.next_element::<IgnoredAny>()?;
                }
                let third = elements.next_element()?.ok_or_else(|| A::Error::invalid_length(2, &self))?;
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Third(third))
            }
        }

        from.deserialize_seq(Elements(PhantomData))
    }
}

/// Tags. Rejects so many tags that they would take many times the memory of their text.
struct Tags(Vec<Vec<String>>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bounded;

        impl<'de> Visitor<'de> for Bounded {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "tags of up to {MAX_TEXTS} texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tags, A::Error> {
                let mut tags = Vec::new();
                let mut texts = 0;
                while let Some(tag) = elements.next_element::<Vec<String>>()? {
                    texts += 1 + tag.len();
                    if texts > MAX_TEXTS {
                        return Err(A::Error::invalid_length(texts, &self));
                    }
                    tags.push(tag);
                }
                Ok(Tags(tags))
            }
        }

        from.deserialize_seq(Bounded)
    }
}

#[cfg(test)]
mod tests {
    use nostr_sdk::prelude::{EventBuilder, JsonUtil, Keys};
    use serde_json::{Value, json};

    use super::*;

    /// An event as somebody signs it who writes its tags and their key like this.
    fn signed(keys: &Keys, author: &str, tags: &Value) -> Value {
        let text = json!([0, author, 1_800_000_000, 27001, tags, "content \u{1}\"é/"]);
        let id: [u8; 32] = Sha256::digest(text.to_string()).into();
        let sig = keys.sign_schnorr(&Message::from_digest(id));
        json!({ "id": hex::encode(id), "pubkey": author, "created_at": 1_800_000_000, "kind": 27001,
                "tags": tags, "content": "content \u{1}\"é/", "sig": sig.to_string() })
    }

    fn frame(event: &Value) -> String {
        json!(["EVENT", "portico", event]).to_string()
    }

    #[test]
    fn an_odd_event_is_genuine_if_its_author_signed_it() {
        let keys = Keys::generate();
        let (key, us) = (keys.public_key().to_hex(), Keys::generate().public_key().to_hex());
        for tags in [
            json!([]),
            json!([[]]),
            json!([["p", us], []]),
            json!([["p", us.to_uppercase()], ["p"], ["", ""], ["e", "not an id", "wss://x", "root", "more"]]),
            json!([["p", us, "wss://relay", "name", "\u{1F600}\n\\"]]),
            json!([["a", "x"], [], [], ["relay", ""]]),
        ] {
            let event = signed(&keys, &key, &tags);
            let read = read(&frame(&event)).unwrap().verify().unwrap();
            let full: Vec<_> = tags.as_array().unwrap().iter().filter(|tag| tag[0].is_string()).collect();
            assert_eq!(serde_json::to_value(&read.tags).unwrap(), json!(full));
            let mut forged = event.clone();
            forged["tags"].as_array_mut().unwrap().push(json!([]));
            assert!(super::read(&frame(&forged)).unwrap().verify().is_none(), "{forged}");
        }
        let shouting = signed(&keys, &key.to_uppercase(), &json!([["p", us]]));
        assert_eq!(read(&frame(&shouting)).unwrap().verify().unwrap().pubkey, keys.public_key());
        let mut shouted = signed(&keys, &key, &json!([["p", us]]));
        shouted["pubkey"] = json!(key.to_uppercase());
        assert!(read(&frame(&shouted)).unwrap().verify().is_some());
        shouted["content"] = json!("other");
        assert!(read(&frame(&shouted)).unwrap().verify().is_none());
    }

    #[test]
    fn another_signature_under_a_true_id_is_a_forgery_of_an_odd_event_too() {
        let (keys, others) = (Keys::generate(), Keys::generate());
        let tags = json!([["p", "x"], []]);
        let mut event = signed(&keys, &keys.public_key().to_hex(), &tags);
        event["sig"] = signed(&others, &others.public_key().to_hex(), &tags)["sig"].clone();
        assert!(read(&frame(&event)).unwrap().verify().is_none());
    }

    #[test]
    fn more_in_a_frame_or_an_event_than_there_should_be_does_no_harm() {
        let keys = Keys::generate();
        let event = EventBuilder::text_note("x").sign_with_keys(&keys).unwrap();
        let mut extended = serde_json::to_value(&event).unwrap();
        extended["relays"] = json!(["wss://x"]);
        for frame in [
            format!(r#"["EVENT","portico",{},"more",[1]]"#, event.as_json()),
            format!(r#" [ "EVENT" , "portico" , {} ] "#, event.as_json()),
            frame(&extended),
        ] {
            assert_eq!(read(&frame).unwrap().verify().unwrap(), event);
            let claimed = Claim { id: Some(event.id), author: event.pubkey, kind: event.kind };
            assert_eq!(claim(&frame).unwrap(), claimed);
        }
    }

    #[test]
    fn what_is_no_event_claims_nothing() {
        for frame in [
            "",
            "[]",
            "x",
            r#"["EVENT","sub"]"#,
            r#"["EVENT","sub",{}]"#,
            r#"["EVENT","sub",{"pubkey":"x","kind":1}]"#,
            r#"["EVENT","sub",{"id":"#,
            &format!(r#"["EVENT","sub",{}]"#, "[".repeat(10_000)),
        ] {
            assert!(claim(frame).is_none() && read(frame).is_none(), "{frame}");
        }
    }

    #[test]
    fn tags_that_would_fill_the_memory_are_not_read_but_the_author_is_known() {
        let keys = Keys::generate();
        for tags in [json!(vec![json!([]); 20_000]), json!([vec![""; 20_000]])] {
            let frame = frame(&signed(&keys, &keys.public_key().to_hex(), &tags));
            assert!(frame.len() < MAX_EVENT);
            assert!(read(&frame).is_none());
            assert_eq!(claim(&frame).unwrap().author, keys.public_key());
        }
    }

    #[test]
    fn the_longest_message_that_can_be_sealed_fits_in_a_frame() {
        let content = "/".repeat(87_472);
        let tags: Vec<Tag> =
            std::iter::repeat_with(|| Tag::public_key(Keys::generate().public_key())).take(16).collect();
        let event = EventBuilder::text_note(content).tags(tags).sign_with_keys(&Keys::generate()).unwrap();
        assert!(format!(r#"["EVENT","portico",{}]"#, event.as_json()).len() <= MAX_EVENT);
    }

    proptest::proptest! {
        #[test]
        fn no_frame_makes_reading_panic(frame in "\\PC*") {
            let _ = claim(&frame);
            let _ = read(&frame).map(RawEvent::verify);
        }
    }
}
