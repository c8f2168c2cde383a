//! One command from a live market to a filled order and its profit and loss, with the real binary.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh_tests::client::Rest;
use mesh_tests::market;
use mesh_tests::process::{Platform, folder, run, signal, tool};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};

const SYMBOLS: [&str; 2] = ["--set", "exchange.symbols=12"];

#[tokio::test]
async fn an_order_is_filled_and_survives_a_restart() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &SYMBOLS);
    let admin = Rest::new(&platform.gateway())
        .login("admin", &platform.admin_password())
        .await;

    let quotes = admin
        .get_until("/v1/quotes?symbols=BTCUSDT", |body| {
            body["quotes"][0]["state"] == "BOOK_STATE_LIVE"
        })
        .await;
    assert!(quotes["quotes"][0]["ask"]["price"].is_string());

    market::known(&admin, "paper-1", "BTCUSDT").await;
    let order = json!({
        "clientOrderId": "first", "symbol": "BTCUSDT", "side": "SIDE_BUY", "type": "ORDER_TYPE_MARKET", "quantity": "0.01",
    });
    let accepted = admin.post("/v1/accounts/paper-1/orders", &order).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    let path = format!(
        "/v1/accounts/paper-1/orders/{}",
        accepted.body["order"]["orderId"].as_str().unwrap()
    );
    let filled = admin
        .get_until(&path, |body| body["order"]["status"] == "ORDER_STATUS_FILLED")
        .await;
    assert_eq!(filled["order"]["filledQuantity"], "0.01");
    let metrics = reqwest::get(platform.metrics("trading"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let ways: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("trading_order_entry_requests_total"))
        .collect();
    assert_eq!(
        ways,
        ["trading_order_entry_requests_total{over=\"websocket\"} 1"],
        "one request, and not over REST"
    );
    let repeated = admin.post("/v1/accounts/paper-1/orders", &order).await;
    assert_eq!(
        repeated.body["order"]["orderId"], filled["order"]["orderId"],
        "the same key never trades twice"
    );

    let positions = admin
        .get_until("/v1/accounts/paper-1/positions", |body| !body["positions"][0].is_null())
        .await;
    assert_eq!(positions["positions"][0]["symbol"], "BTCUSDT");
    let is_all = |body: &Value| (filled_in(body) - 0.01).abs() < 1e-12;
    let fills = admin.get_until("/v1/accounts/paper-1/fills", is_all).await;
    let portfolio = admin.get("/v1/accounts/paper-1/portfolio").await.body;
    assert!(number(&portfolio["portfolio"]["equity"]) > 1_000_000.0, "{portfolio}");

    assert_eq!(platform.interrupt().code(), Some(0), "Ctrl-C drains and exits 0");
    let again = Platform::up(&binary, folder.path(), &SYMBOLS);
    let admin = Rest::new(&again.gateway())
        .login("admin", &again.admin_password())
        .await;
    let kept = admin.get(&path).await.body;
    assert_eq!(kept["order"]["status"], "ORDER_STATUS_FILLED");
    assert_eq!(
        admin.get("/v1/accounts/paper-1/fills").await.body,
        fills,
        "a restart changes no fill"
    );
    let repeated = admin.post("/v1/accounts/paper-1/orders", &order).await;
    assert_eq!(
        repeated.body["order"]["orderId"], kept["order"]["orderId"],
        "nor does it forget a key"
    );
}

#[tokio::test]
async fn killed_without_warning_nothing_acknowledged_is_lost() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &SYMBOLS);
    let admin = Rest::new(&platform.gateway())
        .login("admin", &platform.admin_password())
        .await;
    market::known(&admin, "paper-1", "BTCUSDT").await;
    let mut ids = Vec::new();
    for number in 0..20 {
        let order = json!({
            "clientOrderId": format!("k-{number}"), "symbol": "BTCUSDT", "side": "SIDE_BUY", "type": "ORDER_TYPE_MARKET",
            "quantity": format!("0.0{}", 10 + number),
        });
        let answer = admin.post("/v1/accounts/paper-1/orders", &order).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        ids.push(answer.body["order"]["orderId"].as_str().unwrap().to_owned());
    }
    platform.kill();
    let again = Platform::up(&binary, folder.path(), &SYMBOLS);
    let admin = Rest::new(&again.gateway())
        .login("admin", &again.admin_password())
        .await;
    let mut bought = 0.0;
    for id in ids {
        let path = format!("/v1/accounts/paper-1/orders/{id}");
        let order = admin.get_until(&path, |body| is_over(&body["order"])).await;
        bought += number(&order["order"]["filledQuantity"]);
    }
    // That it has more is as wrong as that it never has all.
    let is_followed = |body: &Value| (filled_in(body) - bought).abs() < 1e-9;
    admin
        .get_until("/v1/accounts/paper-1/fills?pageSize=1000", is_followed)
        .await;
    // The oracle is the exchange's own ledger, not trading's.
    let venue = admin.get("/v1/exchange/accounts?pageSize=1000").await.body;
    let portfolio = admin.get("/v1/accounts/paper-1/portfolio").await.body;
    let account = find(&venue["accounts"], "name", "paper-1");
    for asset in ["BTC", "USDT"] {
        let balance = find(&account["balances"], "asset", asset);
        let held = number(&find(&portfolio["portfolio"]["holdings"], "asset", asset)["amount"]);
        let total = number(&balance["free"]) + number(&balance["locked"]);
        assert!(
            (held - total).abs() < 1e-6,
            "{asset}: the portfolio says {held}, the exchange {total}"
        );
    }
}

/// Whether an order is at its end. A market order is bounded by its collar: where the book was thin, a part of it expired.
/// One whose intent was written when the process died, and which the venue has never seen, is never sent again.
fn is_over(order: &Value) -> bool {
    match order["status"].as_str().unwrap_or_default() {
        "ORDER_STATUS_FILLED" | "ORDER_STATUS_EXPIRED" => true,
        "ORDER_STATUS_REJECTED" => order["reason"] == "NEVER_REACHED_VENUE",
        _ => false,
    }
}

fn find<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let found = list.as_array().into_iter().flatten().find(|one| one[key] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[tokio::test]
async fn the_command_line_does_what_the_readme_says() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &SYMBOLS);
    let session = folder.path().join("session.json");
    let call = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command
            .args(arguments)
            .env("TRADEMESH_SERVER", platform.gateway())
            .env("TRADEMESH_SESSION", &session);
        run(&mut command)
    };
    assert_eq!(call(&["status"]).0, Some(3), "not logged in");
    let password = platform.admin_password_file();
    let (code, _, err) = call(&["login", "--password-file", password.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    let admin = Rest::new(&platform.gateway())
        .login("admin", &platform.admin_password())
        .await;
    admin
        .get_until("/v1/services", |body| {
            body["services"]
                .as_array()
                .is_some_and(|all| all.len() == 12 && all.iter().all(|one| one["health"] == "HEALTH_SERVING"))
        })
        .await;
    let (code, out, err) = call(&["status"]);
    assert_eq!((code, out.lines().count()), (Some(0), 13), "{out}{err}");

    let json = |arguments: &[&str]| -> Value {
        let (code, out, err) = call(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    };
    market::known(&admin, "paper-1", "ETHUSDT").await;
    assert_eq!(json(&["quote", "ETHUSDT", "--json"])["quotes"][0]["symbol"], "ETHUSDT");
    let bought = json(&["order", "buy", "ETHUSDT", "0.5", "--json"]);
    let id = bought["orderId"].as_str().unwrap();
    admin
        .get_until(&format!("/v1/accounts/paper-1/orders/{id}"), |body| {
            body["order"]["status"] == "ORDER_STATUS_FILLED"
        })
        .await;
    assert_eq!(json(&["order", "show", id, "--json"])["filledQuantity"], "0.5");
    let bid = json(&["quote", "ETHUSDT", "--json"])["quotes"][0]["bid"]["price"]
        .as_str()
        .unwrap()
        .to_owned();
    let low = format!("{:.2}", bid.parse::<f64>().unwrap() * 0.97);
    let resting = json(&[
        "order",
        "buy",
        "ETHUSDT",
        "0.5",
        "--limit",
        &low,
        "--post-only",
        "--json",
    ]);
    let resting = resting["orderId"].as_str().unwrap();
    assert_eq!(json(&["orders", "--open", "--json"])["orders"][0]["orderId"], resting);
    json(&["order", "cancel", resting, "--json"]);
    admin
        .get_until(&format!("/v1/accounts/paper-1/orders/{resting}"), |body| {
            body["order"]["status"] == "ORDER_STATUS_CANCELLED"
        })
        .await;
    json(&["order", "cancel-all", "--json"]);
    admin
        .get_until("/v1/accounts/paper-1/positions", |body| !body["positions"][0].is_null())
        .await;
    assert_eq!(json(&["positions", "--json"])["positions"][0]["symbol"], "ETHUSDT");
    for topic in [vec!["quotes", "ETHUSDT"], vec!["portfolio"]] {
        let arguments: Vec<&str> = ["watch"].into_iter().chain(topic).chain(["--count", "2"]).collect();
        let (code, out, err) = call(&arguments);
        assert_eq!((code, out.lines().count()), (Some(0), 2), "{arguments:?}: {out}{err}");
    }
    for table in [
        vec!["quote"],
        vec!["orders"],
        vec!["positions"],
        vec!["order", "show", id],
    ] {
        assert_eq!(call(&table).0, Some(0), "{table:?}");
    }
    assert_eq!(
        call(&["order", "buy", "ETHUSDT", "1000000"]).0,
        Some(1),
        "refused by the risk gate"
    );
    assert_eq!(call(&["order", "show", "nothing"]).0, Some(1));
    assert_eq!(call(&["order", "buy", "ETHUSDT", "many"]).0, Some(2), "not a quantity");
    assert_eq!(call(&["completions", "bash"]).0, Some(0));
}

#[test]
fn mistakes_at_the_start_are_one_line_and_exit_code_2() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data_dir = format!("mesh.data_dir={}", path("data"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let in_use = |key: &str| format!("{key}={taken}");
    let (exchange_in_use, gateway_in_use) = (in_use("exchange.listen"), in_use("gateway.address"));
    let port_in_use = format!("mesh.ports.auth={}", taken.port());
    std::fs::write(path("file"), "in the way").unwrap();
    let below_a_file = format!("mesh.data_dir={}", path("file/below"));
    // It is there, and takes no files, not even root's.
    let unwritable = "mesh.data_dir=/sys";
    std::fs::write(path("broken.toml"), "[exchange]\nsymbols = \n").unwrap();
    let broken = path("broken.toml");
    let running = Platform::up(&binary, &folder.path().join("locked"), &SYMBOLS);
    let locked = format!("mesh.data_dir={}", path("locked"));
    let quiet = "telemetry.log=warn";
    let mut table = vec![
        (
            vec!["up", "--set", &data_dir, "--set", &exchange_in_use],
            "exchange.listen",
        ),
        (
            vec![
                "serve",
                "gateway",
                "--set",
                quiet,
                "--set",
                &data_dir,
                "--set",
                "mesh.ports.gateway=0",
                "--set",
                &gateway_in_use,
            ],
            "set gateway.address to another",
        ),
        (
            vec![
                "serve",
                "auth",
                "--set",
                quiet,
                "--set",
                &data_dir,
                "--set",
                &port_in_use,
            ],
            "set mesh.ports.auth to another",
        ),
        (
            vec!["up", "--any-port", "--set", &below_a_file],
            "set mesh.data_dir to a folder",
        ),
        (
            vec!["up", "--any-port", "--set", unwritable],
            "set mesh.data_dir to a folder",
        ),
        (
            vec!["serve", "auth", "--any-port", "--set", quiet, "--set", unwritable],
            "set mesh.data_dir to a folder",
        ),
        (
            vec!["up", "--any-port", "--set", &locked],
            "stop the other process or set mesh.data_dir",
        ),
        (vec!["up", "--config", &broken], "broken.toml, line 2: "),
        (vec!["up", "--set", "exchange.symbls=3"], "exchange.symbols"),
        (vec!["up", "--set", "exchange.symbols=many"], "exchange.symbols"),
        (
            vec!["up", "--any-port", "--set", &data_dir, "--set", "exchange.symbols=0"],
            "exchange.symbols must be 1 to 1200",
        ),
        (vec!["up", "--set", "exchange"], "KEY=VALUE"),
        (
            vec!["up", "--config", "/nowhere/trademesh.toml"],
            "/nowhere/trademesh.toml",
        ),
        (vec!["serve", "treding"], "trading"),
    ];
    for (arguments, named) in table.drain(..) {
        let (code, out, err) = run(Command::new(&binary).args(&arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(out.is_empty(), "{arguments:?}: {out}");
        assert_eq!(err.lines().count(), 1, "{arguments:?} says more than one line:\n{err}");
        assert!(err.contains(named), "{arguments:?} does not name {named}: {err}");
    }
    running.kill();
    let (code, out, _) = run(Command::new(&binary).arg("config"));
    assert_eq!(code, Some(0));
    assert!(out.contains("exchange.symbols"), "{out}");
    for command in [vec!["--help"], vec!["up", "--help"], vec!["order", "buy", "--help"]] {
        let (code, out, _) = run(Command::new(&binary).args(&command));
        assert_eq!(code, Some(0));
        assert!(out.contains("Exit codes"), "{command:?}: {out}");
    }
}

#[test]
fn what_is_not_ready_yet_ends_in_good_order_on_sigterm() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    // Without trading the portfolio never is ready; the gateway says when both are built.
    let mut child = Command::new(&binary)
        .args([
            "serve",
            "portfolio",
            "gateway",
            "--any-port",
            "--set",
            "telemetry.log=info",
            "--set",
        ])
        .arg(format!("mesh.data_dir={}", folder.path().display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let built = log.find(|line| line.contains("readiness changed"));
    assert!(built.is_some(), "it ended by itself");
    signal(child.id(), "TERM");
    assert_eq!(log.filter(|line| line.contains("panicked")).count(), 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "", "it never was ready");
}

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .expect("a decimal is text")
        .parse()
        .expect("a decimal is a number")
}

/// What the listed fills come to; the portfolio follows within its `batch_interval_ms`.
fn filled_in(body: &Value) -> f64 {
    let fills = body["fills"].as_array().into_iter().flatten();
    fills.map(|fill| number(&fill["quantity"])).sum()
}
