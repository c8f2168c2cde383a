//! Nothing acknowledged is lost or doubled while processes are killed under load. The oracle is the generator's own log
//! against the exchange's ledger. What is correct is asserted strictly. Times are printed, and asserted only with bounds
//! that a machine which is busy with other things keeps: the promised ones are those of the long form, the binary
//! `under-fire`, run by hand.

use mesh_tests::fire::report::Bounds;
use mesh_tests::fire::run::{Options, Target, run};
use mesh_tests::process::{folder, tool};

/// The runs take turns: each needs the machine.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn under_fire(options: Options) {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let _turn = TURN.lock().await;
    let folder = folder();
    let report = match run(&binary, folder.path(), options).await {
        Ok(report) => report,
        Err(error) => panic!("{error}"),
    };
    println!("{}", report.text());
    let found = report.faults_of_the_platform();
    assert!(
        found.is_empty(),
        "{}\n{}\n{}",
        report.text(),
        found.join("\n"),
        report.complaints
    );
    let beyond = report.times_beyond(&Bounds::GENEROUS);
    assert!(beyond.is_empty(), "{}\n{}", report.text(), beyond.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_killed_one_by_one_and_all_at_once() {
    under_fire(Options {
        target: Target::Services,
        rate: 150,
        seconds: 32,
        every: 4.5,
        seed: 1,
        accounts: 8,
        symbols: 8,
        faults: true,
        recv_window_ms: 5_000,
        processing_bound_ms: 2_000,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_platform_is_killed_ten_times() {
    under_fire(Options {
        target: Target::Whole,
        rate: 100,
        seconds: 27,
        every: 2.5,
        seed: 2,
        accounts: 6,
        symbols: 6,
        faults: false,
        recv_window_ms: 5_000,
        processing_bound_ms: 2_000,
    })
    .await;
}
