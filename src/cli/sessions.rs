//! `portico sessions`: lists and ends the sessions of a user.

use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Target;
use super::list::List;
use super::table::{Header, Table};
use super::terminal::{fields, say, text};
use super::who::Who;
use super::{CommandResult, Exit};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the sessions of a user, the latest first
    List(Listing),
    /// End one session
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(super) struct Listing {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    header: Header,
    /// Print JSON, one session a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    target: Target,
    /// The session's id
    #[arg(value_name = "SESSION")]
    session: Uuid,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command) -> CommandResult {
    match command {
        Command::List(Listing { who, header, json }) => {
            let path = format!("{}/sessions", who.path().await?);
            let sessions = List { target: &who.target, path: &path, entries: "sessions", filter: &[] };
            if json {
                sessions.each(usize::MAX, |one| say!("{one}")).await?;
            } else {
                let table = header.begin([("ID", 36), ("BEGAN", 24), ("END", 0)]);
                sessions.each(usize::MAX, |one| row(&table, one)).await?;
            }
        }
        Command::Revoke(Revoke { target, session, json }) => {
            let revoked = target.delete(&format!("/sessions/{session}"), &json!({})).await?;
            if json { say!("{revoked:#}") } else { fields(&revoked) }
        }
    }
    Ok(Exit::Success)
}

fn row(table: &Table<3>, session: &Value) {
    let end = match session["revoked_at"].as_str() {
        Some(_) => format!("ended {} ({})", text(&session["revoked_at"]), text(&session["reason"])),
        None => format!("until {}", text(&session["expires_at"])),
    };
    let cells = [text(&session["id"]), text(&session["created_at"]), end];
    table.row(cells, |[id, began, end]| format!("{id}  from {began}  {end}"));
}
