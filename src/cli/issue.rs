//! `portico issue`: a token that is signed by the service.

use serde_json::json;

use super::client::Target;
use super::terminal::{say, text};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// For whom: hex or npub
    #[arg(value_name = "KEY")]
    target_key: String,
    /// How long it holds
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    hours: i64,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let body = json!({ "target_key": args.target_key, "duration_hours": args.hours });
    let issued = args.target.post("/jwt/issue", &body).await?;
    say!("{}", text(&issued["token"]));
    Ok(Exit::Success)
}
