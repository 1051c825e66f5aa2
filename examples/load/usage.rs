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
    /// Resident memory now and at its peak, in KiB.
    pub(crate) resident_kib: f64,
    peak_kib: f64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name, which may hold anything: user time is the 12th field, system time the 13th.
        let fields = stat.rsplit_once(')').ok_or("an unknown form of /proc/…/stat")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let ticks: f64 = ticks.sum::<std::result::Result<_, _>>()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let figure = line.and_then(|line| line.split_whitespace().next());
            Ok(figure.ok_or("an unknown form of /proc/…/status")?.parse()?)
        };
        Ok(Self { cpu_s: ticks / TICKS, resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        crate::report::tenth(self.resident_kib / 1024.0)
    }

    pub(crate) fn peak_mb(&self) -> f64 {
        crate::report::tenth(self.peak_kib / 1024.0)
    }
}
