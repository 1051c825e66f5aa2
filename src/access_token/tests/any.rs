//! Tests with arbitrary tokens.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text: String, parts in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,90}){2}") {
        let _ = judge(&ES256, &text);
        let _ = judge(&ES256, &parts);
    }

    #[test]
    fn no_header_claims_or_signature_make_the_verifier_panic(
        any_header: String, any_claims: String, signature: Vec<u8>,
    ) {
        for key in one_of_each() {
            let _ = judge(key, &signed(key, &any_header, &claims_text()));
            let _ = judge(key, &signed(key, &own_header(key), &any_claims));
            let input = input(&own_header(key), &claims_text());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(&signature));
            prop_assert!(judge(key, &token).is_err());
        }
    }

    #[test]
    fn a_token_with_one_character_changed_is_refused(index: prop::sample::Index, to in "[A-Za-z0-9_.=-]") {
        for key in one_of_each() {
            let token = sign(key, &claims()).unwrap();
            let at = index.index(token.len());
            prop_assume!(token[at..=at] != to);
            let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
            prop_assert!(judge(key, &changed).is_err());
        }
    }

    #[test]
    fn whatever_claims_say_comes_back(sub: String, sid: Option<String>, roles: Option<Vec<String>>, exp: u64) {
        let claims = Claims { sub, sid, roles, exp, ..claims() };
        for key in one_of_each() {
            let token = sign(key, &claims).unwrap();
            if token.len() <= portal_token::MAX_TOKEN_BYTES {
                prop_assert_eq!(judge(key, &token), Ok(claims.clone()));
            }
        }
    }
}
