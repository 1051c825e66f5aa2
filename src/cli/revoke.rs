//! `portico revoke`: a token that is not to be believed any more.

use serde_json::json;

use super::client::Target;
use super::terminal::say;
use super::{CommandResult, Exit, token};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Takes every token that `portico issue` makes, the tokens of wallets, and access tokens, \
                        with which their session ends. A service that verifies JWTs by the published keys alone \
                        does not learn of it."
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
        say!("it was revoked before");
    } else {
        say!("revoked");
    }
    Ok(Exit::Success)
}
