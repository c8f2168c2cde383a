//! How long the platform takes to be ready, and what it holds and uses when nobody orders.

use crate::platform::Platform;
use crate::report::{self, verdict};
use crate::{Boot, Outcome, process};
use std::path::Path;
use std::time::{Duration, Instant};

const STARTS: usize = 5;
const READY_LIMIT_S: f64 = 2.0;
const MEMORY_LIMIT_MIB: f64 = 200.0;
const SAMPLE: Duration = Duration::from_secs(1);

/// Measures and prints.
///
/// # Errors
/// When the platform does not start.
pub(crate) fn run(binary: &Path, options: &Boot) -> Outcome {
    let mut spans = Vec::new();
    let mut last = None;
    for _ in 0..STARTS {
        drop(last.take());
        let platform = Platform::up(binary, &[])?;
        spans.push(platform.ready_after.as_secs_f64());
        last = Some(platform);
    }
    let platform = last.ok_or("it was started at least once")?;
    let (median, worst) = report::median_and_worst(spans);
    let used = watch(platform.id(), Duration::from_secs_f64(options.minutes.max(0.0) * 60.0));
    report::print(
        &format!(
            "boot: `trademesh up`, twelve services, 120 symbols, {STARTS} fresh folders, then {} min",
            options.minutes
        ),
        ["what", "measured", "limit", "verdict"],
        vec![
            [
                "ready, median".into(),
                format!("{median:.3} s"),
                format!("< {READY_LIMIT_S} s"),
                verdict(median < READY_LIMIT_S),
            ],
            [
                "ready, worst".into(),
                format!("{worst:.3} s"),
                format!("< {READY_LIMIT_S} s"),
                verdict(worst < READY_LIMIT_S),
            ],
            [
                "resident at the start".into(),
                format!("{:.1} MiB", used.first),
                String::new(),
                String::new(),
            ],
            [
                "resident at the end".into(),
                format!("{:.1} MiB", used.last),
                String::new(),
                String::new(),
            ],
            [
                "resident, highest".into(),
                format!("{:.1} MiB", used.highest),
                format!("< {MEMORY_LIMIT_MIB} MiB"),
                verdict(used.highest < MEMORY_LIMIT_MIB),
            ],
            [
                "CPU, of one core".into(),
                format!("{:.1} %", used.core_percent),
                String::new(),
                String::new(),
            ],
        ],
    );
    println!("{}\n", platform.complaints());
    Ok(())
}

struct Used {
    first: f64,
    last: f64,
    highest: f64,
    core_percent: f64,
}

fn watch(id: u32, span: Duration) -> Used {
    let begun = Instant::now();
    let before = process::processor_time(id);
    let first = process::resident_mib(id);
    let (mut last, mut highest) = (first, first);
    while begun.elapsed() < span {
        std::thread::sleep(SAMPLE.min(span.saturating_sub(begun.elapsed())));
        last = process::resident_mib(id);
        highest = highest.max(last);
    }
    let used = process::processor_time(id).saturating_sub(before);
    Used {
        first,
        last,
        highest,
        core_percent: 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64().max(1e-9),
    }
}
