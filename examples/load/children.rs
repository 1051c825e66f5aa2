//! The relays: processes of their own, which run this program in another role.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Result;
use crate::args::Args;
use crate::flood;
use crate::relay::{self, Manners};

/// How long a relay may take to come up.
const START: Duration = Duration::from_secs(20);

/// Starts a relay with these arguments; returns its process and URL.
pub(crate) async fn start_relay(args: &[&str]) -> Result<(Child, String)> {
    let mut relay = Command::new(std::env::current_exe()?)
        .args(["--role", "relay"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = relay.stdout.take().ok_or("no pipe from the relay")?;
    let url = timeout(START, BufReader::new(stdout).lines().next_line()).await??;
    Ok((relay, url.ok_or("the relay did not come up")?))
}

/// Is the relay: listens on a free port, says where, and serves until it is killed.
pub(crate) async fn be_relay(args: &Args) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}", listener.local_addr()?);
    let (of, per_second) = (args.flood_of, args.flood);
    let mut manners = Manners { max_subscriptions: args.relay_subs, greet: None };
    if per_second > 0 {
        manners.greet = Some(Arc::new(move |subscription, key, outbox| {
            tokio::spawn(flood::pour(of, per_second, subscription, key, outbox));
        }));
    }
    relay::serve(listener, manners).await
}
