//! Stops, order lists, self-trade prevention, fees and replaced orders over real sockets.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{Socket, TestVenue, atoms, config, hmac};
use http::Method;
use serde_json::{Value, json};

const ORDER: &str = "/api/v3/order";

struct Desk {
    venue: TestVenue,
    /// The best bid in whole dollars.
    bid: i64,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn open(symbols: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = exchange::Config { symbols, ..config() };
        let venue = TestVenue::start(config, folder.path()).await;
        let (bid, _) = venue.best("BTCUSDT").await;
        let bid = bid.split('.').next().unwrap().parse().unwrap();
        Self {
            venue,
            bid,
            _folder: folder,
        }
    }

    async fn post(&self, path: &str, query: &str) -> common::Reply {
        self.venue
            .signed(Method::POST, path, "alice", &format!("symbol=BTCUSDT&{query}"))
            .await
    }

    async fn get(&self, path: &str, query: &str) -> Value {
        self.venue.signed(Method::GET, path, "alice", query).await.ok()
    }

    async fn order(&self, id: &Value) -> Value {
        self.get(ORDER, &format!("symbol=BTCUSDT&orderId={id}")).await
    }

    async fn listen(&self) -> Socket {
        let mut socket = self.venue.socket("/ws-api/v3").await;
        let time = self.venue.millis();
        let signature = hmac(&format!("apiKey=key-alice&timestamp={time}"));
        let params = json!({"apiKey": "key-alice", "timestamp": time, "signature": signature});
        let asked = json!({"id": 1, "method": "userDataStream.subscribe.signature", "params": params});
        assert_eq!(socket.ask(asked).await["status"], 200);
        socket
    }
}

/// The next event of a kind.
async fn event(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let event = socket.next().await["event"].take();
        if event["e"] == kind {
            return event;
        }
    }
}

#[tokio::test]
async fn waiting_orders_are_shown_as_they_are() {
    let desk = Desk::open(3).await;
    let mut socket = desk.listen().await;
    let (stop, price) = (desk.bid * 9 / 10, desk.bid * 8 / 10);
    let query = format!("side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.01&stopPrice={stop}&price={price}");
    let acknowledged = desk.post(ORDER, &query).await.ok();
    assert_eq!(
        (acknowledged.get("status"), &acknowledged["orderListId"]),
        (None, &json!(-1))
    );
    let order = desk.order(&acknowledged["orderId"]).await;
    assert_eq!(
        (
            &order["status"],
            &order["isWorking"],
            &order["workingTime"],
            &order["type"]
        ),
        (&json!("NEW"), &json!(false), &json!(-1), &json!("STOP_LOSS_LIMIT"))
    );
    assert_eq!(atoms(&order["stopPrice"]), i128::from(stop) * 100_000_000);
    let report = event(&mut socket, "executionReport").await;
    assert_eq!(
        (&report["x"], &report["w"], report.get("W")),
        (&json!("NEW"), &json!(false), None)
    );

    let trails = desk
        .post(
            ORDER,
            "side=SELL&type=TAKE_PROFIT&quantity=0.01&trailingDelta=500&newOrderRespType=RESULT",
        )
        .await
        .ok();
    assert_eq!(
        (&trails["trailingDelta"], &trails["workingTime"]),
        (&json!(500), &json!(-1))
    );
    assert!(trails["trailingTime"].as_i64() > Some(0));
    let report = event(&mut socket, "executionReport").await;
    assert_eq!((&report["d"], &report["D"]), (&json!(500), &trails["trailingTime"]));
    let stop = desk.bid * 11 / 10;
    let later =
        format!("side=SELL&type=TAKE_PROFIT&quantity=0.01&trailingDelta=500&stopPrice={stop}&newOrderRespType=FULL");
    let later = desk.post(ORDER, &later).await.ok();
    assert_eq!(
        (&later["trailingTime"], later.get("stopPrice").is_some()),
        (&json!(-1), true)
    );

    let hidden =
        format!("side=BUY&type=LIMIT_MAKER&quantity=0.01&price={price}&icebergQty=0.004&newOrderRespType=RESULT");
    let hidden = desk.post(ORDER, &hidden).await.ok();
    assert_eq!(
        (&hidden["icebergQty"], &hidden["status"]),
        (&json!("0.00400000"), &json!("NEW"))
    );
    let depth = desk.venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.ok();
    let level = depth["bids"]
        .as_array()
        .unwrap()
        .iter()
        .find(|level| atoms(&level[0]) == i128::from(price) * 100_000_000);
    assert_eq!(level.unwrap()[1], "0.00400000");
    let ended = desk
        .venue
        .signed(Method::DELETE, "/api/v3/openOrders", "alice", "symbol=BTCUSDT")
        .await
        .ok();
    assert_eq!(ended.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn lists_are_placed_told_of_asked_for_and_cancelled() {
    let desk = Desk::open(3).await;
    let mut socket = desk.listen().await;
    let (far, near, low) = (desk.bid * 12 / 10, desk.bid * 9 / 10, desk.bid * 8 / 10);
    let oco = format!(
        "side=SELL&quantity=0.01&listClientOrderId=pair&aboveType=LIMIT_MAKER&abovePrice={far}&belowType=STOP_LOSS_LIMIT\
         &belowStopPrice={near}&belowPrice={low}&belowTimeInForce=GTC&belowClientOrderId=low&belowIcebergQty=0.005"
    );
    let placed = desk.post("/api/v3/orderList/oco", &oco).await;
    assert!(placed.headers.contains_key("x-mbx-order-count-10s"));
    let placed = placed.ok();
    assert_eq!(
        (
            &placed["contingencyType"],
            &placed["listStatusType"],
            &placed["listOrderStatus"]
        ),
        (&json!("OCO"), &json!("EXEC_STARTED"), &json!("EXECUTING"))
    );
    assert_eq!(
        (&placed["listClientOrderId"], &placed["orders"][0]["clientOrderId"]),
        (&json!("pair"), &json!("low"))
    );
    let reports = placed["orderReports"].as_array().unwrap();
    assert_eq!(
        (&reports[0]["type"], &reports[1]["type"]),
        (&json!("STOP_LOSS_LIMIT"), &json!("LIMIT_MAKER"))
    );
    assert_eq!(
        (&reports[0]["orderListId"], &reports[0]["icebergQty"]),
        (&placed["orderListId"], &json!("0.00500000"))
    );
    let told = event(&mut socket, "listStatus").await;
    assert_eq!(
        (&told["g"], &told["l"], &told["L"]),
        (&placed["orderListId"], &json!("EXEC_STARTED"), &json!("EXECUTING"))
    );
    assert_eq!(
        (&told["O"][0]["c"], &event(&mut socket, "executionReport").await["g"]),
        (&json!("low"), &placed["orderListId"])
    );

    let id = &placed["orderListId"];
    let asked = desk.get("/api/v3/orderList", &format!("orderListId={id}")).await;
    assert_eq!((&asked["orders"], asked.get("orderReports")), (&placed["orders"], None));
    assert_eq!(desk.get("/api/v3/orderList", "origClientOrderId=pair").await, asked);
    assert_eq!(desk.get("/api/v3/openOrderList", "").await, json!([asked]));
    assert_eq!(
        desk.get("/api/v3/openOrders", "symbol=BTCUSDT")
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let ended = desk
        .venue
        .signed(
            Method::DELETE,
            "/api/v3/orderList",
            "alice",
            "symbol=BTCUSDT&listClientOrderId=pair",
        )
        .await
        .ok();
    assert_eq!(
        (&ended["listStatusType"], &ended["orderReports"][1]["status"]),
        (&json!("ALL_DONE"), &json!("CANCELED"))
    );
    assert_eq!(event(&mut socket, "listStatus").await["l"], "ALL_DONE");
    assert_eq!(desk.get("/api/v3/openOrderList", "").await, json!([]));

    // a bid that fills at once brings its pair to life
    let otoco = format!(
        "workingType=LIMIT&workingSide=BUY&workingPrice={far}&workingQuantity=0.01&workingTimeInForce=IOC&pendingSide=SELL\
         &pendingQuantity=0.009&pendingAboveType=LIMIT_MAKER&pendingAbovePrice={}&pendingBelowType=STOP_LOSS&pendingBelowStopPrice={low}",
        desk.bid * 15 / 10
    );
    let placed = desk.post("/api/v3/orderList/otoco", &otoco).await.ok();
    let statuses: Vec<&Value> = placed["orderReports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|report| &report["status"])
        .collect();
    assert_eq!(statuses, ["FILLED", "NEW", "NEW"]);
    assert_eq!(placed["contingencyType"], "OTO");

    // one that rests keeps it waiting; the cancel of all open orders ends lists too
    let oto = format!(
        "workingType=LIMIT_MAKER&workingSide=BUY&workingPrice={low}&workingQuantity=0.01&pendingType=MARKET&pendingSide=SELL\
         &pendingQuantity=0.01&newOrderRespType=ACK"
    );
    let placed = desk.post("/api/v3/orderList/oto", &oto).await.ok();
    assert_eq!(placed["orderReports"][0].get("status"), None);
    assert_eq!(
        desk.order(&placed["orders"][1]["orderId"]).await["status"],
        "PENDING_NEW"
    );
    let alone = format!("side=BUY&type=LIMIT_MAKER&quantity=0.01&price={low}");
    desk.post(ORDER, &alone).await.ok();
    let ended = desk
        .venue
        .signed(Method::DELETE, "/api/v3/openOrders", "alice", "symbol=BTCUSDT")
        .await
        .ok();
    let lists: Vec<bool> = ended
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry.get("orderReports").is_some())
        .collect();
    assert_eq!(lists, [false, true, true]);
    assert_eq!(desk.get("/api/v3/openOrders", "").await, json!([]));

    // the older form of a pair, in each of its shapes
    let shapes = [
        format!("side=SELL&quantity=0.01&price={far}&stopPrice={near}"),
        format!("side=SELL&quantity=0.01&price={far}&stopPrice={near}&stopLimitPrice={low}&stopLimitTimeInForce=FOK"),
        format!("side=BUY&quantity=0.01&price={near}&trailingDelta=300&limitIcebergQty=0.005"),
        format!("side=BUY&quantity=0.01&price={near}&stopPrice={far}&stopLimitPrice={far}&stopLimitTimeInForce=IOC"),
        format!(
            "side=BUY&quantity=0.01&price={near}&stopPrice={far}&stopLimitPrice={far}&stopLimitTimeInForce=GTC&stopIcebergQty=0.005"
        ),
    ];
    for shape in &shapes {
        assert_eq!(
            desk.post("/api/v3/order/oco", shape).await.ok()["contingencyType"],
            "OCO",
            "{shape}"
        );
    }
    let all = desk.get("/api/v3/allOrderList", "").await;
    assert_eq!(all.as_array().unwrap().len(), 3 + shapes.len());
    let later = desk
        .get(
            "/api/v3/allOrderList",
            &format!("fromId={}&limit=2", all[4]["orderListId"]),
        )
        .await;
    assert_eq!((later.as_array().unwrap().len(), &later[0]), (2, &all[4]));
    assert_eq!(
        desk.get("/api/v3/allOrderList", "startTime=1&endTime=2").await,
        json!([])
    );

    let open = desk
        .venue
        .signed(Method::DELETE, "/api/v3/openOrders", "alice", "symbol=BTCUSDT");
    assert_eq!(open.await.ok().as_array().unwrap().len(), shapes.len());
    let refusals = [
        ("order/oco", format!("side=SELL&quantity=0.01&price={far}"), -1102),
        (
            "order/oco",
            format!("side=SELL&quantity=0.01&price={far}&stopPrice={near}&stopLimitPrice={low}&stopLimitTimeInForce=X"),
            -1115,
        ),
        (
            "order/oco",
            format!("side=SELL&quantity=0.01&price={low}&stopPrice={near}"),
            -2010,
        ),
        ("orderList/oto", oto.replace("LIMIT_MAKER", "MARKET"), -1116),
        ("orderList/oto", oto.replace("&pendingQuantity=0.01", ""), -1102),
        (
            "orderList/oto",
            format!("{}&quoteOrderQty=100", oto.replace("&pendingQuantity=0.01", "")),
            -1106,
        ),
        ("orderList/oco", oco.replace("LIMIT_MAKER", "LIMIT"), -1158),
        (
            "orderList/oco",
            oco.replace("belowTimeInForce=GTC", "belowTimeInForce=IOC"),
            -1160,
        ),
        ("orderList/oco", oco.replace("SELL", "HOLD"), -1117),
        (
            "orderList/oco",
            oco.replace("newOrderRespType", "x") + "&newOrderRespType=ALL",
            -1130,
        ),
    ];
    for (path, query, code) in refusals {
        let reply = desk.post(&format!("/api/v3/{path}"), &query).await;
        assert_eq!(reply.code(), (400, code), "{path} {query}: {:?}", reply.body);
    }
}

#[tokio::test]
async fn an_account_does_not_trade_with_itself_when_it_says_so() {
    let desk = Desk::open(3).await;
    let mut socket = desk.listen().await;
    let (_, ask) = desk.venue.best("BTCUSDT").await;
    let price = exchange::core::units::show(exchange::core::units::parse(&ask).unwrap() - 1_000_000);
    let rests = desk
        .post(
            ORDER,
            &format!("side=SELL&type=LIMIT_MAKER&quantity=0.002&price={price}"),
        )
        .await
        .ok();
    let taking =
        format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={price}&selfTradePreventionMode=DECREMENT");
    let taken = desk.post(ORDER, &taking).await.ok();
    assert_eq!(
        (&taken["status"], &taken["preventedQuantity"]),
        (&json!("EXPIRED_IN_MATCH"), &json!("0.00100000"))
    );
    let prevented = &taken["preventedMatches"][0];
    assert_eq!(
        (&prevented["makerOrderId"], &prevented["makerPreventedQuantity"]),
        (&rests["orderId"], &json!("0.00100000"))
    );
    let query = format!("symbol=BTCUSDT&preventedMatchId={}", prevented["preventedMatchId"]);
    let one = desk.get("/api/v3/myPreventedMatches", &query).await;
    let query = format!("symbol=BTCUSDT&orderId={}&fromPreventedMatchId=1", rests["orderId"]);
    assert_eq!(desk.get("/api/v3/myPreventedMatches", &query).await, one);
    assert_eq!(
        (
            &one[0]["selfTradePreventionMode"],
            &one[0]["tradeGroupId"],
            &one[0]["takerOrderId"]
        ),
        (&json!("DECREMENT"), &json!(-1), &taken["orderId"])
    );
    let report = loop {
        let report = event(&mut socket, "executionReport").await;
        if report["x"] == "TRADE_PREVENTION" {
            break report;
        }
    };
    assert_eq!(
        (&report["i"], &report["X"], &report["A"], &report["B"], &report["U"]),
        (
            &rests["orderId"],
            &json!("NEW"),
            &json!("0.00100000"),
            &json!("0.00100000"),
            &taken["orderId"]
        )
    );
    let report = event(&mut socket, "executionReport").await;
    assert_eq!(
        (&report["i"], &report["X"], &report["v"]),
        (
            &taken["orderId"],
            &json!("EXPIRED_IN_MATCH"),
            &one[0]["preventedMatchId"]
        )
    );
    for (mode, status) in [("EXPIRE_TAKER", "NEW"), ("EXPIRE_MAKER", "EXPIRED_IN_MATCH")] {
        desk.post(ORDER, &taking.replace("DECREMENT", mode).replace("GTC", "IOC"))
            .await
            .ok();
        assert_eq!(desk.order(&rests["orderId"]).await["status"], status);
    }
    let info = desk.venue.get("/api/v3/exchangeInfo", "symbol=BTCUSDT").await.ok();
    let symbol = &info["symbols"][0];
    assert_eq!(
        (
            &symbol["defaultSelfTradePreventionMode"],
            symbol["allowedSelfTradePreventionModes"].as_array().unwrap().len()
        ),
        (&json!("NONE"), 5)
    );
    let filters: Vec<&str> = symbol["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| filter["filterType"].as_str().unwrap())
        .collect();
    for name in [
        "ICEBERG_PARTS",
        "TRAILING_DELTA",
        "MAX_NUM_ALGO_ORDERS",
        "MAX_NUM_ORDER_LISTS",
        "MAX_POSITION",
    ] {
        assert!(filters.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn orders_give_way_and_shrink() {
    let desk = Desk::open(3).await;
    let mut socket = desk.listen().await;
    let low = desk.bid * 8 / 10;
    let rests = format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={low}");
    let old = desk.post(ORDER, &rests).await.ok();
    let replace = "/api/v3/order/cancelReplace";
    let asked = format!(
        "{rests}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={}&cancelNewClientOrderId=gone",
        old["orderId"]
    );
    let done = desk.post(replace, &asked).await.ok();
    assert_eq!(
        (&done["cancelResult"], &done["newOrderResult"]),
        (&json!("SUCCESS"), &json!("SUCCESS"))
    );
    assert_eq!(
        (
            &done["cancelResponse"]["clientOrderId"],
            &done["newOrderResponse"]["status"]
        ),
        (&json!("gone"), &json!("NEW"))
    );
    let failed = desk.post(replace, &asked).await;
    assert_eq!(
        (failed.code(), &failed.body["data"]["newOrderResult"]),
        ((400, -2022), &json!("NOT_ATTEMPTED"))
    );
    assert_eq!(failed.body["data"]["cancelResponse"]["code"], -2011);
    let half = desk
        .post(replace, &asked.replace("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        .await;
    assert_eq!(
        (half.code(), &half.body["data"]["newOrderResult"]),
        ((409, -2021), &json!("SUCCESS"))
    );
    for (query, code) in [
        (asked.replace("STOP_ON_FAILURE", "MAYBE"), -1130),
        (asked.clone() + "&cancelRestrictions=NEVER", -1145),
        (asked.replace("0.01", "0.0000001"), -1013),
    ] {
        assert_eq!(desk.post(replace, &query).await.code(), (400, code), "{query}");
    }

    let id = done["newOrderResponse"]["orderId"].clone();
    let amended = desk
        .venue
        .signed(
            Method::PUT,
            "/api/v3/order/amend/keepPriority",
            "alice",
            &format!("symbol=BTCUSDT&orderId={id}&newQty=0.004"),
        )
        .await
        .ok();
    let order = &amended["amendedOrder"];
    assert_eq!(
        (&order["qty"], &order["status"], &order["orderId"]),
        (&json!("0.00400000"), &json!("NEW"), &id)
    );
    let report = loop {
        let report = event(&mut socket, "executionReport").await;
        if report["x"] == "REPLACED" {
            break report;
        }
    };
    assert_eq!(
        (&report["c"], &report["C"], &report["q"]),
        (&order["clientOrderId"], &order["origClientOrderId"], &order["qty"])
    );
    let amendments = desk
        .get(
            "/api/v3/order/amendments",
            &format!("symbol=BTCUSDT&orderId={id}&fromExecutionId=1"),
        )
        .await;
    assert_eq!(
        (&amendments[0]["origQty"], &amendments[0]["newQty"]),
        (&json!("0.01000000"), &json!("0.00400000"))
    );
    for (restriction, code) in [("ONLY_PARTIALLY_FILLED", -2011), ("ONLY_NEW", 0)] {
        let query = format!("symbol=BTCUSDT&orderId={id}&cancelRestrictions={restriction}");
        assert_eq!(
            desk.venue.signed(Method::DELETE, ORDER, "alice", &query).await.code().1,
            code
        );
    }
}

#[tokio::test]
async fn commissions_are_told_and_may_be_paid_in_the_fee_asset() {
    let desk = Desk::open(4).await;
    let commission = |enabled: bool| {
        let desk = &desk;
        async move {
            let told = desk.get("/api/v3/account/commission", "symbol=BTCUSDT").await;
            assert_eq!(
                (&told["standardCommission"]["taker"], &told["taxCommission"]["maker"]),
                (&json!("0.00100000"), &json!("0.00000000"))
            );
            assert_eq!(
                told["discount"],
                json!({"enabledForAccount": enabled, "enabledForSymbol": true, "discountAsset": "BNB", "discount": "0.75000000"})
            );
        }
    };
    commission(false).await;
    let burn = "/sapi/v1/bnbBurn";
    let set = desk
        .venue
        .signed(Method::POST, burn, "alice", "spotBNBBurn=true")
        .await
        .ok();
    assert_eq!(
        (&set["spotBNBBurn"], desk.get(burn, "").await),
        (&json!(true), set.clone())
    );
    commission(true).await;
    let bought = desk.post(ORDER, "side=BUY&type=MARKET&quantity=0.001").await.ok();
    assert_eq!(bought["fills"][0]["commissionAsset"], "BNB");
    let trades = desk.get("/api/v3/myTrades", "symbol=BTCUSDT").await;
    assert_eq!(trades[0]["commissionAsset"], "BNB");
    let query = "side=BUY&type=MARKET&quantity=0.001&computeCommissionRates=true";
    let computed = desk.post("/api/v3/order/test", query).await.ok();
    assert_eq!(
        (
            &computed["standardCommissionForOrder"]["maker"],
            &computed["discount"]["enabledForAccount"]
        ),
        (&json!("0.00100000"), &json!(true))
    );
    let refused = desk.post("/api/v3/order/test", &query.replace("true", "maybe")).await;
    assert_eq!(refused.code(), (400, -1100));
    for path in ["/sapi/v1/nothing", "/api/v3/orderList/opo", "/api/v2/order"] {
        desk.venue.get(path, "").await.is_of_no_route();
    }
}
