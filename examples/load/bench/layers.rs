//! What the second layer can carry: checks of sessions that are asked about again and again, logins and renewals
//! by credential, next to a handler that does nothing. Over the Unix socket, as gateways ask.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Requests, Run, WIDTHS, figures, over_http};
use crate::Result;
use crate::args::Args;
use crate::daemon::Daemon;
use crate::http;
use crate::socket::Address;
use crate::usage::Usage;

/// Both layers of somebody who has logged in.
struct Member {
    access_token: String,
    credential: String,
}

/// Requests that come again and again.
struct Cycle {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Requests for Cycle {
    fn next(&self) -> Option<Cow<'_, [u8]>> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.requests.len();
        Some(Cow::Borrowed(&self.requests[next]))
    }
}

/// Measures everything with the sessions that these approvals began.
pub(crate) async fn sessions(args: &Args, daemon: &Daemon, approvals: &[Value]) -> Result<Value> {
    let time = Duration::from_secs(args.verify_secs.max(1));
    let members: Vec<_> = approvals.iter().filter_map(member).collect();
    if members.is_empty() {
        return Err("no login has begun a session".into());
    }
    eprintln!("load: {} sessions are asked about", members.len());
    let mut found = Vec::new();
    for (what, of) in [
        ("nothing", nothing as fn(&Member) -> Vec<u8>),
        ("forward", forward),
        ("verify", verify),
        ("refresh", refresh),
        ("login", login),
    ] {
        for width in WIDTHS {
            let work = Cycle { requests: members.iter().map(of).collect(), next: AtomicUsize::new(0) };
            let before = Usage::of(daemon.pid())?;
            let run: Run = over_http::run(Address::Unix(&daemon.socket), width, work, time).await?;
            let after = Usage::of(daemon.pid())?;
            found.push(figures(what, 1, "unix", (width, 1), &run, before, after));
        }
    }
    Ok(Value::Array(found))
}

fn member(approval: &Value) -> Option<Member> {
    Some(Member {
        access_token: approval["login"]["access_token"].as_str()?.to_owned(),
        credential: approval["status"]["session_token"].as_str()?.to_owned(),
    })
}

fn nothing(_: &Member) -> Vec<u8> {
    http::request("GET", "/version", "", "")
}

fn forward(member: &Member) -> Vec<u8> {
    let Member { access_token, credential } = member;
    let headers = format!("authorization: Bearer {access_token}\r\nx-wallet-session: {credential}\r\n");
    http::request("GET", "/auth/forward", &headers, "")
}

fn verify(member: &Member) -> Vec<u8> {
    let both = json!({ "access_token": member.access_token, "credential": member.credential });
    http::request("POST", "/auth/verify", "", &both.to_string())
}

fn refresh(member: &Member) -> Vec<u8> {
    let both = json!({ "access_token": member.access_token, "credential": member.credential });
    http::request("POST", "/auth/refresh", "", &both.to_string())
}

fn login(member: &Member) -> Vec<u8> {
    http::request("POST", "/auth/login", "", &json!({ "credential": member.credential }).to_string())
}
