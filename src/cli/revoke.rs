//! `portico revoke`: revokes a token.

use serde_json::json;

use super::client::Target;
use super::terminal::say;
use super::{CommandResult, Exit, token};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Accepts every token that `portico issue` makes, wallets' tokens, and access tokens. To revoke \
                        an access token ends its session. A service that verifies JWTs only with the published keys \
                        does not see the revocation."
)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// The token, or `-` to read it from standard input, where other users do not see it
    #[arg(value_name = "TOKEN", default_value = "-")]
    token: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let body = json!({ "token": token::given(&args.token)? });
    let revoked = args.target.post("/jwt/revoke", &body).await?;
    if args.json {
        say!("{revoked:#}");
    } else if revoked["already_revoked"] == true {
        say!("it was already revoked");
    } else {
        say!("revoked");
    }
    Ok(Exit::Success)
}
