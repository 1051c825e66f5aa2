//! `portico tokens`: API tokens for callers over TCP.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Target;
use super::table::{Header, longest};
use super::terminal::{note, say, text};
use super::{CommandResult, Exit, Failure};
use crate::api_tokens::check_name;
use crate::config::duration;
use crate::rights::Rights;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an API token and print it, this once
    Add(Add),
    /// List the API tokens: what each may do, when it expires, when it was last used
    List(Listing),
    /// Revoke an API token, and end what its holder has open
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The token is for callers over TCP: Authorization: Bearer <token>. Portico keeps only a hash \
                        of it, and cannot show it again. On the Unix socket, [[local.allow]] gives rights, and \
                        Portico ignores tokens. A caller can give a token only its own rights."
)]
pub(super) struct Add {
    #[command(flatten)]
    target: Target,
    /// The name, like shop: letters, digits, `-`, `_` and `.`
    #[arg(value_name = "NAME")]
    name: String,
    /// The rights, with commas: check, login, issue, operate, or all
    #[arg(long, value_name = "RIGHTS")]
    may: Rights,
    /// How long the token is valid, like 90d [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Listing {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    header: Header,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    target: Target,
    /// The name of the token
    #[arg(value_name = "NAME")]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command) -> CommandResult {
    match command {
        Command::Add(args) => add(&args).await,
        Command::List(args) => list(&args).await,
        Command::Revoke(Revoke { target, name, json }) => {
            check_name(&name).map_err(Failure::usage)?;
            let revoked = target.delete(&format!("/tokens/{name}"), &json!({})).await?;
            if json {
                say!("{revoked:#}")
            } else {
                say!("revoked      {name}")
            }
            Ok(Exit::Success)
        }
    }
}

async fn add(args: &Add) -> CommandResult {
    let wanted = json!({
        "name": args.name,
        "may": args.may.words(),
        "expires_in": args.expires.map(|lifetime| lifetime.as_secs()),
    });
    let made = args.target.post("/tokens", &wanted).await?;
    if args.json {
        say!("{made:#}");
        return Ok(Exit::Success);
    }
    let token = &made["api_token"];
    let until =
        token["expires_at"].as_str().map_or_else(|| "it is revoked".into(), |_| text(&token["expires_at"]));
    note!(
        "API token {}: may {}, until {until}. Keep it: it is not shown again.",
        text(&token["name"]),
        args.may
    );
    // The only text on standard output, so that a script can write it to a file.
    say!("{}", text(&made["token"]));
    Ok(Exit::Success)
}

async fn list(args: &Listing) -> CommandResult {
    let listed = args.target.get("/tokens").await?;
    if args.json {
        say!("{listed:#}");
        return Ok(Exit::Success);
    }
    let tokens = listed["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cells: Vec<_> = tokens.iter().map(cells).collect();
    let width = |column: usize| longest(cells.iter().map(|row: &[String; 6]| row[column].clone()));
    let table = args.header.begin([
        ("NAME", width(0)),
        ("MAY", width(1)),
        ("ID", width(2)),
        ("MADE BY", width(3)),
        ("LAST USED", 24),
        ("EXPIRES", 0),
    ]);
    for row in cells {
        table.row(row, |[name, may, id, by, used, expires]| {
            format!("{name}  may {may}  id {id}  made by {by}  last used {used}  {expires}")
        });
    }
    Ok(Exit::Success)
}

fn cells(token: &Value) -> [String; 6] {
    let [id, name, by, used] = ["id", "name", "created_by", "last_used_at"].map(|field| text(&token[field]));
    let expires = match (token["expires_at"].as_str(), token["expired"].as_bool()) {
        (None, _) => "never".into(),
        (Some(_), Some(true)) => format!("expired {}", text(&token["expires_at"])),
        (Some(_), _) => format!("until {}", text(&token["expires_at"])),
    };
    [name, text(&token["may"]).replace(' ', ","), id, by, used, expires]
}

/// Only whole seconds: the API takes no fraction, and rounding would change the lifetime.
fn lifetime(text: &str) -> Result<Duration, &'static str> {
    match duration::parse_without_months(text) {
        Some(time) if time.subsec_nanos() == 0 && time > Duration::ZERO => Ok(time),
        Some(_) => Err("it must be whole seconds, at least 1s"),
        None => Err("write it like 90d or 12h"),
    }
}
