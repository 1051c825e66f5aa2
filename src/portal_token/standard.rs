//! What people offer in place of a login token: a standard JWT of the same service.

use super::compact::Compact;

/// What to do with a JWT that names its issuer and key, as those of this service under the keys of the JWKS do;
/// `None`: the text is none. It is for the error of a token whose header is not that of a login token.
pub fn standard_jwt(text: &str) -> Option<&'static str> {
    let token = Compact::parse(text).ok()?;
    let (header, claims) = token.objects().ok()?;
    let is_standard = header.contains("kid") && claims.contains("iss");
    is_standard.then_some("a JWT: ask /oauth/introspect or /auth/verify, or verify it by the JWKS")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn only_a_jwt_with_a_key_and_an_issuer_is_taken_for_one() {
        let header = r#"{"alg":"ES256","kid":"x"}"#;
        assert!(standard_jwt(&token(header, r#"{"iss":"nostr:npub1"}"#)).is_some());
        assert!(standard_jwt(&token(header, "{}")).is_none());
        assert!(standard_jwt(&token(r#"{"alg":"HS256"}"#, r#"{"iss":"x"}"#)).is_none());
        assert!(standard_jwt("nonsense").is_none());
    }
}
