//! What is wrong is refused with its status, a stable reason and a request id, and changes nothing.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh::app::testing::Users;
use mesh::time::Clock;
use mesh_tests::client::Rest;
use mesh_tests::process::{Platform, folder, tool};
use serde_json::{Value, json};

const ORDERS: &str = "/v1/accounts/paper-1/orders";

/// A good order; a case replaces parts of its text.
fn order(id: &str) -> String {
    json!({
        "clientOrderId": id, "symbol": "BTCUSDT", "side": "SIDE_BUY", "type": "ORDER_TYPE_LIMIT",
        "timeInForce": "TIME_IN_FORCE_GTC", "quantity": "0.01", "price": "PRICE",
    })
    .to_string()
}

struct Case {
    name: &'static str,
    method: &'static str,
    path: String,
    body: Option<String>,
    token: Option<String>,
    expected: (u16, &'static str),
}

/// What the cases are made of.
struct Facts {
    /// The best bid of BTCUSDT.
    bid: f64,
    /// A price within the collar that does not trade.
    price: String,
    /// An order of paper-1 that was accepted: its text, and its id.
    good: String,
    id: String,
    /// The admin's token.
    admin: String,
    /// The token of a trader who may trade for paper-2 alone.
    bob: String,
}

/// Everything that must be refused, a row each.
fn cases(facts: &Facts) -> Vec<Case> {
    let (price, good, bob) = (facts.price.as_str(), facts.good.as_str(), facts.bob.as_str());
    let mut tampered = facts.admin.clone();
    tampered.replace_range(tampered.len() - 5..tampered.len() - 1, "AAAA");
    let fresh = order("fresh").replace("PRICE", price);
    // An account begins with 10,000 USDT's worth of BTC, and may order 250,000 USDT's worth at once.
    let beyond_means = format!("\"{:.3}\"", 50_000.0 / facts.bid);
    let own = Some(facts.admin.as_str());
    let others = format!("{ORDERS}/{}", facts.id);
    let post = |name, body: String, expected| Case {
        name,
        method: "POST",
        path: ORDERS.to_owned(),
        body: Some(body),
        token: Some(facts.admin.clone()),
        expected,
    };
    let cancel = |name, order: &str, expected| Case {
        name,
        method: "POST",
        path: format!("{order}:cancel"),
        body: Some("{}".to_owned()),
        token: Some(facts.bob.clone()),
        expected,
    };
    let get = |name, path: &str, as_token: Option<&str>, expected| Case {
        name,
        method: "GET",
        path: path.to_owned(),
        body: None,
        token: as_token.map(str::to_owned),
        expected,
    };
    vec![
        post("malformed JSON", "{".to_owned(), (400, "MALFORMED_JSON")),
        post("not an object", "[]".to_owned(), (400, "INVALID_FIELD")),
        post(
            "unknown field",
            fresh.replace("\"price\"", "\"prize\""),
            (400, "UNKNOWN_FIELD"),
        ),
        post("wrong type", fresh.replace("\"0.01\"", "{}"), (400, "INVALID_FIELD")),
        post(
            "1e400 as a number",
            fresh.replace("\"0.01\"", "1e400"),
            (400, "MALFORMED_JSON"),
        ),
        post(
            "1e400 as text",
            fresh.replace("\"0.01\"", "\"1e400\""),
            (400, "INVALID_FIELD"),
        ),
        post(
            "excess decimals",
            fresh.replace("\"0.01\"", "\"0.0123456789012345678901\""),
            (400, "INVALID_FIELD"),
        ),
        post(
            "a negative quantity",
            fresh.replace("\"0.01\"", "\"-1\""),
            (400, "INVALID_FIELD"),
        ),
        post(
            "a quantity of zero",
            fresh.replace("\"0.01\"", "\"0\""),
            (400, "INVALID_FIELD"),
        ),
        post(
            "a quantity off its lot",
            fresh.replace("\"0.01\"", "\"0.010000001\""),
            (422, "QUANTITY_OFF_LOT"),
        ),
        post(
            "more than the account has",
            fresh
                .replace("SIDE_BUY", "SIDE_SELL")
                .replace("\"0.01\"", &beyond_means),
            (422, "BUYING_POWER"),
        ),
        post(
            "price off tick",
            fresh.replace(price, &format!("{price}1")),
            (422, "PRICE_OFF_TICK"),
        ),
        post(
            "unknown symbol",
            fresh.replace("BTCUSDT", "NOSUCH"),
            (422, "UNKNOWN_SYMBOL"),
        ),
        post(
            "unknown enum name",
            fresh.replace("SIDE_BUY", "SIDE_UP"),
            (400, "UNKNOWN_ENUM_VALUE"),
        ),
        post(
            "unknown enum number",
            fresh.replace("\"SIDE_BUY\"", "7"),
            (400, "INVALID_FIELD"),
        ),
        post(
            "no side",
            fresh.replace("SIDE_BUY", "SIDE_UNSPECIFIED"),
            (400, "INVALID_FIELD"),
        ),
        post(
            "far from the market",
            fresh.replace(price, &format!("{:.2}", facts.bid * 1.2)),
            (422, "PRICE_COLLAR"),
        ),
        post(
            "a notional over the limit",
            fresh.replace("0.01", "500"),
            (422, "MAX_ORDER_NOTIONAL"),
        ),
        post(
            "another body under a used id",
            good.replace("0.01", "0.02"),
            (409, "IDEMPOTENCY_CONFLICT"),
        ),
        post(
            "a body over the limit",
            format!("{{\"price\":\"{}\"}}", "1".repeat(2 << 20)),
            (413, "BODY_TOO_LARGE"),
        ),
        post(
            "an id that is not one",
            fresh.replace("\"fresh\"", "\"no spaces\""),
            (400, "INVALID_FIELD"),
        ),
        get("no token", ORDERS, None, (401, "UNAUTHENTICATED")),
        get("a wrong token", ORDERS, Some("nonsense"), (401, "TOKEN_MALFORMED")),
        get("a tampered token", ORDERS, Some(&tampered), (401, "TOKEN_INVALID")),
        get(
            "a token that a stranger signed",
            ORDERS,
            Some(&signed_by_a_stranger()),
            (401, "TOKEN_KEY_UNKNOWN"),
        ),
        get("another account", ORDERS, Some(bob), (403, "ACCOUNT_NOT_GRANTED")),
        get(
            "another account's order",
            &others.replace("paper-1", "paper-2"),
            Some(bob),
            (404, "ORDER_NOT_FOUND"),
        ),
        cancel(
            "a cancel of another account's order",
            &others,
            (403, "ACCOUNT_NOT_GRANTED"),
        ),
        cancel(
            "a cancel of another account's order as one's own",
            &others.replace("paper-1", "paper-2"),
            (404, "ORDER_NOT_FOUND"),
        ),
        get(
            "a missing permission",
            "/v1/users",
            Some(bob),
            (403, "PERMISSION_DENIED"),
        ),
        get(
            "page size 1e9",
            &format!("{ORDERS}?pageSize=1000000000"),
            own,
            (400, "PAGE_SIZE_TOO_LARGE"),
        ),
        get(
            "page size beyond an integer",
            &format!("{ORDERS}?pageSize=1e400"),
            own,
            (400, "INVALID_PARAMETER"),
        ),
        get(
            "a page token of nobody",
            &format!("{ORDERS}?pageToken=!"),
            own,
            (400, "PAGE_TOKEN_INVALID"),
        ),
        get(
            "an unknown parameter",
            &format!("{ORDERS}?size=1"),
            own,
            (400, "UNKNOWN_PARAMETER"),
        ),
        get(
            "no such order",
            &format!("{ORDERS}/nothing"),
            own,
            (404, "ORDER_NOT_FOUND"),
        ),
        get("no such route", "/v1/nothing", own, (404, "ROUTE_NOT_FOUND")),
        Case {
            method: "DELETE",
            ..get("no such method", ORDERS, own, (405, "METHOD_NOT_ALLOWED"))
        },
    ]
}

/// As good as any token, but for the key.
fn signed_by_a_stranger() -> String {
    Users::seeded(7).token(&Clock::system(), "admin", &["admin", "trader"], &["paper-1"])
}

/// Everything that could have changed: the orders of both accounts, the users, and what the exchange has of every account.
async fn everything(admin: &Rest) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        ORDERS,
        "/v1/accounts/paper-2/orders",
        "/v1/users",
        "/v1/exchange/accounts?pageSize=1000",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        all.push(answer.body);
    }
    all
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let Some(binary) = tool("TRADEMESH_BINARY") else { return };
    let folder = folder();
    let platform = Platform::up(&binary, folder.path(), &["--set", "exchange.symbols=12"]);
    let nobody = Rest::new(&platform.gateway());
    let token = login(&nobody, "admin", &platform.admin_password()).await;
    let admin = nobody.with_token(&token);
    let bid: f64 = mesh_tests::market::known(&admin, "paper-1", "BTCUSDT")
        .await
        .try_into()
        .unwrap();
    let price = format!("{:.2}", bid * 0.98);
    let good = order("good").replace("PRICE", &price);

    let access = |accounts: &[&str]| json!({"roles": ["trader"], "accounts": accounts});
    let user = json!({"userName": "bob", "password": "correct horse battery", "access": access(&["paper-2"])});
    assert_eq!(admin.post("/v1/users", &user).await.status, 200);
    let bob = login(&nobody, "bob", "correct horse battery").await;
    let accepted = admin.send("POST", ORDERS, Some(good.clone())).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    let id = accepted.body["order"]["orderId"].as_str().unwrap().to_owned();
    // At rest, so that nothing of it changes by itself.
    admin
        .get_until(&format!("{ORDERS}/{id}"), |body| {
            body["order"]["status"] == "ORDER_STATUS_OPEN"
        })
        .await;
    let before = everything(&admin).await;
    let facts = Facts {
        bid,
        price,
        good,
        id,
        admin: token,
        bob,
    };
    let mut wrong = Vec::new();
    for (number, case) in cases(&facts).into_iter().enumerate() {
        let body = case
            .body
            .map(|body| body.replace("\"fresh\"", &format!("\"fresh-{number}\"")));
        let client = case
            .token
            .as_ref()
            .map_or_else(|| nobody.clone(), |token| nobody.with_token(token));
        let answer = client.send(case.method, &case.path, body).await;
        if (answer.status, answer.reason()) != (case.expected.0, case.expected.1) {
            wrong.push(format!(
                "{}: {} {} instead of {:?}",
                case.name, answer.status, answer.body, case.expected
            ));
        }
        let request_id = answer
            .headers
            .get("x-request-id")
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default();
        let carries_id = answer.body["error"]["details"].as_array().is_some_and(|details| {
            details
                .iter()
                .any(|detail| detail["requestId"].as_str() == Some(request_id))
        });
        if request_id.is_empty() || !carries_id {
            wrong.push(format!(
                "{}: no request id in header and body: {}",
                case.name, answer.body
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(everything(&admin).await, before, "something has changed");
}

async fn login(nobody: &Rest, user: &str, password: &str) -> String {
    let login = json!({"userName": user, "password": password});
    nobody.post("/v1/auth/login", &login).await.body["tokens"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned()
}
