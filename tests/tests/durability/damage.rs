//! A disk that forgets: a journal from an old copy, or with other bytes than were written.

use super::desk::{OPTIONS, ORDERS, accepted, has_status, order, price_of, segment, start, until};
use mesh_tests::process::{folder, tool};
use serde_json::json;
use std::path::Path;
use std::process::Command;

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
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    let last = err.lines().last().unwrap_or_default();
    for named in ["JOURNAL_DAMAGED", segment.to_str().unwrap(), "offset="] {
        assert!(last.contains(named), "'{last}' does not name {named}");
    }
}
