//! The bare server as a process: it says where it listens, and ends with whoever started it.

use bench::orders::Rest;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

#[tokio::test]
async fn it_ends_when_its_stdin_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bench"))
        .arg("bare")
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let rest = Rest::new(&format!("http://{}", line.trim()), 1, Duration::from_secs(10)).unwrap();
    let submitted = rest.post("/v1/accounts/paper-1/orders", &json!({})).await;
    assert!(submitted.is_good(), "{}", submitted.error());
    drop(child.stdin.take());
    let ended = child.wait().unwrap();
    assert!(ended.success(), "{ended}");
}
