//! The machine that a measurement ran on: numbers without it mean nothing.

/// One paragraph: processor, cores, memory, system, load and version.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| {
            text.split_whitespace()
                .next()
                .and_then(|number| number.parse::<u64>().ok())
        })
        .map_or_else(
            || "unknown".to_owned(),
            |kib| format!("{:.1} GiB", kib as f64 / 1_048_576.0),
        );
    let name = field_with("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(|| std::env::consts::OS.to_owned());
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    format!(
        "machine  {model}, {cores} cores, {memory} memory\nsystem   {}, Linux {}\nversion  trademesh {}, load before {}",
        name.trim_matches('"'),
        kernel.trim(),
        env!("CARGO_PKG_VERSION"),
        load.join(" "),
    )
}

/// The processors' time so far, in the kernel's ticks: all of it, and what a hypervisor gave to others (steal).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// As of now; none where the system does not say.
    pub(crate) fn now() -> Self {
        Self::parse(&read("/proc/stat"))
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in these.
    fn parse(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|field| field.parse().ok())
            .collect();
        Self {
            all: ticks.iter().sum(),
            stolen: ticks.get(7).copied().unwrap_or_default(),
        }
    }

    /// The share that was stolen since then, in percent.
    pub(crate) fn stolen_since(self, then: Self) -> f64 {
        let all = self.all.saturating_sub(then.all).max(1);
        100.0 * self.stolen.saturating_sub(then.stolen) as f64 / all as f64
    }
}

/// The resident memory of this process, in bytes; 0 where the system does not say.
pub(crate) fn resident_bytes() -> u64 {
    let text = field("/proc/self/status", "VmRSS").unwrap_or_default();
    let kib = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field(path: &str, name: &str) -> Option<String> {
    field_with(path, name, ':')
}

fn field_with(path: &str, name: &str, separator: char) -> Option<String> {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(separator).map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::Ticks;

    #[test]
    fn steal_is_a_share_of_all_time() {
        let before = Ticks::parse("cpu  100 0 50 800 10 0 0 40 7 0\ncpu0 1 2\n");
        let after = Ticks::parse("cpu  150 0 80 850 10 0 10 110 9 0\n");
        // 210 ticks later, 70 of them stolen.
        assert!((after.stolen_since(before) - 100.0 / 3.0).abs() < 0.01);
        assert!(Ticks::parse("").stolen_since(Ticks::parse("")).abs() < 1e-9);
    }
}
