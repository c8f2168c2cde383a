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
