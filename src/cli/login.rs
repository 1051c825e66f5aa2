//! `portico login`: one login, on the terminal.

use serde_json::{Value, json};

use super::client::Target;
use super::terminal::{note, plain, print_unended_note, readable, say, text, without_tokens};
use super::{CommandResult, Exit, Failure, qr};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// A token that you choose: the same URL then works for any number of users, until it is deleted
    #[arg(long, value_name = "TOKEN")]
    static_token: Option<String>,
    /// Print the tokens too, not only their claims
    #[arg(long)]
    with_token: bool,
    /// Print JSON: the URL on standard error, the outcome on standard output
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let opened = args.target.post("/login", &json!({ "static_token": args.static_token })).await?;
    let (url, stream) = match (opened["url"].as_str(), opened["stream_id"].as_str()) {
        (Some(url), Some(stream)) => (url, stream),
        _ => return Err(Failure::new(Exit::Unavailable, "the daemon sent no URL and stream")),
    };
    let fills = if args.json {
        note!("{url}\nstream {stream}");
        false
    } else {
        show(url, stream, &ready_relays(&args.target).await)
    };
    let mut events = args.target.follow(stream, opened["after"].as_u64().unwrap_or(0)).await?;
    let mut below_code = !fills;
    loop {
        let next = events.next().await;
        if !std::mem::replace(&mut below_code, true) {
            note!("");
        }
        let Some(mut event) = next? else { break };
        match event["type"].as_str() {
            Some("key_handshake") if !args.json => {
                note!("Scanned by {}. Asking for approval …", text(&event["main_key"]));
            }
            Some("authenticate_key") => return Ok(finish(&mut event, &args)),
            Some("error") => {
                if args.json {
                    say!("{event:#}");
                }
                let message = format!("{} ({})", text(&event["reason"]), text(&event["code"]));
                return Err(Failure::new(Exit::No, message));
            }
            _ => {}
        }
    }
    Err(Failure::new(Exit::No, "the login ended without an outcome"))
}

/// The relays that are ready now.
async fn ready_relays(target: &Target) -> Vec<String> {
    let known = target.get("/relays").await.unwrap_or_default();
    let relays = known["relays"].as_array().cloned().unwrap_or_default();
    let ready = relays.iter().filter(|relay| relay["state"] == "ready");
    ready.filter_map(|relay| Some(relay["relay"].as_str()?.to_owned())).collect()
}

/// Shows the URL and its code, the code last because it must be on the screen as a whole. Returns whether the code
/// fills the screen, so that the cursor must stay in the last line.
fn show(url: &str, stream: &str, ready: &[String]) -> bool {
    let room = qr::Room::of(std::io::stderr());
    let picture = qr::picture(url, room, |relay| ready.iter().any(|known| known == relay));
    note!("{url}\n\nScan this with your wallet. Waiting … (stream {stream})\n");
    match &picture.hint {
        Some(hint) => note!("{}\n{hint}", picture.code),
        None if picture.fills => print_unended_note(&picture.code),
        None => note!("{}", picture.code),
    }
    picture.fills
}

fn finish(event: &mut Value, args: &Args) -> Exit {
    if !args.with_token {
        without_tokens(event);
    }
    if args.json {
        say!("{event:#}");
    } else {
        say!("{:<12} {}", text(&event["status"]["status"]), text(&event["user_key"]));
        for (name, value) in event["session"].as_object().into_iter().flatten() {
            say!("{name:<12} {}", text(&readable(name, value)));
        }
        for (name, value) in [
            ("user", &event["login"]["user"]["id"]),
            ("session", &event["login"]["session"]["id"]),
            ("token", &event["status"]["session_token"]),
            ("access token", &event["login"]["access_token"]),
        ] {
            if let Some(value) = value.as_str() {
                say!("{name:<12} {}", plain(value));
            }
        }
        if let Some(reason) = event["status"]["reason"].as_str() {
            say!("{:<12} {}", "reason", plain(reason));
        }
    }
    if event["status"]["status"] == "approved" { Exit::Success } else { Exit::No }
}
