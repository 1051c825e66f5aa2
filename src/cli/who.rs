//! Finds the user that an argument names.

use nostr_sdk::{FromBech32, PublicKey};
use uuid::Uuid;

use super::client::Target;
use super::list::List;
use super::terminal::text;
use super::{Exit, Failure};

/// A user, as named on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Who {
    #[command(flatten)]
    pub(super) target: Target,
    /// The user: an internal id, a wallet (an npub too), or PROVIDER:WALLET
    #[arg(value_name = "USER")]
    user: String,
}

impl Who {
    /// The API path of this user.
    pub(super) async fn path(&self) -> Result<String, Failure> {
        Ok(format!("/users/{}", find(&self.target, &self.user).await?))
    }
}

/// The internal id of the named user.
pub(super) async fn find(target: &Target, name: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = Uuid::try_parse(name) {
        return Ok(id);
    }
    // A wallet id may contain colons.
    let split = name.split_once(':').map(|(provider, wallet)| (Some(provider), wallet));
    for (provider, wallet) in split.into_iter().chain([(None, name)]) {
        if let Some(id) = of_wallet(target, provider, &wallet_id(wallet)).await? {
            return Ok(id);
        }
    }
    Err(Failure::new(Exit::No, format!("unknown user: {name:?}")))
}

async fn of_wallet(target: &Target, provider: Option<&str>, wallet: &str) -> Result<Option<Uuid>, Failure> {
    /// There are few providers.
    const MOST: usize = 10;

    let filter = [("provider", provider), ("wallet_id", Some(wallet))];
    let mut found = Vec::new();
    let users = List { target, path: "/users", entries: "users", filter: &filter };
    users.each(MOST, |user| found.push(user.clone())).await?;
    match found.as_slice() {
        [] => Ok(None),
        [user] => {
            let id = user["id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
            id.map(Some)
                .ok_or_else(|| Failure::new(Exit::Unavailable, "the daemon sent a user without a valid id"))
        }
        several => {
            let names = several
                .iter()
                .map(|user| format!("{}:{}", text(&user["provider"]), text(&user["wallet_id"])));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("several users have the wallet {wallet:?}; name one of {names}")))
        }
    }
}

/// A wallet id as the provider writes it: Nostr keys in hex, not npub (NIP-19).
pub(super) fn wallet_id(name: &str) -> String {
    PublicKey::from_bech32(name).map_or_else(|_| name.to_owned(), |key| key.to_hex())
}
