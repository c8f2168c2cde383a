//! Every client command, against the whole platform.

use crate::support::Person;
use mesh::pb::trading::OrderStatus;

/// A price below the market at which an order rests.
async fn resting_price(person: &Person) -> String {
    let bid: f64 = person.known("BTCUSDT").await.bid.unwrap().price.parse().unwrap();
    format!("{:.0}", bid * 0.97)
}

#[tokio::test]
async fn an_order_is_submitted_shown_and_cancelled() {
    let admin = Person::admin().await;
    let price = resting_price(&admin).await;
    // The same terms again within a short time would be refused.
    let rest = |quantity| ["order", "buy", "BTCUSDT", quantity, "--limit", &price, "--post-only"];
    admin.call(&rest("0.01")).await.unwrap();
    admin.call(&[&rest("0.011")[..], &["--json"]].concat()).await.unwrap();
    let open = admin.orders("paper-1", true).await;
    assert_eq!(open.len(), 2, "{open:?}");
    let first = open[0].order_id.as_str();
    admin.both(&["order", "show", first]).await.unwrap();
    admin.call(&["order", "cancel", first]).await.unwrap();
    admin
        .call(&["order", "cancel-all", "--symbol", "BTCUSDT"])
        .await
        .unwrap();
    admin.call(&["order", "cancel-all", "--json"]).await.unwrap();
    let gone = async {
        while !admin.orders("paper-1", true).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, gone).await.unwrap();
    admin
        .both(&["orders", "--symbol", "BTCUSDT", "--limit", "1"])
        .await
        .unwrap();
    admin.both(&["orders", "--open"]).await.unwrap();
    assert_eq!(admin.refusal(&["order", "show", "0-999999"]).await.0, 1);
}

#[tokio::test]
async fn an_order_trades_once_under_its_id_and_shows_in_the_position() {
    let admin = Person::admin().await;
    admin.known("BTCUSDT").await;
    let buy = [
        "order",
        "buy",
        "BTCUSDT",
        "0.01",
        "-a",
        "paper-2",
        "--client-order-id",
        "cli-1",
    ];
    admin.both(&buy).await.unwrap();
    let same = |orders: Vec<mesh::pb::trading::Order>| {
        orders
            .into_iter()
            .filter(|order| order.client_order_id == "cli-1")
            .collect::<Vec<_>>()
    };
    let filled = async {
        loop {
            let orders = same(admin.orders("paper-2", false).await);
            assert_eq!(orders.len(), 1);
            if orders[0].status() == OrderStatus::Filled {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, filled).await.unwrap();
    for time_in_force in ["ioc", "fok", "gtc"] {
        let price = resting_price(&admin).await;
        let sell = [
            "order",
            "sell",
            "BTCUSDT",
            "0.002",
            "-a",
            "paper-2",
            "-l",
            &price,
            "--time-in-force",
            time_in_force,
        ];
        admin.call(&sell).await.unwrap();
    }
    admin
        .call(&["watch", "portfolio", "-a", "paper-2", "--count", "1"])
        .await
        .unwrap();
    admin.both(&["positions", "-a", "paper-2"]).await.unwrap();
    assert_eq!(admin.refusal(&["positions", "-a", "nobody"]).await.0, 1);
}

#[tokio::test]
async fn what_the_platform_refuses_has_a_code() {
    let admin = Person::admin().await;
    admin.known("BTCUSDT").await;
    let table: [(&[&str], u8); 4] = [
        (&["order", "buy", "NOPEUSDT", "1"], 1),
        (&["order", "buy", "BTCUSDT", "much"], 2),
        (&["order", "buy", "BTCUSDT", "900"], 1),
        (&["order", "cancel", "0-999999"], 1),
    ];
    for (typed, code) in table {
        let (found, reason) = admin.refusal(typed).await;
        assert_eq!(found, code, "{typed:?}: {reason}");
        assert!(!reason.is_empty(), "{typed:?}");
    }
}

#[tokio::test]
async fn halts_are_set_listed_and_lifted() {
    let admin = Person::admin().await;
    // A venue that nobody here trades on: the other tests go on.
    let halt = ["halt", "--venue", "elsewhere", "--reason", "drill"];
    admin.both(&halt).await.unwrap();
    admin.call(&[&halt[..], &["--cancel-orders"]].concat()).await.unwrap();
    admin.both(&["halts"]).await.unwrap();
    admin.both(&["resume", "--venue", "elsewhere"]).await.unwrap();
    admin.both(&["alerts"]).await.unwrap();
    let nobody = ["halt", "--account", "nobody", "--reason", "drill"];
    assert_eq!(admin.refusal(&nobody).await.0, 1);
    assert_eq!(admin.refusal(&["halt", "--reason", ""]).await.0, 2);
}

#[tokio::test]
async fn quotes_are_shown_and_followed() {
    let admin = Person::admin().await;
    admin.known("BTCUSDT").await;
    admin.both(&["quote"]).await.unwrap();
    admin.both(&["quote", "BTCUSDT"]).await.unwrap();
    admin
        .both(&["watch", "quotes", "BTCUSDT", "--count", "2"])
        .await
        .unwrap();
    admin.call(&["watch", "quotes", "--count", "0"]).await.unwrap();
}

#[tokio::test]
async fn orders_are_followed() {
    let admin = Person::admin().await;
    let price = resting_price(&admin).await;
    for (format, first) in [(&[][..], 1), (&["--json"], 500)] {
        let mut typed = vec!["watch", "orders", "-a", "paper-3", "--count", "1"];
        typed.extend(format);
        tokio::select! {
            watched = admin.call(&typed) => watched.unwrap(),
            () = order_and_cancel(&admin, &price, first) => {}
        }
    }
}

/// Each order has terms of its own: the same again would be refused.
async fn order_and_cancel(admin: &Person, price: &str, first: u32) {
    for thousandths in first.. {
        let quantity = format!("0.{thousandths:03}");
        let rest = ["order", "buy", "BTCUSDT", &quantity, "-a", "paper-3", "--limit", price];
        admin.call(&rest).await.unwrap();
        admin.call(&["order", "cancel-all", "-a", "paper-3"]).await.unwrap();
    }
}

#[tokio::test]
async fn every_service_is_shown_with_its_health() {
    let admin = Person::admin().await;
    let serving = async {
        while let Err(error) = admin.call(&["status"]).await {
            assert_eq!(error.reason(), "SERVICES_UNWELL");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, serving).await.unwrap();
    admin.call(&["status", "--json"]).await.unwrap();
}

#[tokio::test]
async fn a_load_is_measured_on_paper_and_leaves_nothing_behind() {
    let admin = Person::admin().await;
    admin.known("BTCUSDT").await;
    let load = [
        "bench",
        "orders",
        "--rate",
        "30",
        "--duration",
        "2s",
        "--account",
        "paper-3",
    ];
    admin.both(&load).await.unwrap();
    admin.call(&[&load[..], &["--grpc"]].concat()).await.unwrap();
    let ours = |orders: Vec<mesh::pb::trading::Order>| {
        let ours = orders
            .iter()
            .filter(|order| order.client_order_id.starts_with("bench-"));
        ours.count()
    };
    assert!(ours(admin.orders("paper-3", false).await) > 0);
    let gone = async {
        while ours(admin.orders("paper-3", true).await) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, gone).await.unwrap();
    let elsewhere = ["bench", "orders", "--account", "live-1"];
    assert_eq!(admin.refusal(&elsewhere).await, (1, "NO_ACCOUNTS".to_owned()));
}
