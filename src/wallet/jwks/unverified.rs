//! Addresses that anybody could have typed: emails and phone numbers that the issuer has not verified.
//!
//! Issuers say so beside the address, in a claim like `email_verified` (OpenID Connect Core §5.1). They write its name in
//! several ways, nest it, and repeat the same address in other claims. So the value counts, not the place: a text that
//! the issuer calls unverified anywhere in the token names nobody.

use serde_json::{Map, Value};

/// Whether the issuer says anywhere in these claims that it has not verified this text.
pub(super) fn is_unverified(text: &str, claims: &Value) -> bool {
    match claims {
        Value::Object(members) => {
            let is_the_text = |value: &Value| match value {
                Value::String(other) => is_same(other, text),
                Value::Array(many) => {
                    many.iter().any(|one| one.as_str().is_some_and(|one| is_same(one, text)))
                }
                _ => false,
            };
            members.iter().any(|(name, value)| {
                is_the_text(value) && is_denied(name, members) || is_unverified(text, value)
            })
        }
        Value::Array(many) => many.iter().any(|one| is_unverified(text, one)),
        _ => false,
    }
}

/// Mail hosts do not distinguish capital letters in an address, and neither does the person who reads it.
fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// Whether one of these claims says that the claim with this name is not verified. Anything but true is a no. Some
/// issuers write it as text.
fn is_denied(name: &str, beside: &Map<String, Value>) -> bool {
    let name = plain(name);
    let says_no = |value: &Value| !(*value == Value::Bool(true) || value == "true");
    beside.iter().any(|(flag, value)| says_no(value) && is_about(&plain(flag), &name))
}

/// Whether a claim with the name `flag` says if the claim `name` is verified: `email_verified`, `isPhoneVerified`,
/// `verified`.
fn is_about(flag: &str, name: &str) -> bool {
    let flag = flag.strip_prefix("is").unwrap_or(flag);
    let Some(subject) = flag.strip_suffix("verified").or_else(|| flag.strip_prefix("verified")) else {
        return false;
    };
    // phone_verified is about phone_number, too, and email_verified about email_address.
    let of_kind = |kind| subject.contains(kind) && name.contains(kind);
    let is_address = || {
        ["value", "number", "identifier", "handle"].contains(&name)
            || ["address", "email", "phone"].iter().any(|kind| name.contains(kind))
    };
    match subject {
        // In an object for one address: {"type": "email", "value": "…", "verified": false}.
        "" => is_address(),
        subject => subject == name || of_kind("email") || of_kind("phone"),
    }
}

/// A name without the differences between `email_verified`, `emailVerified` and `Email-Verified`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_that_its_issuer_calls_unverified_counts_nowhere_in_the_token() {
        let ceo = "ceo@b.example";
        for claims in [
            json!({ "email": ceo, "email_verified": false }),
            json!({ "email": "CEO@b.example", "email_verified": false }),
            json!({ "email": ceo, "emailVerified": "false" }),
            json!({ "email": ceo, "is_email_verified": 0 }),
            json!({ "email": ceo, "verified_email": false }),
            json!({ "email_address": ceo, "email_verified": false }),
            json!({ "https://b.example/email": ceo, "https://b.example/email_verified": false }),
            json!({ "phone_number": ceo, "phone_verified": false }),
            json!({ "phone": ceo, "phone_number_verified": null }),
            json!({ "contact": ceo, "contact_verified": false }),
            json!({ "emails": [ceo], "emails_verified": false }),
            json!({ "email": { "address": ceo, "verified": false } }),
            json!({ "profiles": [{ "type": "email", "value": ceo, "verified": false }] }),
            json!({ "user_metadata": { "email": ceo, "email_verified": false } }),
            json!({ "data": { "email": ceo }, "email": ceo, "email_verified": false }),
            json!({ "preferred_username": ceo, "email": ceo, "email_verified": false }),
            json!({ "a": { "email": ceo, "email_verified": true }, "email": ceo, "email_verified": false }),
        ] {
            assert!(is_unverified(ceo, &claims), "{claims}");
        }
    }

    #[test]
    fn an_address_that_was_verified_or_that_the_issuer_says_nothing_about_counts() {
        let ceo = "ceo@b.example";
        for claims in [
            json!({ "email": ceo, "email_verified": true }),
            json!({ "email": ceo, "email_verified": "true" }),
            json!({ "email": ceo }),
            json!({ "email": ceo, "email_verified": true, "phone": "+1", "phone_verified": false }),
            json!({ "sub": ceo, "email": "other@b.example", "email_verified": false }),
            json!({ "sub": ceo, "verified": false }),
            json!({ "type": ceo, "value": "+1", "verified": false }),
        ] {
            assert!(!is_unverified(ceo, &claims), "{claims}");
        }
    }
}
