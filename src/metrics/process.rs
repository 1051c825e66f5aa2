//! The process, under the names that all Prometheus clients use.

use std::fs;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

use super::reading::Reading;

/// What the kernel says of this process; what it does not say is left out.
pub(super) fn read_into(reading: &mut Reading) {
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let (user, system) = (usage.user_time(), usage.system_time());
        let micros = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
        let help = "User and system CPU time spent, in seconds.";
        reading.counter("process_cpu_seconds_total", help, &[], micros as f64 / 1e6);
    }
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        reading.gauge("process_max_fds", "The most file descriptors that may be open.", &[], soft as f64);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The folder that is being read is one of them.
        let open = open.count().saturating_sub(1);
        reading.gauge("process_open_fds", "File descriptors that are open.", &[], open as f64);
    }
    if let Some(started) = started_at() {
        reading.gauge("process_start_time_seconds", "When it started, in Unix time.", &[], started);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (field, unit, name, help) in [
        ("VmRSS:", 1024.0, "process_resident_memory_bytes", "Resident memory, in bytes."),
        ("VmSize:", 1024.0, "process_virtual_memory_bytes", "Virtual memory, in bytes."),
        ("Threads:", 1.0, "process_threads", "Threads."),
    ] {
        let value =
            status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok());
        if let Some(value) = value {
            let value: f64 = value;
            reading.gauge(name, help, &[], value * unit);
        }
    }
}

/// When the process was made: the kernel counts from its own start, whose time `/proc/stat` tells.
fn started_at() -> Option<f64> {
    /// Ticks in a second, as the kernel shows times to programs on every platform.
    const HERTZ: f64 = 100.0;

    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program comes before and may hold anything.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let kernel = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = kernel.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(booted + ticks / HERTZ)
}
