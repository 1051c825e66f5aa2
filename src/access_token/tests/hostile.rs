//! Forged and altered tokens.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;

#[test]
fn a_token_with_alg_none_is_refused() {
    for key in one_of_each() {
        for alg in ["none", "None", ""] {
            let token = signed(key, &header(alg, key.public().kid()), &claims_text());
            assert_eq!(judge(key, &token), Err(AccessError::UnsupportedAlgorithm), "{alg}");
            let bare = format!("{}.", token.rsplit_once('.').unwrap().0);
            assert_eq!(judge(key, &bare), Err(AccessError::MalformedToken), "{alg}");
        }
    }
}

#[test]
fn hs256_over_the_public_key_is_refused() {
    for key in one_of_each() {
        let jwk = key.public().jwk();
        let raw = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
        for secret in [raw, jwk.to_string().into_bytes(), key.public().kid().as_bytes().to_vec()] {
            for alg in ["HS256", key.public().algorithm().as_str()] {
                let input = input(&header(alg, key.public().kid()), &claims_text());
                let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
                mac.update(input.as_bytes());
                let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
                let expected = if alg == "HS256" {
                    AccessError::UnsupportedAlgorithm
                } else {
                    AccessError::InvalidSignature
                };
                assert_eq!(judge(key, &token), Err(expected));
            }
        }
    }
}

#[test]
fn an_es256_token_under_the_name_of_an_eddsa_key_is_refused_and_so_is_every_other_mixture() {
    for signer in one_of_each() {
        for key in one_of_each().into_iter().filter(|key| key.public() != signer.public()) {
            let alg = signer.public().algorithm().as_str();
            let token = signed(signer, &header(alg, key.public().kid()), &claims_text());
            assert_eq!(judge(key, &token), Err(AccessError::UnsupportedAlgorithm), "{alg}");
            let token = signed(signer, &own_header(key), &claims_text());
            assert_eq!(judge(key, &token), Err(AccessError::InvalidSignature), "{alg}");
        }
    }
}

#[test]
fn a_token_of_another_key_is_refused_by_its_name_or_by_its_signature() {
    for key in one_of_each() {
        let other = SigningKey::generate(key.public().algorithm()).unwrap();
        assert_eq!(judge(key, &sign(&other, &claims()).unwrap()), Err(AccessError::UnknownKey));
        let forged = signed(&other, &own_header(key), &claims_text());
        assert_eq!(judge(key, &forged), Err(AccessError::InvalidSignature));
    }
}

#[test]
fn only_a_token_of_the_type_at_jwt_is_an_access_token() {
    let typed = |typ: &str| {
        let header = format!(r#"{{{typ}"alg":"ES256","kid":"{}"}}"#, ES256.public().kid());
        judge(&ES256, &signed(&ES256, &header, &claims_text())).map(|_| ())
    };
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert_eq!(typed(&format!(r#""typ":"{typ}","#)), Ok(()), "{typ}");
    }
    for typ in ["JWT", "jwt", "", "at+jwt ", "application/", "application/application/at+jwt", "dpop+jwt"] {
        assert_eq!(typed(&format!(r#""typ":"{typ}","#)), Err(AccessError::MalformedToken), "{typ}");
    }
    for typ in ["", r#""typ":null,"#, r#""typ":["at+jwt"],"#] {
        assert_eq!(typed(typ), Err(AccessError::MalformedToken), "{typ}");
    }
}

#[test]
fn a_header_that_two_readers_could_read_differently_is_refused() {
    let kid = ES256.public().kid();
    let good = own_header(&ES256);
    let with = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    for bad in [
        with(r#""alg":"none""#),
        with(r#""\u0061lg":"none""#),
        with(r#""kid":"other""#),
        with(r#""x":{"a":1,"a":1}"#),
        with(r#""crit":["exp"]"#),
        with(r#""crit":[]"#),
        with(r#""b64":true"#),
        with(r#""jwk":{}"#),
        with(r#""jku":"https://evil.example""#),
        with(r#""x5c":[]"#),
        with(r#""zip":"DEF""#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":["{kid}"]}}"#),
        r#"{"typ":"at+jwt","alg":"ES256"}"#.into(),
        format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#),
        format!("[{good}]"),
        format!("{good}{good}"),
    ] {
        let token = signed(&ES256, &bad, &claims_text());
        assert_eq!(judge(&ES256, &token), Err(AccessError::MalformedToken), "{bad}");
    }
    let token = signed(&ES256, &with(r#""x":[{"y":1}]"#), &claims_text());
    assert_eq!(judge(&ES256, &token), Ok(claims()), "what is not known is no matter");
}

#[test]
fn a_token_has_one_spelling() {
    let token = sign(&ES256, &claims()).unwrap();
    let [header, claims, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    // 64 bytes leave four bits of the last character unused, which must be zero.
    let loose = format!("{}B", &signature[..85]);
    for bad in [
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{token}.{signature}"),
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{header}.{claims}.{loose}"),
        format!("Bearer {token}"),
        String::new(),
    ] {
        assert_eq!(judge(&ES256, &bad), Err(AccessError::MalformedToken), "{bad}");
    }
}

#[test]
fn a_token_longer_than_the_limit_is_not_looked_at() {
    let of = |length: usize| {
        let claims = claims_text().replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(length)), 1);
        signed(&ES256, &own_header(&ES256), &claims)
    };
    let room = (portal_token::MAX_TOKEN_BYTES - of(0).len()) / 4 * 3;
    assert_eq!(judge(&ES256, &of(room - 3)), Ok(claims()));
    assert_eq!(judge(&ES256, &of(room + 3)), Err(AccessError::MalformedToken));
}

#[test]
fn claims_that_cannot_be_are_refused_once_the_signature_is_known_to_be_good() {
    let judged = |from: &str, to: &str| {
        let text = claims_text().replacen(from, to, 1);
        assert_ne!(text, claims_text(), "{from}");
        let good = judge(&ES256, &signed(&ES256, &own_header(&ES256), &text));
        let forged = signed(&ED_DSA, &own_header(&ES256), &text);
        (good.map(|_| ()), judge(&ES256, &forged).unwrap_err())
    };
    for (from, to) in [
        (r#""aud":"https://app.example""#, r#""aud":["https://app.example"]"#),
        (r#""exp":1800000900"#, r#""exp":"1800000900""#),
        (r#""exp":1800000900"#, r#""exp":-1"#),
        (r#""exp":1800000900"#, r#""exp":1e300"#),
        (r#""exp":1800000900,"#, ""),
        (r#""jti":"01a1fa73","#, ""),
        (r#""iss":"https://portico.example","#, ""),
        (r#""roles":[]"#, r#""roles":"admin""#),
        (r#""roles":[]"#, r#""roles":[1]"#),
        (r#""sid":"01a1fa74""#, r#""sid":1"#),
    ] {
        let expected = (Err(AccessError::MalformedClaims), AccessError::InvalidSignature);
        assert_eq!(judged(from, to), expected, "{to}");
    }
    for (from, to) in [("{", r#"{"iss":"x","#), ("{", "[{"), ("}", "}}"), ("{", r#"{"x":{"a":1,"a":1},"#)] {
        let expected = (Err(AccessError::MalformedToken), AccessError::MalformedToken);
        assert_eq!(judged(from, to), expected, "{to}");
    }
    assert_eq!(judged("{", r#"{"acr":"unknown","#).0, Ok(()));
}
