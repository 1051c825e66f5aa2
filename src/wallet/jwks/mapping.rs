//! Maps the claims of any issuer to the owner of a wallet, as the configuration says.

use serde_json::Value;

use super::JwtError;
use super::policy::Owner;
use crate::config::Jwks;

/// The names of the claims.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    wallet_id: String,
    auth_identifier: String,
    auth_method: Option<String>,
}

impl Mapping {
    pub(super) fn of(rules: &Jwks) -> Self {
        Self {
            wallet_id: rules.wallet_id.clone(),
            auth_identifier: rules.auth_identifier.clone(),
            auth_method: rules.auth_method.clone(),
        }
    }

    /// The identity in the claims. If a configured claim is missing, the token is refused.
    pub(super) fn owner(&self, claims: &Value) -> Result<Owner, JwtError> {
        let auth_method = self.auth_method.as_ref().map(|name| text(claims, name)).transpose()?;
        Ok(Owner {
            wallet_id: text(claims, &self.wallet_id)?,
            auth_method: auth_method.unwrap_or_else(|| "jwt".into()),
            auth_identifier: text(claims, &self.auth_identifier)?,
            wallets: Vec::new(),
        })
    }
}

/// The claim with this name, or at this JSON pointer (RFC 6901).
fn text(claims: &Value, name: &str) -> Result<String, JwtError> {
    let claim = if name.starts_with('/') { claims.pointer(name) } else { claims.get(name) };
    match claim {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(JwtError::MalformedClaims),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapping(wallet_id: &str, auth_method: Option<&str>) -> Mapping {
        let auth_identifier = "email".into();
        Mapping { wallet_id: wallet_id.into(), auth_identifier, auth_method: auth_method.map(Into::into) }
    }

    #[test]
    fn claims_are_found_by_name_and_inside_others_by_pointer() {
        let claims =
            json!({ "sub": "user", "email": "a@b.example", "data": { "wallet": "0x01" }, "via": "otp" });
        let plain = mapping("sub", None).owner(&claims).unwrap();
        assert_eq!((&*plain.wallet_id, &*plain.auth_method), ("user", "jwt"));
        let nested = mapping("/data/wallet", Some("via")).owner(&claims).unwrap();
        assert_eq!((&*nested.wallet_id, &*nested.auth_method), ("0x01", "otp"));
        assert_eq!(nested.auth_identifier, "a@b.example");
    }

    #[test]
    fn a_claim_that_is_not_there_or_no_text_names_nobody() {
        for claims in
            [json!({ "email": "a@b" }), json!({ "sub": 7, "email": "a@b" }), json!({ "sub": "user" })]
        {
            assert_eq!(mapping("sub", None).owner(&claims), Err(JwtError::MalformedClaims), "{claims}");
        }
        let no_method = mapping("sub", Some("via")).owner(&json!({ "sub": "user", "email": "a@b" }));
        assert_eq!(no_method, Err(JwtError::MalformedClaims));
    }

    #[test]
    fn an_address_that_anybody_could_have_typed_names_nobody_wherever_it_is_configured() {
        let owner = |path: &str, verified: Value| {
            let claims = json!({
                "sub": "mallory", "via": "otp",
                "email": "ceo@b.example", "email_verified": verified,
                "data": { "phone_number": "+1", "phone_number_verified": verified },
            });
            let of = |wallet_id: &str, auth_identifier: &str, auth_method: &str| {
                let [wallet_id, auth_identifier] = [wallet_id, auth_identifier].map(str::to_owned);
                Mapping { wallet_id, auth_identifier, auth_method: Some(auth_method.into()) }
                    .owner(&claims)
                    .and_then(|owner| owner.verified(&claims))
            };
            [of(path, "sub", "via"), of("sub", path, "via"), of("sub", "sub", path)]
        };
        for path in ["email", "/email", "/data/phone_number"] {
            let nos = [json!(false), json!("false"), json!("no"), json!(0), json!(1), json!(null), json!([])];
            for no in nos {
                for refused in owner(path, no.clone()) {
                    assert_eq!(refused, Err(JwtError::UnverifiedIdentifier), "{path} {no}");
                }
            }
            for yes in [json!(true), json!("true")] {
                assert!(owner(path, yes.clone()).iter().all(Result::is_ok), "{path} {yes}");
            }
        }
    }
}
