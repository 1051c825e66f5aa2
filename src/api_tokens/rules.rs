//! The rules for the name and the lifetime of a new token. Pure.

use std::time::Duration;

use super::NamedTokenError;
use crate::clock::Timestamp;

/// The highest number of tokens, including expired ones.
pub const MAX_TOKENS: usize = 256;

/// The longest name, in characters.
pub const MAX_NAME: usize = 64;

/// The longest lifetime of a token that expires.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// Checks the name of a token. A name appears in lines of the log and in paths, so only few characters are allowed.
///
/// # Errors
/// [`NamedTokenError::BadRequest`].
pub fn check_name(name: &str) -> Result<(), NamedTokenError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // If somebody pasted a token as the name, lists and the log would show it.
    let is_secret = name.starts_with("portico_")
        || (name.len() == MAX_NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_secret {
        let message = "name: looks like a token or a part of one; choose a name that is not a secret";
        return Err(NamedTokenError::BadRequest(message.into()));
    }
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= MAX_NAME && name.bytes().all(is_plain) {
        return Ok(());
    }
    let message = format!(
        "name: must have 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`, and begin with a letter or digit"
    );
    Err(NamedTokenError::BadRequest(message))
}

/// When a new token expires. A token that was made with another token never outlives it. Otherwise somebody who stole
/// a token could make one that is valid for ever.
pub(super) fn expiry(
    lifetime: Option<Duration>,
    makers: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, NamedTokenError> {
    if lifetime.is_some_and(|lifetime| lifetime.is_zero() || lifetime > LONGEST_LIFETIME) {
        let days = LONGEST_LIFETIME.as_secs() / (24 * 3600);
        return Err(NamedTokenError::BadRequest(format!("expires_in: must be from 1 second to {days} days")));
    }
    match (lifetime.map(|lifetime| now.plus(lifetime)), makers) {
        (Some(wanted), Some(makers)) if wanted > makers => {
            let message =
                format!("expires_in: your own token expires at {makers}, and the new one cannot outlive it");
            Err(NamedTokenError::BadRequest(message))
        }
        (None, makers) => Ok(makers),
        (wanted, _) => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_made_with_a_token_does_not_outlive_it() {
        let expiry = |lifetime: Option<u64>, makers: Option<u64>| {
            let makers = makers.map(Timestamp::from_secs);
            expiry(lifetime.map(Duration::from_secs), makers, Timestamp::from_secs(100)).ok()
        };
        let at = |secs| Some(Some(Timestamp::from_secs(secs)));
        assert_eq!(expiry(None, None), Some(None));
        assert_eq!(expiry(Some(10), None), at(110));
        assert_eq!(expiry(None, Some(150)), at(150), "by default as long as the token that made it");
        assert_eq!(expiry(Some(50), Some(150)), at(150));
        assert_eq!(expiry(Some(51), Some(150)), None);
    }

    #[test]
    fn a_lifetime_that_makes_no_sense_is_refused() {
        let expiry = |lifetime| expiry(Some(lifetime), None, Timestamp::from_secs(100));
        assert!(expiry(LONGEST_LIFETIME).is_ok());
        for wrong in
            [Duration::ZERO, LONGEST_LIFETIME + Duration::from_secs(1), Duration::from_secs(u64::MAX)]
        {
            let error = expiry(wrong).unwrap_err().to_string();
            assert!(error.starts_with("expires_in: "), "{error}");
        }
    }

    #[test]
    fn a_name_cannot_forge_a_line_of_the_log_or_another_path() {
        for good in ["shop", "shop-2", "a.b_c", "7", &"x".repeat(MAX_NAME)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for secret in [&"5e".repeat(32), "portico_0123456789abcdef_5e", &"5E".repeat(32)] {
            assert!(check_name(secret).unwrap_err().to_string().contains("looks like a token"), "{secret}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        for bad in ["", " ", "a b", "a/b", "..", "-x", "a\n", "é", "a\"", "token:x", "a%2e", &long] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
