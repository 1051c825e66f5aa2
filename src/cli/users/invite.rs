//! `portico users invite`: adds a user before the first login.

use serde_json::json;

use super::show;
use crate::cli::client::Target;
use crate::cli::{CommandResult, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "The first admin of a new service: portico users invite npub1… --role admin. \
                        With sign_up = \"listed\" in [sessions], only users who exist can log in. Exits with 1 \
                        and changes nothing if the wallet already has a user; see `portico users set`.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    target: Target,
    /// The wallet: a public key (hex or npub), PROVIDER:WALLET, or the wallet id at --provider
    #[arg(value_name = "WALLET")]
    wallet: String,
    /// The wallet's provider [default: the daemon's default provider]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// A role; can be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A permission; can be given several times
    #[arg(long = "permission", value_name = "NAME")]
    permissions: Vec<String>,
    /// The user's name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The user's email address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> CommandResult {
    let (provider, wallet) = named(args).await?;
    let invitation = json!({
        "wallet_id": wallet,
        "provider": provider,
        "username": args.username,
        "email": args.email,
        "roles": args.roles,
        "permissions": args.permissions,
    });
    show(&args.target.post("/users", &invitation).await?["user"], args.json)
}

/// Splits provider and wallet. A wallet id may contain colons: the part before one counts only if it names a provider.
async fn named(args: &Args) -> Result<(Option<String>, &str), Failure> {
    let whole = (args.provider.clone(), args.wallet.as_str());
    let (None, Some((provider, wallet))) = (&args.provider, args.wallet.split_once(':')) else {
        return Ok(whole);
    };
    let known = args.target.get("/providers").await?;
    let is_known = known["providers"].as_array().into_iter().flatten().any(|known| known == provider);
    Ok(if is_known { (Some(provider.to_owned()), wallet) } else { whole })
}
