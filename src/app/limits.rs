//! Limits of the operating system for the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::Config;
use crate::http::Capacity;

/// Files for the database, its readers, the log, the sockets, and look-ups of profiles on the web.
const OWN_FILES: usize = 128;

/// The most connections that are being refused at the same time; each also needs a file.
const MAX_REFUSALS: usize = 256;

/// The fewest, if there are enough files.
const MIN_REFUSALS: usize = 16;

/// How many places allow one more connection that is being refused.
const PLACES_PER_REFUSAL: usize = 8;

/// The sign-in page gets at most one in so many files.
const PART_OF_PAGE: u64 = 4;

/// The fewest places: with fewer, nobody could be served.
const FEWEST_PLACES: usize = 16;

/// Raises the limit of open files to the system's maximum. Many systems start a process with a limit of 1024.
pub(super) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        // A sandbox may forbid even a call that changes nothing.
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// The connections that the sockets may accept, so that TCP callers leave files for the Unix socket, and all callers
/// leave files for the database and the relays. Logs if the number is lower than configured.
pub(super) fn capacity(config: &Config, on_tcp: bool) -> Capacity {
    let max_connections = config.local.max_connections;
    let wanted = wanted(max_connections, if on_tcp { max_connections } else { 0 });
    let needed = files_of(wanted).saturating_add(files_kept(config));
    let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit >= needed {
        return wanted;
    }
    let capacity = within(limit.saturating_sub(files_kept(config)), wanted);
    tracing::warn!(
        limit,
        needed,
        max_connections,
        unix_connections = capacity.unix,
        tcp_connections = capacity.tcp,
        "the limit of open files is too low for local.max_connections and the relays, so fewer connections are \
         accepted: raise the limit (ulimit -n, LimitNOFILE=) or lower local.max_connections"
    );
    capacity
}

/// The connections that the sign-in page may accept: its visitors leave at least three quarters of the files to others.
pub(super) fn page_places(config: &Config) -> usize {
    let Some(web) = &config.web else { return 0 };
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(limit, _)| limit);
    web.max_connections.min(usize::try_from(limit / PART_OF_PAGE).unwrap_or(usize::MAX)).max(1)
}

/// Each connection needs a file: to a relay, to the webhook's receiver.
fn files_kept(config: &Config) -> usize {
    let relays = config.relay_rules.max_relays.max(config.relays.len()) + config.relay_rules.max_preferred;
    let deliveries = config.webhook.as_ref().map_or(0, |webhook| webhook.rules.max_concurrent);
    [relays, deliveries, page_places(config), OWN_FILES].into_iter().fold(0, usize::saturating_add)
}

/// Each connection of a caller needs one, too.
fn files_of(Capacity { unix, tcp, refusals }: Capacity) -> usize {
    unix.saturating_add(tcp).saturating_add(refusals)
}

fn wanted(unix: usize, tcp: usize) -> Capacity {
    let refusals = (unix.saturating_add(tcp) / PLACES_PER_REFUSAL).clamp(MIN_REFUSALS, MAX_REFUSALS);
    Capacity { unix, tcp, refusals }
}

/// The places that this number of files allows. TCP gets half of them, and those that the Unix socket cannot use.
fn within(files: usize, Capacity { unix, tcp, .. }: Capacity) -> Capacity {
    let refusals = files.div_ceil(PLACES_PER_REFUSAL + 1).min(MAX_REFUSALS);
    let places = (files - refusals).max(FEWEST_PLACES);
    let tcp = tcp.min((places / 2).max(places.saturating_sub(unix)));
    Capacity { unix: unix.min(places - tcp), tcp, refusals: refusals.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: usize, unix: usize, tcp: usize) -> (usize, usize, usize) {
        let Capacity { unix, tcp, refusals } = within(files, wanted(unix, tcp));
        (unix, tcp, refusals)
    }

    #[test]
    fn tcp_leaves_half_of_the_files_to_the_unix_socket_or_as_many_as_that_can_use() {
        assert_eq!(places(900, 16_384, 16_384), (400, 400, 100));
        assert_eq!(places(900, 100, 16_384), (100, 700, 100));
        assert_eq!(places(900, 16_384, 100), (700, 100, 100));
        assert_eq!(places(900, 16_384, 0), (800, 0, 100));
        assert_eq!(places(20_000, 16_384, 16_384), (9_872, 9_872, 256));
    }

    #[test]
    fn a_limit_that_leaves_nothing_still_lets_somebody_in() {
        assert_eq!(places(0, 16_384, 16_384), (8, 8, 1));
        assert_eq!(places(0, 16_384, 0), (16, 0, 1));
        assert_eq!(places(0, 1, 1), (1, 1, 1));
    }

    proptest::proptest! {
        #[test]
        fn what_is_shared_out_fits(files in 32_usize..100_000, unix in 1_usize..1_000_000, tcp in 0_usize..1_000_000) {
            let capacity = within(files, wanted(unix, tcp));
            proptest::prop_assert!(files_of(capacity) <= files && capacity.unix >= 1);
            proptest::prop_assert!(capacity.unix <= unix && capacity.tcp <= tcp);
        }
    }
}
