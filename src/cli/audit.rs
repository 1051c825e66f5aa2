//! `portico audit`: who did what.

use clap::builder::PossibleValuesParser;
use serde_json::Value;
use uuid::Uuid;

use super::client::Target;
use super::list::List;
use super::table::{Header, Table, longest};
use super::terminal::{say, text};
use super::{CommandResult, Exit, who};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::session::AuditKind;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Only records about this user; for a deleted user, give the internal id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only records about this session
    #[arg(long, value_name = "SESSION")]
    session: Option<Uuid>,
    /// Only records of this kind
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Option<String>,
    /// Only records from this time on: a time like 2026-11-20T18:31:52Z, or an age like 24h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only records before this time, written as for --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// Maximum number of records, the latest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    header: Header,
    /// Print JSON, one record a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let user = match &args.user {
        Some(name) => Some(who::find(&args.target, name).await?.to_string()),
        None => None,
    };
    let session = args.session.map(|id| id.to_string());
    let since = args.since.map(|at| at.to_string());
    let until = args.until.map(|at| at.to_string());
    let filter = [
        ("user", user.as_deref()),
        ("session", session.as_deref()),
        ("kind", args.kind.as_deref()),
        ("since", since.as_deref()),
        ("until", until.as_deref()),
    ];
    let records = List { target: &args.target, path: "/audit", entries: "records", filter: &filter };
    if args.json {
        records.each(args.limit, |record| say!("{record}")).await?;
    } else {
        let kind = longest(AuditKind::ALL.iter().map(|kind| kind.as_str().to_owned()));
        let columns = [("NUMBER", 0), ("TIME", 24), ("KIND", kind), ("BY", 36), ("DETAILS", 0)];
        let table = args.header.begin(columns);
        records.each(args.limit, |record| row(&table, record)).await?;
    }
    Ok(Exit::Success)
}

fn row(table: &Table<5>, record: &Value) {
    let mut details = Vec::new();
    for (name, field) in [
        ("reason", "reason"),
        ("user", "user_id"),
        ("session", "session_id"),
        ("provider", "provider"),
        ("wallet", "wallet_id"),
        ("detail", "detail"),
    ] {
        if !record[field].is_null() {
            details.push(format!("{name} {}", text(&record[field])));
        }
    }
    let [number, time, kind, actor] =
        ["number", "timestamp", "kind", "actor"].map(|name| text(&record[name]));
    table.row([number, time, kind, actor, details.join("  ")], |[number, time, kind, actor, details]| {
        format!("{number}  {time}  {kind}  by {actor}  {details}").trim_end().to_owned()
    });
}

fn kinds() -> PossibleValuesParser {
    AuditKind::ALL.iter().map(|kind| kind.as_str()).into()
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    let ago = |text| humantime::parse_duration(text).map(|ago| SystemClock.now().minus(ago));
    text.parse().ok().or_else(|| ago(text).ok()).ok_or("write it like 2026-11-20T18:31:52Z or 24h")
}
