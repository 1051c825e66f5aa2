//! `portico keys`: the keys that sign access tokens.

use serde_json::{Value, json};

use super::client::Target;
use super::terminal::{Header, say, text};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the keys: the one that signs, the next, and those before
    List(Listing),
    /// Have the next key sign from now on; those before verify until their last token has expired
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
    let (answer, json) = match command {
        Command::List(Listing { args: Args { target, json }, header }) => {
            let listed = target.get("/keys").await?;
            if !json {
                header.show(&[("KEY", 43), ("ALGORITHM", 0), ("MADE", 24), ("STATE", 0)]);
            }
            (listed, json)
        }
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
    let until = match key["retired_at"].as_str() {
        Some(_) => format!(" {}", text(&key["retired_at"])),
        None => String::new(),
    };
    let [kid, alg, made, state] = ["kid", "alg", "created_at", "state"].map(|name| text(&key[name]));
    say!("{kid}  {alg}  made {made}  {state}{until}");
}
