//! `portico info`: the service's key, version and socket.

use nostr_sdk::{PublicKey, ToBech32};
use serde_json::json;

use super::client::Target;
use super::terminal::{fields, say};
use super::{CommandResult, Exit, Failure};
use crate::config::files::show_path;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print only the path of the daemon's socket, for `curl --unix-socket`
    #[arg(long, conflicts_with = "json")]
    socket_path: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    if args.socket_path {
        say!("{}", show_path(&args.target.path()?));
        return Ok(Exit::Success);
    }
    let info = args.target.get("/info").await?;
    let names = args.target.get("/well-known/nostr.json").await?;
    let key = info["public_key"].as_str().and_then(|key| PublicKey::from_hex(key).ok());
    let key = key.ok_or_else(|| Failure::new(Exit::Unavailable, "the daemon sent no valid public key"))?;
    let Ok(npub) = key.to_bech32();
    let names: Vec<&String> = names["names"].as_object().into_iter().flat_map(|names| names.keys()).collect();
    let told = json!({
        "public_key": key,
        "npub": npub,
        "nip05_names": names,
        "version": info["version"],
        "git_commit": info["git_commit"],
        "socket": show_path(&args.target.path()?),
    });
    if args.json {
        say!("{told:#}");
    } else {
        fields(&told);
    }
    Ok(Exit::Success)
}
