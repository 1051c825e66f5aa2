//! The bounds of every number and every duration in the configuration, in one table.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::check::invalid;
use super::raw::Raw;
use super::{ConfigError, duration};

/// The longest duration: no setting needs more, and no computed time overflows. 100 years.
const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 3600);

const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The longest timeout: nobody waits longer for one answer.
const PATIENCE: Duration = Duration::from_secs(3600);

/// For limits that take no memory by themselves.
const MANY: u64 = 1_000_000_000;

/// For limits that reserve memory or an open file for each.
const PLACES: u64 = 1_000_000;

type Count = (&'static str, Option<u64>, RangeInclusive<u64>);
type Time = (&'static str, Option<Duration>, RangeInclusive<Duration>);

/// Checks each number and each duration. Sections with narrower bounds also check those themselves.
pub(super) fn check(raw: &Raw) -> Result<(), ConfigError> {
    for (key, count, bounds) in counts(raw) {
        if let Some(count) = count {
            within(key, &count, &bounds, ToString::to_string)?;
        }
    }
    for (key, time, bounds) in times(raw) {
        if let Some(time) = time {
            within(key, &time, &bounds, |time| duration::show(*time))?;
        }
    }
    Ok(())
}

/// The bounds of this key, if it is a count.
pub(super) fn of_count(key: &str) -> Option<RangeInclusive<u64>> {
    let found = counts(&Raw::default()).into_iter().find(|(known, ..)| *known == key);
    found.map(|(_, _, bounds)| bounds)
}

fn within<T: PartialOrd>(
    key: &'static str,
    value: &T,
    bounds: &RangeInclusive<T>,
    shown: impl Fn(&T) -> String,
) -> Result<(), ConfigError> {
    if value < bounds.start() {
        Err(invalid(key, format!("must be at least {}", shown(bounds.start()))))
    } else if value > bounds.end() {
        Err(invalid(key, format!("must be at most {}", shown(bounds.end()))))
    } else {
        Ok(())
    }
}

fn counts(raw: &Raw) -> Vec<Count> {
    let (local, auth, relays, sessions) = (&raw.local, &raw.auth, &raw.relays, &raw.sessions);
    let (tokens, wallets, webhook) = (&raw.tokens, &raw.wallets, &raw.webhook);
    let some = |key, count: usize, bounds| (key, Some(count as u64), bounds);
    vec![
        some("local.max_connections", local.max_connections, 1..=PLACES),
        some("local.max_connections_per_peer", local.max_connections_per_peer, 1..=PLACES),
        some("local.max_strangers", local.max_strangers, 1..=PLACES),
        some("local.max_followers", local.max_followers, 1..=MANY),
        some("local.max_followed_per_connection", local.max_followed_per_connection, 1..=MANY),
        some("local.websocket_queue", local.websocket_queue, 1..=PLACES),
        some("auth.max_open", auth.max_open, 1..=MANY),
        some("auth.max_scans_per_url", auth.max_scans_per_url, 1..=MANY),
        some("auth.max_streams_per_token", auth.max_streams_per_token, 1..=MANY),
        some("auth.max_open_per_user", auth.max_open_per_user, 1..=MANY),
        some("auth.max_prompts_per_user", auth.max_prompts_per_user, 1..=MANY),
        some("tokens.signature_cache", tokens.signature_cache, 1..=PLACES),
        some("tokens.max_revocations", tokens.max_revocations, 0..=MANY),
        some("relays.max_relays", relays.max_relays, 0..=10_000),
        some("relays.max_preferred_per_user", relays.max_preferred_per_user, 0..=1_000),
        some("relays.max_preferred", relays.max_preferred, 0..=10_000),
        some("relays.inbox", relays.inbox, 1..=PLACES),
        some("relays.queue_per_relay", relays.queue_per_relay, 1..=PLACES),
        some("sessions.max_per_user", sessions.max_per_user, 1..=MANY),
        some("sessions.max_logins_per_wallet", sessions.max_logins_per_wallet, 1..=MANY),
        some("sessions.max_refreshes_per_wallet", sessions.max_refreshes_per_wallet, 1..=MANY),
        (
            "wallets.thirdweb.max_open_payloads",
            wallets.thirdweb.as_ref().map(|rules| rules.max_open_payloads as u64),
            1..=MANY,
        ),
        some("webhook.max_concurrent", webhook.max_concurrent, 1..=1024),
        ("webhook.max_waiting", Some(webhook.max_waiting), 1..=MANY),
    ]
}

fn times(raw: &Raw) -> Vec<Time> {
    let (auth, tokens, access, webhook) = (&raw.auth, &raw.tokens, &raw.access, &raw.webhook);
    let some = |key, time: Duration, bounds| (key, Some(time), bounds);
    let mut times = vec![
        some("local.request_timeout", raw.local.request_timeout, MOMENT..=PATIENCE),
        // Events and tokens count time in whole seconds.
        some("auth.handshake_ttl", auth.handshake_ttl, SECOND..=LONGEST),
        some("auth.challenge_ttl", auth.challenge_ttl, SECOND..=LONGEST),
        some("auth.prompt_window", auth.prompt_window, SECOND..=LONGEST),
        some("auth.max_event_age", auth.max_event_age, SECOND..=LONGEST),
        some("tokens.leeway", tokens.leeway, Duration::ZERO..=LONGEST),
        some("tokens.max_wallet_lifetime", tokens.max_wallet_lifetime, SECOND..=LONGEST),
        some("tokens.max_issued_lifetime", tokens.max_issued_lifetime, SECOND..=LONGEST),
        some("lookup.timeout", raw.lookup.timeout, MOMENT..=PATIENCE),
        some("history.keep", raw.history.keep, Duration::ZERO..=LONGEST),
        some("history.keep_users", raw.history.keep_users, Duration::ZERO..=LONGEST),
        some("history.keep_audit", raw.history.keep_audit, Duration::ZERO..=LONGEST),
        some("access.lifetime", access.lifetime, Duration::ZERO..=LONGEST),
        some("access.max_service_lifetime", access.max_service_lifetime, Duration::ZERO..=LONGEST),
        some("access.rotate_every", access.rotate_every, Duration::ZERO..=LONGEST),
        some("sessions.max_lifetime", raw.sessions.max_lifetime, SECOND..=LONGEST),
        some("sessions.window", raw.sessions.window, SECOND..=LONGEST),
        some("webhook.timeout", webhook.timeout, MOMENT..=PATIENCE),
        some("webhook.first_retry", webhook.first_retry, MOMENT..=LONGEST),
        some("webhook.longest_retry", webhook.longest_retry, MOMENT..=LONGEST),
        some("webhook.give_up_after", webhook.give_up_after, Duration::ZERO..=LONGEST),
    ];
    times.extend(times_of_wallets(raw));
    times
}

fn times_of_wallets(raw: &Raw) -> Vec<Time> {
    let wallets = &raw.wallets;
    let (jwks, para) = (wallets.jwks.as_ref(), wallets.para.as_ref());
    let (para_session, capsule) = (wallets.para_session.as_ref(), wallets.capsule_session.as_ref());
    let (nip98, thirdweb) = (wallets.nip98.as_ref(), wallets.thirdweb.as_ref());
    let any = || Duration::ZERO..=LONGEST;
    vec![
        ("wallets.jwks.leeway", jwks.map(|rules| rules.leeway), any()),
        ("wallets.jwks.max_stale", jwks.map(|rules| rules.max_stale), any()),
        ("wallets.jwks.timeout", jwks.map(|rules| rules.timeout), any()),
        ("wallets.para.leeway", para.map(|rules| rules.leeway), any()),
        ("wallets.para.max_stale", para.map(|rules| rules.max_stale), any()),
        ("wallets.para.timeout", para.map(|rules| rules.timeout), any()),
        ("wallets.para_session.cache", para_session.map(|rules| rules.cache), any()),
        ("wallets.para_session.timeout", para_session.map(|rules| rules.timeout), any()),
        ("wallets.para_session.session", para_session.map(|rules| rules.session), any()),
        ("wallets.capsule_session.cache", capsule.map(|rules| rules.cache), any()),
        ("wallets.capsule_session.timeout", capsule.map(|rules| rules.timeout), any()),
        ("wallets.capsule_session.session", capsule.map(|rules| rules.session), any()),
        ("wallets.nip98.window", nip98.map(|rules| rules.window), any()),
        ("wallets.nip98.session", nip98.map(|rules| rules.session), any()),
        ("wallets.thirdweb.leeway", thirdweb.map(|rules| rules.leeway), any()),
        ("wallets.thirdweb.token_lifetime", thirdweb.map(|rules| rules.token_lifetime), any()),
        ("wallets.thirdweb.payload_lifetime", thirdweb.map(|rules| rules.payload_lifetime), any()),
    ]
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::Format as _;

    use super::*;
    use crate::config::format::Toml;

    /// The sections that are off unless they are there, with no more than they must have.
    const WALLETS: &str = r#"
[wallets.jwks]
issuer = "i"
audience = "a"
jwks_url = "https://a.example"
[wallets.para]
audience = "a"
[wallets.para_session]
api_key_file = "k"
partner_id = "p"
[wallets.capsule_session]
api_key_file = "k"
partner_id = "p"
[wallets.nip98]
public_url = "https://a.example"
[wallets.thirdweb]
domain = "a.example"
"#;

    fn read(key: &str, value: &str) -> Result<Raw, String> {
        let figment = Figment::from(Toml::string(WALLETS)).merge(Toml::string(&format!("{key} = {value}\n")));
        figment.extract().map_err(|error| ConfigError::Malformed(Box::new(error)).to_string())
    }

    /// What is wrong with a value, if anything.
    fn verdict(key: &str, value: &str) -> Option<String> {
        read(key, value).and_then(|raw| check(&raw).map_err(|error| error.to_string())).err()
    }

    fn keys() -> Vec<(&'static str, bool)> {
        let raw = read("data_dir", "\"x\"").unwrap();
        let counts = counts(&raw).into_iter().map(|(key, value, _)| (key, value.is_some(), false));
        let times = times(&raw).into_iter().map(|(key, value, _)| (key, value.is_some(), true));
        counts
            .chain(times)
            .map(|(key, is_there, is_time)| {
                assert!(is_there, "{key} has a value in the test");
                (key, is_time)
            })
            .collect()
    }

    #[test]
    fn every_documented_number_is_in_the_table() {
        let page = include_str!("../../docs/configuration.md");
        let (documented, _) =
            page.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).unwrap();
        let documented: toml::Table = toml::from_str(documented).unwrap();
        let keys = keys();
        let mut found = 0;
        for (section, table) in &documented {
            for (name, value) in table.as_table().into_iter().flatten() {
                let is_time = value.as_str().is_some_and(|text| humantime::parse_duration(text).is_ok());
                if (is_time || value.is_integer()) && name != "socket_mode" {
                    let key = format!("{section}.{name}");
                    assert!(keys.iter().any(|(known, _)| *known == key), "{key} has no bounds");
                    found += 1;
                }
            }
        }
        assert!(found > 25, "{found}");
    }

    #[test]
    fn whatever_a_number_is_it_is_taken_or_refused_with_its_key_and_bound() {
        for (key, is_time) in keys() {
            let values: &[&str] = if is_time {
                &[
                    "0",
                    "1",
                    "\"0s\"",
                    "\"1s\"",
                    "\"18446744073709551615s\"",
                    "\"9223372036854775807y\"",
                    "\"-1s\"",
                ]
            } else {
                &["0", "1", "-1", "9223372036854775807", "1e300", "nan"]
            };
            for value in values {
                if let Some(error) = verdict(key, value) {
                    assert!(error.starts_with(key), "{key} = {value}: {error}");
                    assert!(error.contains("must be"), "{key} = {value}: {error}");
                }
            }
            let largest = if is_time { "\"18446744073709551615s\"" } else { "9223372036854775807" };
            let error = verdict(key, largest).unwrap_or_else(|| panic!("{key} has no upper bound"));
            assert!(error.contains("must be at most "), "{error}");
        }
    }

    #[test]
    fn the_defaults_are_within_the_bounds() {
        assert_eq!(verdict("data_dir", "\"x\""), None);
    }
}
