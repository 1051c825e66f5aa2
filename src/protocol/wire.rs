//! The JSON form of numbers, keys and lists in the protocol, and their bounds.

use nostr_sdk::PublicKey;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Seconds as a string of decimal digits.
pub(super) mod seconds {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::protocol) fn serialize<S: Serializer>(seconds: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(seconds)
    }

    pub(in crate::protocol) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        // `parse` would take a sign as well.
        if !text.bytes().all(|c| c.is_ascii_digit()) {
            return Err(D::Error::custom("not decimal digits"));
        }
        text.parse().map_err(D::Error::custom)
    }
}

/// 32 bytes as 64 hex digits.
pub(super) mod nonce {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::protocol) fn serialize<S: Serializer>(nonce: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(nonce))
    }

    pub(in crate::protocol) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let mut nonce = [0; 32];
        hex::decode_to_slice(String::deserialize(from)?, &mut nonce).map_err(D::Error::custom)?;
        Ok(nonce)
    }
}

/// A key as 64 hex digits. (The type's own `Deserialize` would also accept `npub1…` and `nostr:`.)
pub(super) fn hex_key<'de, D: Deserializer<'de>>(from: D) -> Result<PublicKey, D::Error> {
    PublicKey::from_hex(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// A string that is rejected if it has more than `MAX` bytes.
pub(super) fn text_up_to<'de, const MAX: usize, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() > MAX { Err(D::Error::custom("string too long")) } else { Ok(text) }
}

/// A string that is cut after at most `MAX` bytes, for texts that people read.
pub(super) fn text_cut_at<'de, const MAX: usize, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(cut(String::deserialize(from)?, MAX))
}

/// Like [`text_cut_at`], for unimportant fields: any other type than a string counts as absent.
pub(super) fn remark_cut_at<'de, const MAX: usize, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<String>, D::Error> {
    Ok(text_of(Value::deserialize(from)?).map(|text| cut(text, MAX)))
}

/// The largest number of permissions in one message.
const MAX_PERMISSIONS: usize = 64;

/// The largest size of one permission, in bytes.
const MAX_PERMISSION: usize = 128;

/// A list, empty if it is null. It is rejected if it has more than 64 entries, or one of more than 128 bytes:
/// leaving out a permission would change the question.
pub(super) fn permissions<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let list = Option::<Vec<String>>::deserialize(from)?.unwrap_or_default();
    if list.len() > MAX_PERMISSIONS || list.iter().any(|permission| permission.len() > MAX_PERMISSION) {
        return Err(D::Error::custom("too many or too long permissions"));
    }
    Ok(list)
}

/// The readable permissions: the first 64 texts of up to 128 bytes. Leaving out an unknown permission grants
/// nothing, and it is no reason to reject the user's approval.
pub(super) fn granted_permissions<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(list) = Value::deserialize(from)? else { return Ok(Vec::new()) };
    let known = list.into_iter().filter_map(text_of).filter(|one| one.len() <= MAX_PERMISSION);
    Ok(known.take(MAX_PERMISSIONS).collect())
}

fn text_of(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

/// A list, empty if it is null; the first 32 entries of up to 512 bytes are kept: they are hints, and one
/// hint too many is no reason to reject a login.
pub(super) fn relay_hints<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let mut list = Option::<Vec<String>>::deserialize(from)?.unwrap_or_default();
    list.retain(|relay| relay.len() <= 512);
    list.truncate(32);
    Ok(list)
}

fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}
