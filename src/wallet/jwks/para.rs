//! Reads the claims of a token of Para, in the form that Para documents (docs.getpara.com, "JWT Token Management").

use serde::Deserialize;
use serde_json::Value;

use super::JwtError;
use super::policy::Owner;
use crate::wallet::FurtherWallet;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    user_id: String,
    auth_type: String,
    identifier: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    telegram_user_id: Option<String>,
    farcaster_username: Option<String>,
    external_wallet_address: Option<String>,
    wallets: Vec<Wallet>,
    #[serde(default)]
    connected_wallets: Vec<Wallet>,
}

#[derive(Deserialize)]
struct Wallet {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

/// The identity in the claims. The user is the wallet, because users of Para have several wallets.
pub(super) fn owner(claims: &Value) -> Result<Owner, JwtError> {
    let data = claims.get("data").ok_or(JwtError::MalformedClaims)?;
    let data = Data::deserialize(data).map_err(|_| JwtError::MalformedClaims)?;
    if data.user_id.is_empty() {
        return Err(JwtError::MalformedClaims);
    }
    if claims.get("sub").and_then(Value::as_str) != Some(&data.user_id) {
        return Err(JwtError::SubjectMismatch);
    }
    let identifier = match data.auth_type.as_str() {
        "email" => data.email,
        "phone" => data.phone,
        "telegram" => data.telegram_user_id,
        "farcaster" => data.farcaster_username,
        "externalWallet" => data.external_wallet_address,
        _ => return Err(JwtError::UnknownAuthType),
    };
    let identifier = identifier.filter(|name| !name.is_empty()).ok_or(JwtError::MalformedClaims)?;
    // Said twice, and so to be said alike.
    if data.identifier.is_some_and(|said| said != identifier) {
        return Err(JwtError::MalformedClaims);
    }
    let mut wallets: Vec<FurtherWallet> = Vec::new();
    for Wallet { id, kind, address } in data.wallets.into_iter().chain(data.connected_wallets) {
        let wallet = FurtherWallet { id, kind, address };
        if !wallets.contains(&wallet) {
            wallets.push(wallet);
        }
    }
    Ok(Owner { wallet_id: data.user_id, auth_method: data.auth_type, auth_identifier: identifier, wallets })
}
