//! A disk without room: new orders wait, and what lessens a risk works.

use super::desk::{ORDERS, PATIENCE, accepted, has_status, number, order, price_of, start, until};
use mesh_tests::client::{Answer, Rest};
use mesh_tests::process::{folder, tool};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Orders of this symbol fill the disk up.
const FILLED_UP_WITH: &str = "ETHUSDT";

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
