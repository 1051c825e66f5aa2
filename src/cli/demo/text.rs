//! Texts of the demo for people.

use std::time::Duration;

use nostr_sdk::{PublicKey, ToBech32};

use crate::clock::Timestamp;
use crate::config::files::as_argument;
use crate::demo::{Scene, Stage, StepName, Told};
use crate::events::WalletClaims;

/// The result of a step, on one line.
pub(super) fn summary(told: &Told) -> String {
    match (told.step, &told.scene) {
        (_, Scene::Relay { url }) => url.to_string(),
        (_, Scene::Daemon { public_key, .. }) => format!("{}, subscribed", key(public_key)),
        (_, Scene::Login { .. }) => "POST /login; the simulated wallet scans this:".into(),
        (StepName::Scanned, Scene::User { user_key }) => format!("by {}", key(user_key)),
        (StepName::Approved, Scene::User { .. }) => "the wallet has sent a session token".into(),
        (_, Scene::User { user_key }) => format!("POST /jwt/verify → {}", key(user_key)),
        (_, Scene::Challenge { .. }) => "the wallet asks its user".into(),
        (_, Scene::Claims(_)) => "signed by the wallet, for this service:".into(),
        (step, Scene::Refused(refusal)) => {
            let tried =
                if step == StepName::AlteredToken { "with a changed expiry" } else { "signed by a stranger" };
            format!("{tried} → HTTP {} {}", refusal.status, refusal.code)
        }
        (_, Scene::Unheard { heard, .. }) => format!("ignored; only the user's answer counts: {heard}"),
    }
}

/// The claims of a session token, by name.
pub(super) fn rows(session: &WalletClaims) -> Vec<(&'static str, String)> {
    let optional = |at: Option<u64>| at.map_or_else(|| "—".into(), time);
    vec![
        ("issuer", session.issuer.to_hex()),
        ("subject", session.subject.to_hex()),
        ("audience", session.audience.to_hex()),
        ("issued_at", optional(session.issued_at)),
        ("not_before", optional(session.not_before)),
        ("expires_at", time(session.expires_at)),
    ]
}

/// Commands to try, ready to paste.
pub(super) fn invitation(stage: &Stage) -> Vec<String> {
    let (portico, socket) = (program(), as_argument(&stage.socket()));
    let user = stage.wallet().user_key().to_bech32().unwrap_or_else(|never| match never {});
    let mut commands = vec![
        format!("curl -s --unix-socket {socket} http://portico/health"),
        format!("curl -s --unix-socket {socket} -X POST http://portico/login"),
    ];
    if let Some(address) = stage.daemon().and_then(|daemon| daemon.listen()) {
        let token_file = as_argument(&stage.token_file());
        commands
            .push(format!("curl -s -H \"Authorization: Bearer $(cat {token_file})\" http://{address}/info"));
    }
    commands.push(format!("{portico} login --socket {socket}"));
    commands.push(format!("{portico} issue --socket {socket} --hours 24 {user}"));
    commands
}

/// The command that runs this program: its name if it was found by that, else its path.
fn program() -> String {
    let by_path = std::env::args().next().is_none_or(|name| name.contains('/'));
    match std::env::current_exe() {
        Ok(path) if by_path => as_argument(&path),
        _ => "portico".into(),
    }
}

/// A shortened key: enough to tell it from others on the screen.
pub(super) fn key(key: &PublicKey) -> String {
    let Ok(npub) = key.to_bech32();
    let end = npub.len().saturating_sub(6);
    match (npub.get(..12), npub.get(end..)) {
        (Some(first), Some(last)) => format!("{first}…{last}"),
        _ => npub,
    }
}

/// Milliseconds, with one decimal.
pub(super) fn duration(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

/// A time in seconds, in UTC: without the fraction that [`Timestamp`] prints.
fn time(secs: u64) -> String {
    Timestamp::from_secs(secs).to_string().replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_short() {
        assert_eq!(duration(Duration::from_micros(1_250_049)), "1250.0 ms");
        assert_eq!(duration(Duration::from_micros(80)), "0.1 ms");
    }
}
