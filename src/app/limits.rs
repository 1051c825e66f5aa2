//! What the operating system allows the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Each connection is a file; many systems start a process with room for 1024.
pub(super) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        // A sandbox may forbid what would change nothing.
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
