//! What a process uses, as `/proc` tells it.

use std::fs;

use crate::Result;

/// The unit of processor time in `/proc` (Linux: 100 a second on every architecture).
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time, user and system, in seconds.
    pub(crate) cpu_s: f64,
    /// The part of it that the kernel took.
    pub(crate) kernel_s: f64,
    /// How often its threads gave up their processor to wait.
    pub(crate) switches: f64,
    /// Resident memory now and at its peak, in KiB.
    pub(crate) resident_kib: f64,
    peak_kib: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name, which may hold anything: user time is the 12th field, system time the 13th.
        let fields = stat.rsplit_once(')').ok_or("an unknown form of /proc/…/stat")?.1;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        let mut seconds = || {
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
                ticks.next().ok_or("too few fields in /proc/…/stat")?? / TICKS,
            )
        };
        let (user_s, kernel_s) = (seconds()?, seconds()?);
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let figure = line.and_then(|line| line.split_whitespace().next());
            Ok(figure.ok_or("an unknown form of /proc/…/status")?.parse()?)
        };
        let switches = switches(pid)?;
        Ok(Self {
            cpu_s: user_s + kernel_s,
            kernel_s,
            switches,
            resident_kib: kib("VmRSS:")?,
            peak_kib: kib("VmHWM:")?,
        })
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        crate::report::tenth(self.resident_kib / 1024.0)
    }

    pub(crate) fn peak_mb(&self) -> f64 {
        crate::report::tenth(self.peak_kib / 1024.0)
    }
}

/// Of all threads that there are.
fn switches(pid: u32) -> Result<f64> {
    let mut sum = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has ended since is not counted.
        let Ok(status) = fs::read_to_string(thread?.path().join("status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.map_or(Ok(0.0), |line| line.trim().parse::<f64>())?;
    }
    Ok(sum)
}
