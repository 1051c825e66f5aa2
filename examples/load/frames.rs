//! The frames that a relay floods with.

use std::time::{SystemTime, UNIX_EPOCH};

use nostr_sdk::{Event, EventBuilder, JsonUtil, Keys, Kind, PublicKey, Tag, Timestamp};
use portico::protocol::{Sealer, kind};
use rand::rngs::OsRng;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::Result;
use crate::args::{Args, Flood};

/// Different frames, where their signatures are never looked at; they go round.
const UNSIGNED: usize = 1024;

/// Authors for whom requests are opened.
const ASKED: usize = 500;

/// What to make.
pub(crate) struct Recipe {
    of: Flood,
    count: usize,
    kib: usize,
    service: PublicKey,
    token: String,
    keys: Vec<Keys>,
    /// The daemon's own events, for what answers them.
    pub(crate) about: Vec<String>,
}

impl Recipe {
    pub(crate) fn new(args: &Args, service: &str, token: String) -> Result<Self> {
        let keys = std::iter::repeat_with(Keys::generate).take(args.flood_keys.max(1)).collect();
        let (of, kib, count) = (args.flood_of, args.flood_kib, args.flood * args.flood_secs);
        Ok(Self { of, count, kib, service: PublicKey::parse(service)?, token, keys, about: Vec::new() })
    }

    /// The first of those who write.
    pub(crate) fn authors(&self) -> Vec<String> {
        self.keys.iter().take(ASKED).map(|keys| keys.public_key().to_hex()).collect()
    }

    /// What a genuine event of this flood says. `None`: its events are not genuine, or no events.
    fn says(&self) -> Option<(Kind, Value)> {
        let pad = "x".repeat((self.kib * 1024 * 2 / 3).min(60_000));
        match self.of {
            Flood::UnknownTokens => {
                Some((kind::KEY_HANDSHAKE, json!({ "token": "nobody opened this", "pad": pad })))
            }
            Flood::OldScans => Some((kind::KEY_HANDSHAKE, json!({ "token": self.token, "pad": pad }))),
            Flood::WrongAnswers => {
                let (challenge, status) = ("A".repeat(32), json!({ "status": "declined", "reason": null }));
                Some((kind::AUTH_RESPONSE, json!({ "challenge": challenge, "status": status, "pad": pad })))
            }
            Flood::BadProofs => {
                let metadata = json!({ "name": "phone", "nonce": "00".repeat(32), "valid_from": "0",
                    "expires_at": "4000000000", "permissions": ["auth"], "version": 1 });
                let main_key = Keys::generate().public_key();
                Some((kind::SUBKEY_PROOF, json!({ "main_key": main_key, "metadata": metadata })))
            }
            _ => None,
        }
    }
}

/// All of them.
pub(crate) fn all(recipe: &Recipe) -> Result<Vec<Message>> {
    if let Some((kind, says)) = recipe.says() {
        return genuine(recipe, kind, &says.to_string());
    }
    let unsigned = |kind| (0..UNSIGNED).map(|n| Message::text(unsigned(recipe, kind, n))).collect();
    let unknown = "00".repeat(32);
    Ok(match recipe.of {
        Flood::Forged => unsigned(kind::KEY_HANDSHAKE),
        Flood::Unrelated => unsigned(Kind::TextNote),
        Flood::Ok => vec![Message::text(format!(r#"["OK","{unknown}",true,""]"#))],
        Flood::Notice => vec![Message::text(r#"["NOTICE","slow down"]"#)],
        Flood::Eose => vec![Message::text(r#"["EOSE","portico"]"#)],
        Flood::Closed => vec![Message::text(r#"["CLOSED","another","error: no"]"#)],
        Flood::Binary => vec![Message::binary(vec![0; 1024])],
        Flood::Pings => vec![Message::Ping(vec![0; 125].into())],
        _ => unsigned(kind::AUTH_RESPONSE),
    })
}

/// Signed, each with an id of its own, by all keys in turn and on two cores.
fn genuine(recipe: &Recipe, kind: Kind, says: &str) -> Result<Vec<Message>> {
    let made_at = if recipe.of == Flood::OldScans { now() - 3600 } else { now() };
    let sealed = recipe.keys.iter().map(|keys| {
        let sealer = Sealer::new(keys.clone(), 1);
        Ok((keys, sealer.seal_text(&mut OsRng, &recipe.service, says)?))
    });
    let sealed = sealed.collect::<Result<Vec<_>>>()?;
    let make = |n: usize| -> Result<Message> {
        let (keys, content) = &sealed[n % sealed.len()];
        let about = (!recipe.about.is_empty()).then(|| &recipe.about[n % recipe.about.len()]);
        let tags = [Tag::public_key(recipe.service), Tag::parse(["n", &n.to_string()])?];
        let about = about.map(|id| Tag::parse(["e", id])).transpose()?;
        let event = EventBuilder::new(kind, content.as_str())
            .tags(tags.into_iter().chain(about))
            .custom_created_at(Timestamp::from_secs(made_at));
        Ok(Message::text(frame(&event.sign_with_keys(keys)?)))
    };
    let half = recipe.count / 2;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| (half..recipe.count).map(make).collect::<Result<Vec<_>>>());
        let mut frames = (0..half).map(make).collect::<Result<Vec<_>>>()?;
        frames.extend(other.join().map_err(|_| "a thread has failed")??);
        Ok(frames)
    })
}

fn frame(event: &Event) -> String {
    format!(r#"["EVENT","portico",{}]"#, event.as_json())
}

/// An event that is well-formed, and nothing else.
fn unsigned(recipe: &Recipe, kind: Kind, n: usize) -> String {
    // As long as the answer of a wallet.
    let length = if recipe.kib > 0 { recipe.kib * 1024 - 400 } else { 700 };
    let event = json!({
        "id": hex::encode(rand::random::<[u8; 32]>()),
        "pubkey": Keys::generate().public_key(),
        "created_at": 1_700_000_000 + n,
        "kind": kind,
        "tags": [["p", recipe.service]],
        "content": "A".repeat(length),
        "sig": hex::encode([rand::random::<[u8; 32]>(), rand::random()].concat()),
    });
    json!(["EVENT", "portico", event]).to_string()
}

#[expect(clippy::disallowed_methods, reason = "a wallet has a clock of its own")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
