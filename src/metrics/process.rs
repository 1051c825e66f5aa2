//! Metrics of the process, under the names that all Prometheus clients use. `portal` adds the start time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::stat::Mode;

use super::reading::Reading;

/// The kernel's files about this process. Opened once, so that they can be read when no more files can be
/// opened: then they matter most.
#[derive(Debug)]
pub(super) struct Process {
    descriptors: Option<Mutex<Dir>>,
    status: Option<File>,
}

impl Default for Process {
    fn default() -> Self {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Self {
            descriptors: Dir::open("/proc/self/fd", flags, Mode::empty()).ok().map(Mutex::new),
            status: File::open("/proc/self/status").ok(),
        }
    }
}

impl Process {
    /// Adds the values that the kernel reports; missing ones are left out.
    pub(super) fn read_into(&self, reading: &mut Reading) {
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let (user, system) = (usage.user_time(), usage.system_time());
            let micros = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
            let help = "User and system CPU time spent, in seconds.";
            reading.counter("process_cpu_seconds_total", help, &[], micros as f64 / 1e6);
        }
        if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let help = "Largest allowed number of open file descriptors.";
            reading.gauge("process_max_fds", help, &[], soft as f64);
        }
        if let Some(open) = self.open_descriptors() {
            reading.gauge("process_open_fds", "Number of open file descriptors.", &[], open as f64);
        }
        let status = self.status().unwrap_or_default();
        for (field, unit, name, help) in [
            ("VmRSS:", 1024.0, "process_resident_memory_bytes", "Resident memory, in bytes."),
            ("VmSize:", 1024.0, "process_virtual_memory_bytes", "Virtual memory, in bytes."),
            ("Threads:", 1.0, "process_threads", "Threads."),
        ] {
            let value = status
                .lines()
                .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok());
            if let Some(value) = value {
                let value: f64 = value;
                reading.gauge(name, help, &[], value * unit);
            }
        }
    }

    fn open_descriptors(&self) -> Option<usize> {
        let mut folder = self.descriptors.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // Each `iter` starts from the beginning. Every entry is a descriptor, except `.` and `..`.
        let entries = folder.iter().filter_map(Result::ok);
        Some(entries.filter(|entry| !entry.file_name().to_bytes().starts_with(b".")).count())
    }

    fn status(&self) -> Option<String> {
        /// More than the kernel ever writes into one of these files.
        const LONGEST: usize = 16 * 1024;

        let mut text = vec![0; LONGEST];
        let length = self.status.as_ref()?.read_at(&mut text, 0).ok()?;
        text.truncate(length);
        String::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(process: &Process) -> f64 {
        let mut reading = Reading::default();
        process.read_into(&mut reading);
        let mut families = reading.into_families();
        let family = families.find(|family| family.name() == "process_open_fds").unwrap();
        family.get_metric()[0].get_gauge().get_value()
    }

    #[test]
    fn what_is_open_is_counted_anew_each_time_without_opening_anything() {
        const MANY: usize = 200;
        let process = Process::default();
        let before = open(&process);
        let files: Vec<_> = (0..MANY).map(|_| File::open("/dev/null").unwrap()).collect();
        let after = open(&process);
        // Other tests of this process open and close some, too.
        assert!(after > before + 0.5 * MANY as f64, "{before}, then {after}");
        drop(files);
        assert!(open(&process) < after - 0.5 * MANY as f64);
    }
}
