//! The README's blocks are run, so that they cannot rot: the first five minutes, as written, against the real binary. Only
//! the ports differ, since a test takes whatever is free.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh_tests::client::Rest;
use mesh_tests::market;
use mesh_tests::process::{Platform, folder, run, tool};
use std::path::Path;
use std::process::Command;

/// The text of every `sh` block after the marker.
fn blocks() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let (_, tested) = text
        .split_once("<!-- test:")
        .expect("the README marks where its tested blocks begin");
    tested
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_first_five_minutes_work_as_written() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let blocks = blocks();
    assert!(blocks.len() >= 3, "the README has its blocks");
    let folder = folder();
    let data = folder.path().join("trademesh-data");
    let platform = Platform::up(&binary, &data, &["--set", "exchange.symbols=12"]);
    let admin = Rest::new(&platform.gateway())
        .login("admin", &platform.admin_password())
        .await;
    admin
        .get_until("/v1/quotes", |body| {
            let quotes = body["quotes"].as_array();
            quotes
                .is_some_and(|quotes| quotes.len() == 12 && quotes.iter().all(|one| one["state"] == "BOOK_STATE_LIVE"))
        })
        .await;
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        market::known(&admin, "paper-1", symbol).await;
    }
    admin
        .get_until("/v1/services", |body| {
            body["services"]
                .as_array()
                .is_some_and(|all| all.iter().all(|one| one["health"] == "HEALTH_SERVING"))
        })
        .await;

    let mut script = String::from("set -euo pipefail\n");
    for block in &blocks {
        script.push_str(block);
    }
    let script = script
        .replace("localhost:8080", &platform.addresses["gateway-http"])
        .replace("localhost:7102", &platform.addresses["data"]);
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin");
    let path = format!(
        "{}:{}:{}",
        binary.parent().unwrap().display(),
        tools.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path);
    command
        .env("TRADEMESH_SERVER", platform.gateway())
        .env("TRADEMESH_SESSION", folder.path().join("session.json"));
    let (code, out, err) = run(&mut command);
    assert_eq!(code, Some(0), "{out}\n{err}");
    for expected in [
        "serving",
        "BTCUSDT",
        "ETHUSDT",
        "\"orderId\"",
        "\"equity\"",
        "TradingService",
        "\"connected\": true",
    ] {
        assert!(out.contains(expected), "no {expected} in:\n{out}\n{err}");
    }
}
