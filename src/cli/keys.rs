//! `portico keys`: the keys that sign access tokens.

use serde_json::{Value, json};

use super::client::Target;
use super::terminal::{say, text};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the keys: the one that signs, and those before it
    List(Args),
    /// Have a new key sign from now on; those before verify until their last token has expired
    Rotate(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command) -> CommandResult {
    let (answer, json) = match command {
        Command::List(Args { target, json }) => (target.get("/keys").await?, json),
        Command::Rotate(Args { target, json }) => (target.post("/keys/rotate", &json!({})).await?, json),
    };
    if json {
        say!("{answer:#}");
    } else {
        let listed = answer["keys"].as_array().into_iter().flatten();
        listed.chain(answer.get("key")).for_each(line);
    }
    Ok(Exit::Success)
}

fn line(key: &Value) {
    let state = match key["retired_at"].as_str() {
        Some(_) => format!("signed until {}", text(&key["retired_at"])),
        None => "signs".into(),
    };
    say!("{}  {}  from {}  {state}", text(&key["kid"]), text(&key["alg"]), text(&key["created_at"]));
}
