//! Starting services: what the configuration must be, and that processes find each other.

use crate::support::{Person, options, parse, told};
use mesh::time::Chance;
use std::future::{pending, ready};
use std::net::TcpListener;
use std::path::Path;
use trademesh::args::Command;
use trademesh::up::Process;

fn refusal(typed: &[&str]) -> (u8, String) {
    told(&trademesh::run(parse(typed)).unwrap_err())
}

#[test]
fn the_configuration_is_shown() {
    trademesh::run(parse(&["trademesh", "config"])).unwrap();
    trademesh::run(parse(&["trademesh", "config", "--json", "--set", "exchange.symbols=4"])).unwrap();
    trademesh::run(parse(&["trademesh", "completions", "bash"])).unwrap();
}

#[tokio::test]
async fn what_needs_no_runtime_is_not_done_in_one() {
    trademesh::run_async(parse(&["trademesh", "config"])).await.unwrap();
}

#[test]
fn a_wrong_configuration_is_refused_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trademesh.toml");
    std::fs::write(&file, "[exchange]\nsimbols = 4\n").unwrap();
    let file = file.to_str().unwrap();
    for command in [
        &["trademesh", "config"][..],
        &["trademesh", "up"],
        &["trademesh", "serve", "data"],
    ] {
        let with = |more: &[&str]| refusal(&[command, more].concat());
        assert_eq!(with(&["--set", "exchange.symbols"]), (2, "CONFIG_NO_VALUE".to_owned()));
        assert_eq!(
            with(&["--set", "exchange.simbols=4"]),
            (2, "CONFIG_UNKNOWN_KEY".to_owned())
        );
        assert_eq!(
            with(&["--set", "exchange.symbols=four"]),
            (2, "CONFIG_VALUE".to_owned())
        );
        assert_eq!(with(&["--config", file]), (2, "CONFIG_UNKNOWN_KEY".to_owned()));
        assert_eq!(with(&["--config", "/nowhere/at.all"]), (2, "CONFIG_FILE".to_owned()));
    }
    assert_eq!(
        refusal(&["trademesh", "serve", "treding"]),
        (2, "UNKNOWN_SERVICE".to_owned())
    );
}

#[tokio::test]
async fn what_cannot_be_started_names_what_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let start = async |folder: &Path, settings: &[&str]| {
        let up = Command::Up(options("up", folder, settings));
        told(&trademesh::run_async(up).await.unwrap_err())
    };
    assert_eq!(
        start(&file.join("below"), &[]).await,
        (2, "DATA_DIR_UNWRITABLE".to_owned())
    );
    assert_eq!(
        start(folder.path(), &["paper.accounts=10001"]).await,
        (2, "CONFIG_OUT_OF_BOUNDS".to_owned())
    );
    assert_eq!(start(folder.path(), &["exchange.symbols=0"]).await.0, 2);
    assert_eq!(start(folder.path(), &["mesh.peers.auth=[\"nowhere\"]"]).await.0, 2);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut fixed = options(
        "up",
        folder.path(),
        &[&format!("exchange.listen={}", taken.local_addr().unwrap())],
    );
    fixed.any_port = false;
    let error = trademesh::run_async(Command::Up(fixed)).await.unwrap_err();
    assert_eq!(trademesh::exit::code_of(&error), 2);
    assert!(error.message().contains("exchange.listen"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_fails_is_a_failure_and_one_in_use_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    trademesh::paper::provide(&folder.path().join("accounts"), 1, &Chance::seeded(1)).unwrap();
    let shard = folder.path().join("trading").join("shard-0");
    std::fs::create_dir_all(&shard).unwrap();
    let start = async || {
        let serve = Command::Serve {
            services: vec!["trading".to_owned()],
            options: options("serve", folder.path(), &["trading.shards=1"]),
        };
        let starting = tokio::time::timeout(crate::support::PATIENCE, trademesh::run_async(serve));
        told(&starting.await.expect("an end in time").unwrap_err())
    };
    // The message names the fix: stop the other process, or another folder.
    let lock = std::fs::File::create(shard.join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(start().await, (2, "JOURNAL_LOCKED".to_owned()));
    drop(lock);
    // No option mends what the disk has lost, or does not give.
    let meta = shard.join("meta");
    std::fs::write(&meta, "no journal began like this").unwrap();
    assert_eq!(start().await, (1, "JOURNAL_DAMAGED".to_owned()));
    std::fs::remove_file(&meta).unwrap();
    std::fs::create_dir(&meta).unwrap();
    assert_eq!(start().await, (1, "JOURNAL_IO".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ready_yet_ends_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    // Without trading the portfolio never is ready.
    let alone = Process::serve(&["portfolio".to_owned()], &options("serve", folder.path(), &[]))
        .await
        .unwrap();
    assert!(alone.ready(false, ready(())).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_form_one_mesh() {
    let folder = tempfile::tempdir().unwrap();
    trademesh::paper::provide(&folder.path().join("accounts"), 1, &Chance::seeded(1)).unwrap();
    let serve = async |services: &[&str], settings: &[String]| {
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        Process::serve(&services, &options("serve", folder.path(), &settings))
            .await
            .unwrap()
    };
    let first = serve(&["exchange", "auth", "audit"], &[]).await;
    let venue = first.running().http_address(exchange::NAME).unwrap();
    let peer = |name: &str| format!("mesh.peers.{name}=[\"{}\"]", first.running().address(name).unwrap());
    let settings = [
        format!("data.rest_url=http://{venue}"),
        format!("data.ws_url=ws://{venue}"),
        peer("auth"),
        peer("audit"),
    ];
    let second = serve(&["data", "gateway"], &settings).await;
    let both = async {
        let (first, second) = tokio::join!(first.ready(false, pending()), second.ready(true, pending()));
        (first.unwrap().unwrap(), second.unwrap().unwrap())
    };
    let (first, second) = tokio::time::timeout(crate::support::PATIENCE, both)
        .await
        .expect("ready in time");
    let server = format!("http://{}", second.running().http_address(gateway::NAME).unwrap());
    let admin = Person::new(&server, folder.path());
    admin.login().await.unwrap();
    admin.live("BTCUSDT").await;
    admin.call(&["quote", "BTCUSDT"]).await.unwrap();
    let (code, reason) = admin.refusal(&["orders"]).await;
    assert_eq!(code, 3, "the first password must be changed: {reason}");
    second.run_until(ready(())).await.unwrap();
    first.run_until(ready(())).await.unwrap();
    assert_eq!(admin.refusal(&["quote"]).await, (4, "UNREACHABLE".to_owned()));
}
