//! `portico keys`: the keys that sign access tokens.

use serde_json::{Value, json};

use super::client::Target;
use super::table::Header;
use super::terminal::{say, text};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the keys: the current signing key, the next key and retired keys
    List(Listing),
    /// Sign with the next key from now on; retired keys still verify tokens until their last token has expired
    Rotate(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Listing {
    #[command(flatten)]
    args: Args,
    #[command(flatten)]
    header: Header,
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
    match command {
        Command::List(Listing { args: Args { target, json }, header }) => {
            let listed = target.get("/keys").await?;
            if json {
                say!("{listed:#}");
            } else {
                let table = header.begin([("KEY", 43), ("ALGORITHM", 0), ("MADE", 24), ("STATE", 0)]);
                let keys = listed["keys"].as_array().into_iter().flatten();
                keys.for_each(|key| table.row(cells(key), line));
            }
        }
        Command::Rotate(Args { target, json }) => {
            let rotated = target.post("/keys/rotate", &json!({})).await?;
            if json { say!("{rotated:#}") } else { say!("{}", line(cells(&rotated["key"]))) }
        }
    }
    Ok(Exit::Success)
}

fn cells(key: &Value) -> [String; 4] {
    let until = match key["retired_at"].as_str() {
        Some(_) => format!(" {}", text(&key["retired_at"])),
        None => String::new(),
    };
    let [kid, alg, made, state] = ["kid", "alg", "created_at", "state"].map(|name| text(&key[name]));
    [kid, alg, made, format!("{state}{until}")]
}

fn line([kid, alg, made, state]: [String; 4]) -> String {
    format!("{kid}  {alg}  made {made}  {state}")
}
