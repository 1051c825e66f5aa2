//! Which bounds are near.

use serde_json::{Value, json};

use crate::api_tokens::MAX_TOKENS;
use crate::config::Config;
use crate::metrics::{Limit, Sample};

/// A bound, and what is counted against it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maximum {
    /// Its name, as in `portico_limit_reached_total`.
    limit: Limit,
    /// Its key in the configuration.
    key: &'static str,
    most: usize,
    /// The gauges that are counted against it together. If it is empty, the caller counts.
    gauges: &'static [&'static str],
}

/// The bounds of this configuration that a gauge can be compared with.
pub(super) fn maxima(config: &Config) -> Vec<Maximum> {
    let of = |limit, key, most, gauges| Maximum { limit, key, most, gauges };
    let waiting = config.webhook.as_ref().map(|webhook| {
        of(
            Limit::WebhookWaiting,
            "webhook.max_waiting",
            usize::try_from(webhook.rules.max_waiting).unwrap_or(usize::MAX),
            &["portico_webhook_waiting"],
        )
    });
    let open: &[_] = &["portico_open_handshakes", "portico_open_challenges"];
    [
        of(Limit::OpenRequests, "auth.max_open", config.auth.max_open, open),
        of(Limit::Followers, "local.max_followers", config.local.max_followers, &["portico_followers"]),
        of(Limit::Inbox, "relays.inbox", config.relay_rules.inbox, &["portico_inbox_messages"]),
        of(Limit::Connections, "local.max_connections", config.local.max_connections, &[]),
        of(Limit::Relays, "relays.max_relays", config.relay_rules.max_relays, &[]),
        of(Limit::ApiTokens, "API tokens with names", MAX_TOKENS, &[]),
    ]
    .into_iter()
    .chain(waiting)
    .collect()
}

/// What the gauges do not have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) relays: usize,
    pub(super) api_tokens: usize,
}

/// Each bound with its use, the nearest first.
pub(super) fn uses(maxima: &[Maximum], samples: &[Sample], counted: Counted) -> Vec<Value> {
    let mut uses: Vec<(f64, Value)> = maxima
        .iter()
        .map(|maximum| {
            let used = used(maximum, samples, counted);
            let shown = json!({ "limit": maximum.limit.label(), "key": maximum.key, "used": used, "most": maximum.most });
            (used / maximum.most.max(1) as f64, shown)
        })
        .collect();
    if let (Some(used), Some(most)) = (value(samples, "process_open_fds"), value(samples, "process_max_fds"))
    {
        let shown =
            json!({ "limit": "open_files", "key": "open files (ulimit -n)", "used": used, "most": most });
        uses.push((used / most.max(1.0), shown));
    }
    uses.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    uses.into_iter().map(|(_, shown)| shown).collect()
}

fn used(maximum: &Maximum, samples: &[Sample], counted: Counted) -> f64 {
    match maximum.limit {
        // The bound is for each of the two sockets.
        Limit::Connections => {
            let open = samples.iter().filter(|sample| sample.name == "portico_connections");
            open.map(|sample| sample.value).fold(0.0, f64::max)
        }
        Limit::Relays => counted.relays as f64,
        Limit::ApiTokens => counted.api_tokens as f64,
        _ => maximum.gauges.iter().filter_map(|name| value(samples, name)).sum(),
    }
}

/// The value of a metric without labels.
pub(super) fn value(samples: &[Sample], name: &str) -> Option<f64> {
    samples.iter().find(|sample| sample.name == name).map(|sample| sample.value)
}
