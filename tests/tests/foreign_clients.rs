//! Programs that we did not write: grpcurl, ccxt, the OpenAPI validator and schemathesis, against the real binary.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh_tests::client::Rest;
use mesh_tests::process::{Platform, folder, run, run_within, tool};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SYMBOLS: [&str; 2] = ["--set", "exchange.symbols=12"];

/// How long one run of schemathesis may take: half a minute on two quiet cores.
const SCHEMATHESIS: Duration = Duration::from_secs(300);

/// grpcurl, from `.tools/bin` or the PATH.
fn grpcurl() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/grpcurl");
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|folder| folder.join("grpcurl"))
            .find(|file| file.exists())
    });
    let found = own.exists().then_some(own).or(on_path);
    assert!(
        found.is_some() || std::env::var_os("TRADEMESH_REQUIRE_TOOLS").is_none(),
        "grpcurl is missing: run `make tools`"
    );
    found
}

/// Every area with its service, a method of it, what it is asked, and a part of what it answers; none: it is not built, and
/// says so.
const CALLS: [(&str, &str, &str, &str, Option<&str>); 12] = [
    (
        "exchange",
        "Exchange",
        "ListVenueAccounts",
        "{}",
        Some("\"name\": \"paper-1\""),
    ),
    ("data", "MarketData", "GetFeed", "{}", Some("\"connected\": true")),
    ("ml", "Prediction", "ListModels", "{}", None),
    ("strategy", "Strategy", "ListStrategies", "{}", None),
    ("risk", "Risk", "GetLimits", "{\"account_id\": \"paper-1\"}", None),
    ("trading", "Trading", "ListAccounts", "{}", Some("paper-1")),
    (
        "portfolio",
        "Portfolio",
        "GetPortfolio",
        "{\"account_id\": \"paper-1\"}",
        Some("\"reportingAsset\": \"USDT\""),
    ),
    ("notification", "Notification", "ListNotifications", "{}", None),
    ("monitoring", "Monitoring", "ListServices", "{}", Some("trading")),
    ("auth", "Auth", "GetCurrentUser", "{}", Some("admin")),
    ("audit", "Audit", "ListRecords", "{}", None),
    ("gateway", "Gateway", "CreateWebSocketTicket", "{}", Some("\"ticket\":")),
];

#[tokio::test]
async fn grpcurl_lists_and_calls_every_service() {
    let (Some(binary), Some(grpcurl)) = (tool("TRADEMESH_BINARY"), grpcurl()) else {
        return;
    };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &SYMBOLS);
    let call = |arguments: &[&str]| run(Command::new(&grpcurl).arg("-plaintext").args(arguments));
    let header = format!("authorization: Bearer {}", token(&platform).await);
    for (name, service, method, message, expected) in CALLS {
        let full = format!("trademesh.{name}.v1.{service}Service");
        let address = &platform.addresses[name];
        let (code, out, err) = call(&[address, "list"]);
        assert_eq!(code, Some(0), "{name}: {err}");
        assert!(
            out.lines().any(|line| line == full),
            "{name} does not list {full}: {out}"
        );
        let (code, out, err) = call(&[address, "grpc.health.v1.Health/Check"]);
        assert_eq!(code, Some(0), "{name}: {err}");
        assert!(out.contains("SERVING") && !out.contains("NOT_SERVING"), "{name}: {out}");
        let through_gateway = platform.gateway().replace("http://", "");
        assert_eq!(
            call(&[&through_gateway, "describe", &full]).0,
            Some(0),
            "{name} through the gateway"
        );
        let method = format!("{full}/{method}");
        let (code, out, err) = call(&["-H", &header, "-d", message, address, &method]);
        match expected {
            Some(expected) => {
                assert_eq!(code, Some(0), "{method}: {err}");
                assert!(out.contains(expected), "{method}: {out}");
            }
            None => assert!(err.contains("Code: Unimplemented"), "{method}: {out}{err}"),
        }
    }
    let (code, _, err) = call(&[
        &platform.addresses["data"],
        "trademesh.data.v1.MarketDataService/GetFeed",
    ]);
    assert_ne!(code, Some(0), "a service checks tokens itself");
    assert!(err.contains("Unauthenticated"), "{err}");
    for address in [&platform.addresses["data"], &platform.gateway().replace("http://", "")] {
        let (code, out, err) = call(&["-H", &header, address, "trademesh.data.v1.MarketDataService/GetFeed"]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("\"connected\": true"), "{out}");
    }
}

#[tokio::test]
async fn ccxt_trades_on_the_exchange() {
    let (Some(binary), Some(python)) = (tool("TRADEMESH_BINARY"), tool("TRADEMESH_PYTHON")) else {
        return;
    };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &SYMBOLS);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/ccxt_orders.py");
    let key = folder.path().join("accounts").join("paper-2.json");
    let (code, out, err) = run(Command::new(python).arg(script).arg(platform.exchange()).arg(key));
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(out.ends_with("agreed\n"), "{out}");
}

/// What `ccxt_unified.py` says: each of ccxt's own tests by the name of its method, and what the exchange does not have.
const UNIFIED: [&str; 20] = [
    "passed loadMarkets",
    "passed features",
    "passed afterConstruct",
    "passed fetchTicker",
    "passed fetchTickers",
    "passed fetchLastPrices",
    "passed fetchOHLCV",
    "passed fetchTrades",
    "passed fetchOrderBook",
    "passed fetchL2OrderBook",
    "passed signIn",
    "passed fetchBalance",
    "passed fetchOrders",
    "passed fetchOpenOrders",
    "passed fetchClosedOrders",
    "passed fetchMyTrades",
    "absent fetchStatus",
    "absent fetchCurrencies",
    "absent fetchTradingFees",
    "absent fetchDeposits",
];

#[tokio::test]
async fn ccxts_own_tests_of_the_unified_api_pass() {
    let (Some(binary), Some(python)) = (tool("TRADEMESH_BINARY"), tool("TRADEMESH_PYTHON")) else {
        return;
    };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &SYMBOLS);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/ccxt_unified.py");
    let key = folder.path().join("accounts").join("paper-3.json");
    let (code, out, err) = run(Command::new(python).arg(script).arg(platform.exchange()).arg(key));
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert_eq!(out.lines().collect::<Vec<_>>(), UNIFIED, "{err}");
}

#[tokio::test]
async fn the_openapi_page_is_valid_and_schemathesis_finds_nothing() {
    let (Some(binary), Some(python)) = (tool("TRADEMESH_BINARY"), tool("TRADEMESH_PYTHON")) else {
        return;
    };
    let folder = folder();
    let more = [
        "--set",
        "exchange.symbols=12",
        "--set",
        "gateway.anonymous_requests_per_second=100000",
    ];
    let platform = Platform::up(&binary, folder.path(), &more);
    let page = Rest::new(&platform.gateway()).get("/openapi.json").await;
    assert_eq!(page.status, 200);
    let text = page.body.to_string();
    for (area, service, method, _, expected) in CALLS {
        let (operation, types) = (format!("{service}Service_{method}"), format!("trademesh.{area}."));
        let is_built = expected.is_some();
        assert_eq!(
            text.contains(&operation),
            is_built,
            "{operation} is on the page where it is built"
        );
        assert!(
            is_built || !text.contains(&types),
            "{area} is not built, and its types are on the page"
        );
    }
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, page.body.to_string()).unwrap();
    let (code, out, err) = run(Command::new(&python).args(["-m", "openapi_spec_validator"]).arg(&file));
    assert_eq!(code, Some(0), "{out}{err}");

    let check = |token: String, paths: [&str; 2], examples: &str| {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/schemathesis.toml");
        let (code, out, err) = run_within(
            SCHEMATHESIS,
            Command::new(python.with_file_name("schemathesis"))
                .current_dir(folder.path())
                .arg("--config-file")
                .arg(config)
                .arg("run")
                .arg(format!("{}/openapi.json", platform.gateway()))
                .args(["--header", &format!("Authorization: Bearer {token}")])
                .args(["--phases", "examples,coverage,fuzzing", "--max-examples", examples])
                .args(["--seed", "1", "--workers", "2"])
                .args(paths)
                .args(["--request-timeout", "10", "--no-color"]),
        );
        assert_eq!(code, Some(0), "{out}\n{err}");
    };
    // Streams do not end by themselves. What may end the run's own session, or changes what the venue does, is checked after
    // the rest, each in a session of its own; wrong passwords come last, because they are throttled.
    let apart = [
        "^/v1/exchange/(faults|clients|symbols)",
        "^/v1/users/|^/v1/serviceAccounts/",
        "/auth/logout$",
        "/auth/password$",
    ];
    let others = format!(":stream$|/sessions/[^/]+:open$|{}", apart.join("|"));
    check(token(&platform).await, ["--exclude-path-regex", &others], "15");
    for paths in apart {
        check(token(&platform).await, ["--include-path-regex", paths], "10");
    }
}

async fn token(platform: &Platform) -> String {
    let login = serde_json::json!({"userName": "admin", "password": platform.admin_password()});
    let answer = Rest::new(&platform.gateway()).post("/v1/auth/login", &login).await;
    answer.body["tokens"]["accessToken"].as_str().unwrap().to_owned()
}
