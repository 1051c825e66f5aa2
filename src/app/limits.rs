//! What the operating system allows the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::Config;

/// For the database, its readers, the log, the sockets, and look-ups of profiles on the web.
const OWN_FILES: usize = 128;

/// Sees to it that the process may open as many files as the configuration lets it need; tells if it may not.
/// Many systems start a process with room for 1024.
pub(super) fn raise_file_limit(config: &Config) {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        // A sandbox may forbid what would change nothing.
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let needed = files_needed(config);
    if let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE)
        && limit < needed
    {
        tracing::warn!(
            limit,
            needed,
            max_connections = config.local.max_connections,
            "fewer files may be open than local.max_connections and the relays can take: raise the limit \
             (ulimit -n, LimitNOFILE=) or lower local.max_connections"
        );
    }
}

/// Each connection is a file: of a caller, to a relay, to the webhook's receiver.
fn files_needed(config: &Config) -> u64 {
    let relays = config.relay_rules.max_relays.max(config.relays.len()) + config.relay_rules.max_preferred;
    let deliveries = config.webhook.as_ref().map_or(0, |webhook| webhook.rules.max_concurrent);
    // Each socket has places of its own.
    let on_tcp = config.local.listen.map_or(0, |_| config.local.max_connections);
    let counts = [config.local.max_connections, on_tcp, relays, deliveries, OWN_FILES];
    counts.into_iter().fold(0, usize::saturating_add) as u64
}
