//! The relays: processes of their own, which run this program in another role.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::Result;
use crate::args::Args;
use crate::flood::{self, Victims};
use crate::relay::{self, Manners};

/// How long a relay may take to come up.
const START: Duration = Duration::from_secs(20);

/// A relay that was started; it ends with its process.
pub(crate) struct Relay {
    pub(crate) process: Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

/// Starts a relay with these arguments.
pub(crate) async fn start_relay(args: &[&str]) -> Result<Relay> {
    let mut process = Command::new(std::env::current_exe()?)
        .args(["--role", "relay"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = process.stdin.take().ok_or("no pipe to the relay")?;
    let mut lines = BufReader::new(process.stdout.take().ok_or("no pipe from the relay")?).lines();
    let url = timeout(START, lines.next_line()).await??.ok_or("the relay did not come up")?;
    Ok(Relay { process, stdin, lines, url })
}

/// Is the relay: listens on a free port, says where, and serves until it is killed.
pub(crate) async fn be_relay(args: &Args) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}", listener.local_addr()?);
    let mut manners = Manners { max_subscriptions: args.relay_subs, witness: None };
    if args.flood == 0 {
        return relay::serve(listener, manners).await;
    }
    let victims = Arc::<Victims>::default();
    manners.witness = Some(victims.clone());
    let lines = BufReader::new(tokio::io::stdin()).lines();
    tokio::select! {
        served = relay::serve(listener, manners) => served,
        Err(error) = flood::obey(args, victims, lines) => Err(error),
    }
}
