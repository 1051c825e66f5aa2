//! Detects standard JWTs of this service that a caller offers in place of a login token.

use super::compact::Compact;

/// A hint for a caller with a JWT that names its issuer and key, as the tokens under the keys of the JWKS do. It is
/// part of the error for a token that does not have the header of a login token. `None`: the text is not such a JWT.
pub fn standard_jwt(text: &str) -> Option<&'static str> {
    let token = Compact::parse(text).ok()?;
    let (header, claims) = token.objects().ok()?;
    let is_standard = header.contains("kid") && claims.contains("iss");
    is_standard.then_some("it is a JWT: use /oauth/introspect or /auth/verify, or verify it with the JWKS")
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
