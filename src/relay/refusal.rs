//! Why a relay refuses an event (`OK` with `false`, NIP-01), and what follows from that. Pure.

/// What a refusal means for the same event at the same relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The relay has the event already: counts as accepted.
    Known,
    /// Retry later: a limit, a missing login (NIP-42), or an error of the relay.
    Later,
    /// The relay never accepts this event because of its age; it would accept a newer one.
    TooOld,
    /// The relay never accepts this event.
    Never,
}

/// Phrases by which relays say that an event is too old; there is no machine-readable prefix for it. strfry
/// uses the first two, NIP-22 and NIP-01 suggest the last two.
const TOO_OLD: [&str; 5] = [
    "ephemeral event expired",
    "created_at too early",
    "too old",
    "out of the acceptable range",
    "creation date is too far off",
];

/// Phrases that say that the event is from the future: our clock is ahead of the relay's, and the relay will
/// accept the same event in a moment. The last one is of nostr-rs-relay, which has no lower limit and names
/// only the upper one.
const TOO_NEW: [&str; 3] = ["created_at too late", "in the future", "range (+"];

/// What `reason`, the message of an `OK` with `false`, means.
pub(super) fn classify(reason: &str) -> Refusal {
    let reason = reason.trim().to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| reason.contains(phrase));
    match reason.split_once(':').map_or("", |(prefix, _)| prefix) {
        "duplicate" => Refusal::Known,
        "rate-limited" | "auth-required" | "error" => Refusal::Later,
        _ if says(&TOO_NEW) => Refusal::Later,
        _ if says(&TOO_OLD) => Refusal::TooOld,
        _ => Refusal::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_known_relays_are_understood() {
        let table = [
            ("invalid: ephemeral event expired", Refusal::TooOld),
            ("invalid: created_at too early", Refusal::TooOld),
            ("invalid: event is too old", Refusal::TooOld),
            ("invalid: event creation date is too far off from the current time", Refusal::TooOld),
            ("invalid: the event created_at field is out of the acceptable range (-24h)", Refusal::TooOld),
            ("invalid: The event created_at field is out of the acceptable range (+1800sec)", Refusal::Later),
            ("invalid: created_at too late", Refusal::Later),
            ("invalid: event is in the future", Refusal::Later),
            ("rate-limited: slow down there chief", Refusal::Later),
            ("auth-required: we only accept events from registered users", Refusal::Later),
            ("error: could not connect to the database", Refusal::Later),
            ("duplicate: already have this event", Refusal::Known),
            ("blocked: you are banned from posting here", Refusal::Never),
            ("restricted: not allowed", Refusal::Never),
            ("pow: 25>=24", Refusal::Never),
            ("no thanks", Refusal::Never),
            ("", Refusal::Never),
        ];
        for (reason, expected) in table {
            assert_eq!(classify(reason), expected, "{reason}");
        }
    }
}
