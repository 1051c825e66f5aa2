//! `portico webhooks`: deliveries that the webhook's receiver has not accepted yet.

use serde_json::{Value, json};

use super::client::Target;
use super::table::Header;
use super::terminal::{plain, say, text};
use super::{CommandResult, Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List undelivered events
    List(Listing),
    /// Retry deliveries now, including those that Portico gave up
    Retry(Args),
    /// Drop deliveries; the events stay
    Drop(Drop),
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
    /// Only deliveries of this stream [default: all streams]
    #[arg(value_name = "STREAM")]
    stream: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(super) struct Drop {
    #[command(flatten)]
    target: Target,
    /// Only deliveries of this stream
    #[arg(value_name = "STREAM", group = "which")]
    stream: Option<String>,
    /// Deliveries of all streams
    #[arg(long, group = "which")]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command) -> CommandResult {
    match command {
        Command::List(Listing { args, header }) => list(&args, header).await,
        Command::Retry(Args { target, stream, json }) => {
            let whose = json!({ "stream_id": stream });
            show(&target.post("/webhooks/retry", &whose).await?, "retried", json)
        }
        Command::Drop(Drop { target, stream, all, json }) => {
            let whose = json!({ "stream_id": stream, "all": all });
            show(&target.post("/webhooks/drop", &whose).await?, "dropped", json)
        }
    }
}

async fn list(args: &Args, header: Header) -> CommandResult {
    let path = match &args.stream {
        // A UUID contains nothing to escape.
        Some(stream) if !is_id(stream) => return Err(Failure::usage(format!("{stream:?} is not a stream"))),
        Some(stream) => format!("/webhooks?stream_id={stream}"),
        None => "/webhooks".into(),
    };
    let owed = args.target.get(&path).await?;
    if args.json {
        say!("{owed:#}");
        return Ok(Exit::Success);
    }
    say!("{:<12} {}", "webhook", if owed["enabled"] == true { "on" } else { "off" });
    say!("{:<12} {}", "waiting", owed["waiting"]);
    say!("{:<12} {}", "failed", owed["failed"]);
    let columns = [("EVENT", 38), ("STATE", 7), ("ATTEMPTS", 0), ("NEXT", 24), ("LAST ERROR", 0)];
    let table = header.begin(columns);
    for delivery in owed["deliveries"].as_array().into_iter().flatten() {
        let next = delivery["next_at"].as_str().or(delivery["failed_at"].as_str());
        let cells = [
            format!("{}/{}", text(&delivery["stream_id"]), delivery["index"]),
            text(&delivery["state"]),
            delivery["attempts"].to_string(),
            plain(next.unwrap_or("waits for another")),
            plain(delivery["last_error"].as_str().unwrap_or_default()),
        ];
        table.row(cells, |[event, state, attempts, next, error]| {
            format!("{event}  {state:<7}  {attempts} attempts  {next}  {error}")
        });
    }
    Ok(Exit::Success)
}

fn show(changed: &Value, what: &str, json: bool) -> CommandResult {
    if json {
        say!("{changed:#}");
    } else {
        say!("{what:<12} {}", changed[what]);
    }
    Ok(Exit::Success)
}

fn is_id(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
