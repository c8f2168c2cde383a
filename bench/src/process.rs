//! What the kernel says about a process.

use std::time::Duration;

/// Ticks a second in `/proc/PID/stat`: what Linux shows to programs on every architecture, whatever it counts inside.
const TICKS_A_SECOND: u64 = 100;

/// Resident memory in MiB.
pub(crate) fn resident_mib(id: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Processor time used so far, in user and kernel.
pub(crate) fn processor_time(id: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold blanks; the state is the first field after it, utime and stime the 12th and 13th.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
}
