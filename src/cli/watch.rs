//! `portico watch`: follows a stream of events.

use super::client::Target;
use super::terminal::{readable, reader_left, say, without_tokens};
use super::{CommandResult, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// The stream: the `stream_id` of a handshake, login or authentication
    #[arg(value_name = "STREAM")]
    stream: String,
    /// Only events after this index
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let mut events = args.target.follow(&args.stream, args.after).await?;
    while let Some(mut event) = events.next().await? {
        without_tokens(&mut event);
        if args.json {
            say!("{event}");
        } else {
            let (index, at, kind) = (&event["index"], &event["timestamp"], &event["type"]);
            say!("{index:>4}  {}  {}", at.as_str().unwrap_or("?"), kind.as_str().unwrap_or("?"));
            for (name, value) in event.as_object().into_iter().flatten() {
                if !matches!(name.as_str(), "index" | "timestamp" | "type") {
                    say!("      {name}: {}", readable(name, value));
                }
            }
        }
        if reader_left() {
            break;
        }
    }
    Ok(Exit::Success)
}
