//! A sync that fails: the process ends, and nothing acknowledged is lost.

use super::desk::{
    OPTIONS, ORDERS, accepted, bought_agrees, has_status, held_at_the_venue, order, segment, start, until,
};
use mesh_tests::client::{Answer, Rest};
use mesh_tests::process::{Platform, folder, tool};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// strace on a running process: the `when`-th `fdatasync` of this file from now on fails, and each is written down.
struct FailingSync {
    strace: Child,
    log: PathBuf,
}

impl FailingSync {
    fn attach(strace: &Path, id: u32, file: &Path, when: usize, log: PathBuf) -> FailingSync {
        let mut strace = Command::new(strace)
            .args(["-f", "-y", "-p", &id.to_string(), "-e", "trace=fdatasync"])
            .args(["-e", &format!("inject=fdatasync:error=EIO:when={when}"), "-P"])
            .arg(file)
            .arg("-o")
            .arg(&log)
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace starts");
        let mut said = String::new();
        let mut lines = BufReader::new(strace.stderr.take().unwrap());
        while !said.contains("attached") {
            let read = lines.read_line(&mut said).unwrap();
            assert!(read > 0, "strace cannot attach: {said}");
        }
        // It says so for every new thread too, and would end if nobody read it.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        FailingSync { strace, log }
    }

    /// Once the process has ended: how often the file was synced, and whether each of these failed.
    fn syncs(mut self) -> Vec<bool> {
        self.strace.wait().unwrap();
        syncs_in(&self.log)
    }
}

/// The syncs of a journal's segments that strace wrote down, and whether each of them failed.
fn syncs_in(log: &Path) -> Vec<bool> {
    let log = std::fs::read_to_string(log).unwrap();
    let syncs = log
        .lines()
        .filter(|line| line.contains("fdatasync(") && line.contains(".segment"));
    syncs.map(|line| line.contains("EIO")).collect()
}

impl Drop for FailingSync {
    fn drop(&mut self) {
        // It ends with what it watches.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

#[tokio::test]
async fn after_a_failed_sync_the_process_ends_and_the_answer_was_unknown() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let Some(strace) = tool("TRADEMESH_STRACE") else { return };
    let folder = folder();
    let (platform, admin) = start(&binary, folder.path()).await;
    let begun_with = held_at_the_venue(&admin, "BTC").await;
    let first = accepted(&admin, &order("first", "SIDE_BUY", "0.01", None)).await;
    // Once it is over nothing is journalled any more until the next order.
    until(&admin, &first, has_status(&["FILLED", "EXPIRED"])).await;
    let segment = segment(folder.path());
    let log = folder.path().join("strace.log");
    let failing = FailingSync::attach(&strace, platform.id(), &segment, 1, log);

    let second = order("second", "SIDE_BUY", "0.02", None);
    let unknown = admin.post(ORDERS, &second).await;
    assert_eq!(
        (unknown.status, unknown.reason()),
        (500, "OUTCOME_UNKNOWN"),
        "{}",
        unknown.body
    );
    let status = platform.wait();
    assert_eq!(status.code(), Some(1));
    assert_eq!(failing.syncs(), [true], "one sync failed, and none was tried again");

    let (_platform, admin) = start(&binary, folder.path()).await;
    let second = accepted(&admin, &second).await;
    bought_agrees(&admin, begun_with, &[first, second]).await;
}

/// Sends market orders one after the other until one is not acknowledged: those that were, with the ids that they got, and
/// that one with its answer; none where the connection was gone before it.
async fn until_unknown(admin: &Rest, log: &Path) -> (Vec<(Value, String)>, Value, Option<Answer>) {
    let mut acknowledged = Vec::new();
    for number in 0..200 {
        let order = order(&format!("load-{number}"), "SIDE_BUY", &format!("0.01{number:03}"), None);
        let sent = admin.clone();
        let body = order.clone();
        // A process that has died answers nothing at all: the client then knows as little as with an unknown outcome.
        let answer = tokio::spawn(async move { sent.post(ORDERS, &body).await }).await.ok();
        match answer {
            Some(answer) if answer.status == 200 => {
                let id = answer.body["order"]["orderId"].as_str().unwrap().to_owned();
                acknowledged.push((order, id));
            }
            other => return (acknowledged, order, other),
        }
    }
    panic!("no sync ever failed: {:?}", syncs_in(log))
}

#[tokio::test]
async fn whichever_sync_fails_nothing_acknowledged_is_lost() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let Some(strace) = tool("TRADEMESH_STRACE") else { return };
    // The first after the start is that of an order's acceptance. Later ones are of the venue's answers and fills, or of
    // orders that came meanwhile.
    for when in [1, 2, 5, 17] {
        let folder = folder();
        let (platform, admin) = start(&binary, folder.path()).await;
        let begun_with = held_at_the_venue(&admin, "BTC").await;
        let segment = segment(folder.path());
        let log = folder.path().join("strace.log");
        let failing = FailingSync::attach(&strace, platform.id(), &segment, when, log);
        let (acknowledged, last, answer) = until_unknown(&admin, &failing.log).await;
        // Unknown where the order waited for that sync; where it came after it, it certainly was not taken.
        if let Some(answer) = answer {
            let told = (answer.status, answer.reason());
            let is_told = [(500, "OUTCOME_UNKNOWN"), (503, "SHARD_STOPPED")].contains(&told);
            assert!(is_told, "{when}: {}", answer.body);
        }
        let status = platform.wait();
        assert_eq!(status.code(), Some(1), "{when}");
        let mut expected = vec![false; when];
        expected[when - 1] = true;
        assert_eq!(failing.syncs(), expected, "{when}: the sync that failed was the last");

        let (_platform, admin) = start(&binary, folder.path()).await;
        let mut ids = Vec::new();
        for (order, id) in &acknowledged {
            assert_eq!(
                &accepted(&admin, order).await,
                id,
                "{when}: an acknowledged order is known, and the same"
            );
            ids.push(id.clone());
        }
        ids.push(accepted(&admin, &last).await);
        bought_agrees(&admin, begun_with, &ids).await;
    }
}

#[test]
fn a_journal_that_cannot_be_begun_stops_the_start_and_the_next_start_begins_it() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let Some(strace) = tool("TRADEMESH_STRACE") else { return };
    let folder = folder();
    // A segment is written beside its place, synced, and then given its name.
    let segment = folder.path().join("trading/shard-0/00000000000000000001.segment");
    let header = segment.with_extension("segment.tmp");
    let log = folder.path().join("strace.log");
    let mut command = Command::new(&strace);
    command
        .args([
            "-f",
            "-y",
            "-e",
            "trace=fdatasync",
            "-e",
            "inject=fdatasync:error=EIO:when=1",
            "-P",
        ])
        .arg(&header)
        .arg("-P")
        .arg(&segment)
        .arg("-o")
        .arg(&log)
        .arg(&binary)
        .args(["up", "--json", "--any-port", "--set"])
        .arg(format!("mesh.data_dir={}", folder.path().display()))
        .args(OPTIONS);
    let (code, out, err) = mesh_tests::process::run(&mut command);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    let last = err.lines().last().unwrap_or_default();
    assert!(
        last.contains("JOURNAL_IO") && last.contains(segment.to_str().unwrap()),
        "{err}"
    );
    assert_eq!(
        syncs_in(&log),
        [true],
        "the header's sync failed, and was not tried again"
    );
    Platform::up(&binary, folder.path(), &OPTIONS).kill();
}
