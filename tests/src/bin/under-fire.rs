//! The long form of the proof under fire, by hand, on a machine that does nothing else:
//!
//! ```text
//! cargo build --release -p trademesh
//! cargo run --release -p mesh-tests --bin under-fire -- services rate=1000 seconds=60 every=5
//! cargo run --release -p mesh-tests --bin under-fire -- up rate=500 seconds=60 every=5
//! ```

use mesh_tests::fire::report::Bounds;
use mesh_tests::fire::run::{Options, Target, run};
use std::path::PathBuf;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error + Send + Sync>> {
    let mut words = std::env::args().skip(1);
    let target = match words.next().as_deref() {
        Some("services") => Target::Services,
        Some("up") => Target::Whole,
        _ => return Err("say what is killed: services, or up; then options such as rate=1000".into()),
    };
    let options = Options {
        target,
        rate: 1_000,
        seconds: 60,
        every: 5.0,
        seed: 1,
        accounts: 20,
        symbols: 20,
        faults: target == Target::Services,
        // Unknown outcomes can only be known within five seconds if "not found" counts as absent before that.
        recv_window_ms: 2_000,
        processing_bound_ms: 1_000,
    };
    let options = options.with(&words.collect::<Vec<_>>().join(" "))?;
    let binary = std::env::var_os("TRADEMESH_BINARY").map_or_else(|| "target/release/trademesh".into(), PathBuf::from);
    let folder = mesh_tests::process::folder();
    let report = run(&binary, folder.path(), options).await?;
    println!("{}", report.text());
    let found = report.faults_of_the_platform();
    let beyond = report.times_beyond(&Bounds::PROMISED);
    for line in found.iter().chain(&beyond) {
        println!("MISSED  {line}");
    }
    if !found.is_empty() {
        println!("{}", report.complaints);
    }
    Ok(if found.is_empty() && beyond.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
