//! The disk fails, fills up, and forgets, under the real binary; the exchange's ledger says what is true.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh_tests::client::{Answer, Rest};
use mesh_tests::process::{Platform, folder, tool};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const OPTIONS: [&str; 12] = [
    "--set",
    "exchange.symbols=12",
    "--set",
    "exchange.limits=bench",
    "--set",
    "trading.shards=1",
    "--set",
    "trading.limits.max_orders_per_second=10000",
    "--set",
    "trading.limits.max_open_orders=10000",
    "--set",
    "trading.limits.duplicate_window_ms=0",
];
const ORDERS: &str = "/v1/accounts/paper-1/orders";
/// Orders of this symbol fill the disk up.
const FILLED_UP_WITH: &str = "ETHUSDT";
const PATIENCE: Duration = Duration::from_secs(60);

async fn start(binary: &Path, folder: &Path) -> (Platform, Rest) {
    let platform = Platform::up(binary, folder, &OPTIONS);
    let admin = Rest::new(&platform.gateway())
        .login("admin", &platform.admin_password())
        .await;
    admin
        .get_until("/v1/quotes?symbols=BTCUSDT", |body| {
            body["quotes"][0]["state"] == "BOOK_STATE_LIVE"
        })
        .await;
    (platform, admin)
}

fn order(id: &str, side: &str, quantity: &str, price: Option<f64>) -> Value {
    let mut order = json!({
        "clientOrderId": id, "symbol": "BTCUSDT", "side": side, "type": "ORDER_TYPE_MARKET", "quantity": quantity,
    });
    if let Some(price) = price {
        order["type"] = "ORDER_TYPE_LIMIT".into();
        order["timeInForce"] = "TIME_IN_FORCE_GTC".into();
        order["price"] = format!("{price:.2}").into();
    }
    order
}

async fn accepted(admin: &Rest, order: &Value) -> String {
    let answer = admin.post(ORDERS, order).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["order"]["orderId"].as_str().unwrap().to_owned()
}

async fn until(admin: &Rest, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let body = admin
        .get_until(&format!("{ORDERS}/{id}"), |body| is_wanted(&body["order"]))
        .await;
    body["order"].clone()
}

fn has_status(wanted: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |order| {
        wanted
            .iter()
            .any(|status| order["status"] == format!("ORDER_STATUS_{status}"))
    }
}

async fn price_of(admin: &Rest, symbol: &str, side: &str) -> f64 {
    let quotes = admin.get(&format!("/v1/quotes?symbols={symbol}")).await.body;
    number(&quotes["quotes"][0][side]["price"])
}

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no decimal"))
        .parse()
        .unwrap()
}

/// What the exchange's ledger says that the account holds.
async fn held_at_the_venue(admin: &Rest, asset: &str) -> f64 {
    let venue = admin.get("/v1/exchange/accounts?pageSize=1000").await.body;
    let find = |list: &Value, key: &str, name: &str| {
        let found = list.as_array().into_iter().flatten().find(|one| one[key] == name);
        found.cloned()
    };
    let account = find(&venue["accounts"], "name", "paper-1").expect("the exchange knows the account");
    let balance = find(&account["balances"], "asset", asset);
    balance.map_or(0.0, |balance| number(&balance["free"]) + number(&balance["locked"]))
}

/// The open segment of the one shard's journal.
fn segment(folder: &Path) -> PathBuf {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(folder.join("trading/shard-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    segments.sort();
    segments.pop().unwrap()
}

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

/// What the exchange's ledger says that these orders have bought is what they say themselves.
async fn bought_agrees(admin: &Rest, begun_with: f64, ids: &[String]) {
    let mut bought = 0.0;
    for id in ids {
        // An intent that was on the disk and never sent is never sent again.
        let over = until(admin, id, |order| {
            has_status(&["FILLED", "EXPIRED"])(order)
                || (has_status(&["REJECTED"])(order) && order["reason"] == "NEVER_REACHED_VENUE")
        })
        .await;
        bought += number(&over["filledQuantity"]);
    }
    let held = held_at_the_venue(admin, "BTC").await;
    // The venue takes its fee, at most 0.1 %, in what was bought: less than any order that were lost or doubled.
    assert!(
        (held - begun_with - bought).abs() <= 0.0011 * bought,
        "the orders say {bought}, the exchange {held} after {begun_with}"
    );
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

/// A file system of 64 MiB, unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where mounting is not permitted: that is said, and fails where tools are required.
    fn mount(at: &Path) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "trademesh-test"])
            .arg(at)
            .output();
        if mount.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(at.to_path_buf()));
        }
        assert!(
            std::env::var_os("TRADEMESH_REQUIRE_TOOLS").is_none(),
            "no file system can be mounted: {mount:?}"
        );
        eprintln!("skipped: no file system can be mounted here; root may");
        None
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        let mut size = 1 << 20;
        while size > 0 {
            match file.write_all(&vec![0xba; size]) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
                    size /= 2;
                }
            }
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the platform may still have it open where a test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Sends new orders until one is refused for want of room; the room for ordinary records is about 1 MiB before that. They
/// are far below the market, and cancelled now and then, so that neither the position nor the open orders are at a limit.
async fn until_refused(admin: &Rest, name: &str) -> (Value, Answer) {
    let low = price_of(admin, FILLED_UP_WITH, "bid").await * 0.97;
    let mut answers = Vec::new();
    for round in 0..200 {
        let fillers = (0..25).map(|number| {
            let mut filler = order(&format!("{name}-{round}-{number}"), "SIDE_BUY", "0.01", Some(low));
            filler["symbol"] = FILLED_UP_WITH.into();
            filler
        });
        let sent = fillers.map(|filler| async move { (admin.post(ORDERS, &filler).await, filler) });
        answers.extend(futures::future::join_all(sent).await);
        for (answer, filler) in answers.drain(..) {
            if answer.reason() == "DISK_FULL" {
                return (filler, answer);
            }
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let cancelled = admin
            .post(&format!("{ORDERS}:cancelAll"), &json!({"symbol": FILLED_UP_WITH}))
            .await;
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    }
    panic!("the disk never filled up")
}

/// The sum of what has traded of these orders.
async fn filled(admin: &Rest, ids: &[String]) -> f64 {
    let mut sum = 0.0;
    for id in ids {
        let order = admin.get(&format!("{ORDERS}/{id}")).await.body;
        sum += number(&order["order"]["filledQuantity"]);
    }
    sum
}

#[tokio::test]
async fn on_a_full_disk_cancels_halts_and_fills_work_and_new_orders_wait() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let Some(disk) = SmallDisk::mount(&folder.path().join("trading")) else {
        return;
    };
    let (platform, admin) = start(&binary, folder.path()).await;
    let (bid, ask) = (
        price_of(&admin, "BTCUSDT", "bid").await,
        price_of(&admin, "BTCUSDT", "ask").await,
    );
    let first = order("first", "SIDE_BUY", "0.3", None);
    let bought = accepted(&admin, &first).await;
    until(&admin, &bought, has_status(&["FILLED", "EXPIRED"])).await;
    let resting = accepted(&admin, &order("resting", "SIDE_BUY", "0.01", Some(bid * 0.96))).await;
    until(&admin, &resting, has_status(&["OPEN"])).await;
    // Ladders on both sides: wherever the market goes, some of them trade.
    let mut ladder = Vec::new();
    for step in 0..12 {
        let away = f64::from(step) * 0.0004;
        let buy = order(&format!("buy-{step}"), "SIDE_BUY", "0.01", Some(bid * (1.0 - away)));
        let sell = order(&format!("sell-{step}"), "SIDE_SELL", "0.005", Some(ask * (1.0 + away)));
        ladder.push(accepted(&admin, &buy).await);
        ladder.push(accepted(&admin, &sell).await);
    }
    disk.fill();
    let (_, answer) = until_refused(&admin, "filler").await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(platform.log().contains("the disk is full"), "people are told");

    let before = filled(&admin, &ladder).await;
    let again = admin.post(ORDERS, &first).await;
    assert_eq!(
        (again.status, &again.body["order"]["orderId"]),
        (200, &json!(bought)),
        "{}",
        again.body
    );
    let cancelled = admin.post(&format!("{ORDERS}/{resting}:cancel"), &json!({})).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    until(&admin, &resting, has_status(&["CANCELLED"])).await;
    let halt = json!({"scope": "HALT_SCOPE_SYMBOL", "target": "SOLUSDT", "reason": "drill"});
    let halted = admin.post("/v1/halts", &halt).await;
    assert_eq!(halted.status, 200, "{}", halted.body);
    let begun = Instant::now();
    while filled(&admin, &ladder).await <= before {
        assert!(begun.elapsed() < PATIENCE, "nothing of the ladder trades");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A single order may still fit where a batch did not; not many.
    let (refused, answer) = until_refused(&admin, "still-full").await;
    assert_eq!(answer.status, 429, "{}", answer.body);

    // Nor does a restart need room. It gives back what the last owner had beyond the reserve, which orders then use up.
    platform.kill();
    let (_platform, admin) = start(&binary, folder.path()).await;
    let (_, answer) = until_refused(&admin, "after-restart").await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    until(&admin, &resting, has_status(&["CANCELLED"])).await;
    let halts = admin.get("/v1/halts").await.body;
    assert_eq!(halts["halts"][0]["target"], "SOLUSDT", "{halts}");
    let all = admin.post(&format!("{ORDERS}:cancelAll"), &json!({})).await;
    assert_eq!(all.status, 200, "{}", all.body);
    for id in &ladder {
        until(&admin, id, has_status(&["CANCELLED", "FILLED"])).await;
    }

    disk.make_room();
    let taken = accepted(&admin, &refused).await;
    until(&admin, &taken, has_status(&["OPEN"])).await;
}

#[tokio::test]
async fn a_journal_restored_from_an_old_copy_is_noticed() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let (platform, admin) = start(&binary, folder.path()).await;
    let low = price_of(&admin, "BTCUSDT", "bid").await * 0.96;
    let known = accepted(&admin, &order("known", "SIDE_BUY", "0.01", Some(low))).await;
    until(&admin, &known, has_status(&["OPEN"])).await;
    assert_eq!(platform.interrupt().code(), Some(0));
    let (journal, backup) = (folder.path().join("trading"), folder.path().join("backup"));
    copy(&journal, &backup);

    let (platform, admin) = start(&binary, folder.path()).await;
    let forgotten = accepted(&admin, &order("forgotten", "SIDE_BUY", "0.02", Some(low))).await;
    until(&admin, &forgotten, has_status(&["OPEN"])).await;
    assert_eq!(platform.interrupt().code(), Some(0));
    std::fs::remove_dir_all(&journal).unwrap();
    copy(&backup, &journal);

    let (_platform, admin) = start(&binary, folder.path()).await;
    let halts = admin
        .get_until("/v1/halts", |body| {
            body["halts"].as_array().is_some_and(|halts| !halts.is_empty())
        })
        .await;
    let reason = halts["halts"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("DECISIONS_LOST"), "{halts}");
    let refused = admin.post(ORDERS, &order("new", "SIDE_BUY", "0.01", Some(low))).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    let cancelled = admin.post(&format!("{ORDERS}/{known}:cancel"), &json!({})).await;
    assert_eq!(cancelled.status, 200, "cancels pass: {}", cancelled.body);
    until(&admin, &known, has_status(&["CANCELLED"])).await;
    let resumed = admin
        .post("/v1/halts:resume", &json!({"scope": "HALT_SCOPE_GLOBAL"}))
        .await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    let newer = accepted(&admin, &order("newer", "SIDE_BUY", "0.01", Some(low))).await;
    until(&admin, &newer, has_status(&["OPEN"])).await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => std::fs::copy(entry.path(), to.join(entry.file_name()))
                .map(drop)
                .unwrap(),
        }
    }
}

#[tokio::test]
async fn a_damaged_journal_refuses_to_start_and_names_the_place() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let (platform, admin) = start(&binary, folder.path()).await;
    for number in 0..3 {
        let id = accepted(
            &admin,
            &order(&format!("o-{number}"), "SIDE_BUY", &format!("0.01{number}"), None),
        )
        .await;
        until(&admin, &id, has_status(&["FILLED", "EXPIRED"])).await;
    }
    platform.kill();
    let segment = segment(folder.path());
    let mut bytes = std::fs::read(&segment).unwrap();
    // Zeros are written ahead of the end.
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[end / 2] ^= 4;
    std::fs::write(&segment, bytes).unwrap();
    let mut command = Command::new(&binary);
    command.args(["up", "--any-port", "--set"]);
    command
        .arg(format!("mesh.data_dir={}", folder.path().display()))
        .args(OPTIONS);
    let (code, out, err) = mesh_tests::process::run(&mut command);
    assert!(code.is_some_and(|code| code != 0) && out.is_empty(), "{code:?}: {out}");
    let last = err.lines().last().unwrap_or_default();
    for named in ["JOURNAL_DAMAGED", segment.to_str().unwrap(), "offset="] {
        assert!(last.contains(named), "'{last}' does not name {named}");
    }
}
