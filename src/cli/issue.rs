//! `portico issue`: issues a token that the service signs.

use serde_json::{Value, json};

use super::client::Target;
use super::terminal::{say, text};
use super::{CommandResult, Exit, Failure};

/// The default lifetime of a token, in hours, for formats without a default of their own.
const DEFAULT_HOURS: i64 = 24;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// The holder's key, hex or npub; with `--format thirdweb` an Ethereum address
    #[arg(value_name = "KEY")]
    target_key: String,
    /// Lifetime in hours [default: 24; with `--format thirdweb` wallets.thirdweb.token_lifetime]
    #[arg(long, value_name = "HOURS")]
    hours: Option<i64>,
    /// Format of the token
    #[arg(long, value_name = "FORMAT", default_value = "portal")]
    format: Format,
    /// The audience (`aud`): the service that accepts the token [default: access.audience]; only with `--format jwt`
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// The scope (`scope`): names separated by single spaces; only with `--format jwt`
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// As wallets issue them: ES256K with the service's own key
    Portal,
    /// A standard JWT, which any JOSE library verifies with /.well-known/jwks.json
    Jwt,
    /// As thirdweb's server issues them
    Thirdweb,
}

impl Args {
    /// The request body. The daemon checks which fields go together.
    fn body(&self) -> Value {
        let (format, whose) = match self.format {
            Format::Portal => ("portal", "target_key"),
            Format::Jwt => ("jwt", "target_key"),
            Format::Thirdweb => ("thirdweb", "address"),
        };
        let hours = match self.format {
            Format::Thirdweb => self.hours,
            Format::Portal | Format::Jwt => Some(self.hours.unwrap_or(DEFAULT_HOURS)),
        };
        let mut body = json!({
            "format": format,
            "duration_hours": hours,
            "audience": self.audience,
            "scope": self.scope,
        });
        body[whose] = json!(self.target_key);
        body
    }
}

/// The daemon's errors name fields of its API; this names the options instead.
fn as_typed(failure: Failure) -> Failure {
    let names = [
        ("target_key: ", "KEY: "),
        ("address: ", "KEY: "),
        ("duration_hours: ", "--hours: "),
        (
            "audience, scope: allowed only with \"format\": \"jwt\"",
            "--audience, --scope: only with --format jwt",
        ),
        ("audience: ", "--audience: "),
        ("scope: ", "--scope: "),
    ];
    let typed = names.into_iter().find_map(|(field, option)| {
        failure.message.strip_prefix(field).map(|rest| format!("{option}{rest}"))
    });
    Failure { message: typed.unwrap_or(failure.message), ..failure }
}

pub(super) async fn run(args: Args) -> CommandResult {
    let issued = args.target.post("/jwt/issue", &args.body()).await.map_err(as_typed)?;
    if args.json {
        say!("{issued:#}");
    } else {
        say!("{}", text(&issued["token"]));
    }
    Ok(Exit::Success)
}
