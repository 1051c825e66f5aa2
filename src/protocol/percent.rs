//! Percent-encoding (RFC 3986 §2.1) of all characters that are not unreserved (§2.3), as wallets decode it.

use std::fmt;

/// Displays a text percent-encoded.
pub(super) struct Encoded<'a>(pub(super) &'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// Decodes; `None` if a `%` is not followed by two hex digits or the result is not UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.as_bytes().split_at_checked(2)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).ok()?;
        bytes.extend(byte);
        bytes.extend(rest);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(Encoded("aZ09-._~").to_string(), "aZ09-._~");
        assert_eq!(Encoded("ws://a:1/, &é+").to_string(), "ws%3A%2F%2Fa%3A1%2F%2C%20%26%C3%A9%2B");
    }

    #[test]
    fn decoding_refuses_what_is_not_an_encoding() {
        assert_eq!(decode("a%2fb%2Fc+%C3%A9").as_deref(), Some("a/b/c+é"));
        for bad in ["%", "%2", "a%zz", "%+1", "%C3", "%ff", "%é"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
