//! `portico verify`: verifies a token, and prints its claims.

use nostr_sdk::PublicKey;
use serde_json::{Value, json};

use super::client::Target;
use super::terminal::{fields, say};
use super::{CommandResult, Exit, Failure, token};
use crate::clock::{Clock, SystemClock};
use crate::portal_token::{Policy, TokenError, VerifyingKey, standard_jwt, verify, wrapped};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "--key decides the check. A wallet's key: did that wallet sign the token, and for whom? \
                        This service's key: did this service issue the token, or did a wallet that logged in here \
                        issue it for this service? \
                        Offline, only the first check is possible, and revocations are unknown."
)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// The token, or `-` to read it from standard input, where other users do not see it
    #[arg(value_name = "TOKEN", default_value = "-")]
    token: String,
    /// The key to check against: a wallet's or this service's; hex or npub
    #[arg(long, value_name = "KEY")]
    key: String,
    /// Verify without a daemon
    #[arg(long)]
    offline: bool,
    /// Offline: the longest accepted lifetime, from `iat` to `exp`
    #[arg(long, value_name = "DAYS", default_value_t = 366, requires = "offline")]
    max_days: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let token = token::given(&args.token)?;
    let verified = if args.offline {
        offline(&args, &token)?
    } else {
        public_key(&args.key)?;
        args.target.post("/jwt/verify", &json!({ "pubkey": args.key, "token": token })).await?
    };
    if args.json {
        say!("{verified:#}");
    } else {
        fields(&verified);
    }
    Ok(Exit::Success)
}

/// The daemon would call the option by the name of its own field.
fn public_key(text: &str) -> Result<VerifyingKey, Failure> {
    PublicKey::parse(text)
        .ok()
        .and_then(|key| VerifyingKey::from_xonly_bytes(key.as_bytes()).ok())
        .ok_or_else(|| Failure::usage("--key: not a public key (64 hex digits or npub1…)"))
}

fn offline(args: &Args, token: &str) -> Result<Value, Failure> {
    let key = public_key(&args.key)?;
    let policy =
        Policy { max_lifetime_secs: Some(args.max_days.saturating_mul(24 * 3600)), ..Policy::default() };
    let claims = verify(&key, token, SystemClock.now().secs(), &policy, |_| false).map_err(|error| {
        let hint = match error {
            TokenError::MalformedToken => wrapped(token),
            TokenError::UnsupportedAlgorithm => standard_jwt(token).map(Into::into),
            TokenError::InvalidSignature => {
                let hint = "offline, --key must be the key that signed the token: for a wallet's token, the wallet's key";
                Some(hint.into())
            }
            _ => None,
        };
        let hint = hint.map_or_else(String::new, |hint| format!(": {hint}"));
        Failure::new(Exit::No, format!("{error}{hint} ({})", error.code()))
    })?;
    let issuer = hex::encode(key.to_xonly_bytes());
    let target = hex::encode(claims.target_key);
    Ok(json!({
        "target_key": target,
        "issuer": issuer,
        "issued_at": claims.issued_at,
        "not_before": claims.not_before,
        "expires_at": claims.expires_at,
    }))
}
