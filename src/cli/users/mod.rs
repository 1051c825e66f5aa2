//! `portico users`: manages users, their roles and permissions.

mod invite;
mod set;

use serde_json::{Value, json};

use super::client::Target;
use super::list::List;
use super::table::{Header, Table};
use super::terminal::{fields, say, text};
use super::who::{Who, wallet_id};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List users, in the order of their first login
    List(Listing),
    /// Show one user
    Show(About),
    /// Add a user before the wallet's first login, with roles
    Invite(invite::Args),
    /// Change a user: name, email address, roles, permissions; disable or enable
    Set(set::Args),
    /// Delete a user and end all their sessions; a later login creates a new user
    Delete(Delete),
    /// End all sessions of a user
    Revoke(About),
}

#[derive(Debug, clap::Args)]
pub(super) struct Listing {
    #[command(flatten)]
    target: Target,
    /// Only users with a wallet of this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Only the user with this wallet
    #[arg(long, value_name = "ID")]
    wallet: Option<String>,
    /// Only users with this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Only disabled users
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    header: Header,
    /// Print JSON, one user a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct About {
    #[command(flatten)]
    who: Who,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    #[command(flatten)]
    about: About,
    /// Confirm: the user is deleted permanently
    #[arg(long, required = true)]
    yes: bool,
}

pub(super) async fn run(command: Command) -> CommandResult {
    match command {
        Command::List(args) => list(&args).await,
        Command::Show(About { who, json }) => show(&who.target.get(&who.path().await?).await?["user"], json),
        Command::Invite(args) => invite::run(&args).await,
        Command::Set(args) => set::run(&args).await,
        Command::Delete(Delete { about: About { who, json }, .. }) => {
            show(&who.target.delete(&who.path().await?, &json!({})).await?, json)
        }
        Command::Revoke(About { who, json }) => {
            let path = format!("{}/revoke-sessions", who.path().await?);
            show(&who.target.post(&path, &json!({})).await?, json)
        }
    }
}

async fn list(args: &Listing) -> CommandResult {
    let wallet = args.wallet.as_deref().map(wallet_id);
    let filter = [
        ("provider", args.provider.as_deref()),
        ("wallet_id", wallet.as_deref()),
        ("role", args.role.as_deref()),
        ("disabled", args.disabled.then_some("true")),
    ];
    let users = List { target: &args.target, path: "/users", entries: "users", filter: &filter };
    if args.json {
        users.each(usize::MAX, |user| say!("{user}")).await?;
    } else {
        let wallet = "portal:".len() + 64;
        let columns =
            [("ID", 36), ("STATE", 8), ("WALLET", wallet), ("NAME", 16), ("ROLES", 16), ("LAST LOGIN", 0)];
        let table = args.header.begin(columns);
        users.each(usize::MAX, |user| row(&table, user)).await?;
    }
    Ok(Exit::Success)
}

fn row(table: &Table<6>, user: &Value) {
    let [id, provider, wallet, name, roles, login] =
        ["id", "provider", "wallet_id", "username", "roles", "last_login"].map(|field| text(&user[field]));
    let state = if user["disabled"] == true { "disabled" } else { "enabled" };
    let cells = [id, state.to_owned(), format!("{provider}:{wallet}"), name, roles, login];
    table.row(cells, |[id, state, wallet, name, roles, login]| {
        format!("{id}  {state:<8}  {wallet}  {name}  {roles}  last login {login}")
    });
}

fn show(told: &Value, json: bool) -> CommandResult {
    if json {
        say!("{told:#}");
    } else {
        fields(told);
    }
    Ok(Exit::Success)
}
