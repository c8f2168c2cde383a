//! What an account sees, as JSON: `answers.json` states it, row by row.

use super::order::ResponseType::{Ack, Full, Result};
use super::{account, amendment, events, fill, lists, order};
use crate::core::contingent::PlacedList;
use crate::core::effects::{Execution, UserEvent, UserEventKind};
use crate::core::ledger::{Account, Balance};
use crate::core::order::{
    Amendment, Fill, Order, OrderType, PreventedMatch, SelfTradePrevention, Side, Stage, Status, TimeInForce,
};
use crate::core::order_list::{Contingency, OrderList};
use crate::core::units::{Decimal, ONE};
use crate::core::venue::Placed;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is stated, or seen, by the name of the row.
type Rows = BTreeMap<String, Value>;

/// 2026-01-01T00:00:00.123456Z, µs.
const START: i64 = 1_767_225_600_123_456;

const SECOND: i64 = 1_000_000;

fn limit() -> Order {
    Order {
        id: 4_711,
        account: "alice".into(),
        symbol: "BTCUSDT".into(),
        client_id: "mine-\"1\"".into(),
        side: Side::Buy,
        kind: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        price: 60_000 * ONE + 1_000_000,
        quantity: ONE / 2,
        quote_quantity: 0,
        executed: 0,
        executed_value: 0,
        locked: 30_000 * ONE,
        status: Status::New,
        created: START,
        updated: START + SECOND,
        stage: Stage::Working,
        working_since: 0,
        stop_price: 0,
        trailing_delta: 0,
        trail: 0,
        trailing_since: 0,
        iceberg: 0,
        list: None,
        prevention: SelfTradePrevention::None,
        prevented: 0,
        amends: 0,
    }
}

fn stop() -> Order {
    Order {
        kind: OrderType::StopLossLimit,
        side: Side::Sell,
        stage: Stage::Waiting,
        stop_price: 50_000 * ONE,
        ..limit()
    }
}

fn trailing() -> Order {
    Order {
        kind: OrderType::TakeProfit,
        time_in_force: TimeInForce::Ioc,
        price: 0,
        stop_price: 0,
        trailing_delta: 150,
        ..stop()
    }
}

fn prevented_order() -> Order {
    Order {
        prevention: SelfTradePrevention::Decrement,
        prevented: ONE / 4,
        executed: ONE / 8,
        executed_value: 7_500 * ONE,
        status: Status::ExpiredInMatch,
        ..limit()
    }
}

fn leg() -> Order {
    Order {
        id: 4_713,
        list: Some(77),
        kind: OrderType::LimitMaker,
        stage: Stage::Pending,
        status: Status::PendingNew,
        client_id: "leg-2".into(),
        ..limit()
    }
}

fn market() -> Order {
    Order {
        kind: OrderType::Market,
        price: 0,
        quantity: ONE / 3,
        quote_quantity: 20_000 * ONE,
        executed: ONE / 3,
        executed_value: 19_999 * ONE,
        status: Status::Filled,
        ..limit()
    }
}

fn orders() -> [(&'static str, Order); 10] {
    let triggered = Order {
        stage: Stage::Working,
        working_since: START + 7 * SECOND,
        trailing_since: START + 5 * SECOND,
        trail: 61_000 * ONE,
        status: Status::PartiallyFilled,
        ..trailing()
    };
    let armed = Order {
        stage: Stage::Waiting,
        working_since: 0,
        status: Status::New,
        ..triggered.clone()
    };
    let iceberg = Order {
        iceberg: ONE / 10,
        side: Side::Sell,
        ..limit()
    };
    let cancelled = Order {
        status: Status::Canceled,
        ..limit()
    };
    [
        ("limit", limit()),
        ("market", market()),
        ("iceberg", iceberg),
        ("stop", stop()),
        ("trailing", trailing()),
        ("armed", armed),
        ("triggered", triggered),
        ("prevented", prevented_order()),
        ("cancelled", cancelled),
        ("leg", leg()),
    ]
}

fn fill() -> Fill {
    Fill {
        account: "alice".into(),
        symbol: "BTCUSDT".into(),
        order: 4_711,
        trade: 99,
        side: Side::Buy,
        price: 59_999 * ONE,
        quantity: ONE / 8,
        value: 7_499 * ONE + ONE / 2,
        fee: 12_500,
        maker: false,
        time: START + 2 * SECOND,
        fee_asset: None,
        list: None,
    }
}

fn fills() -> [(&'static str, Fill); 3] {
    let sold = Fill {
        side: Side::Sell,
        maker: true,
        list: Some(77),
        ..fill()
    };
    let paid_in_fee_asset = Fill {
        fee_asset: Some("BNB".into()),
        ..fill()
    };
    [("bought", fill()), ("sold", sold), ("fee asset", paid_in_fee_asset)]
}

fn prevented(mode: SelfTradePrevention, taker_quantity: i128, maker_quantity: i128) -> PreventedMatch {
    PreventedMatch {
        id: 5,
        account: "alice".into(),
        symbol: "BTCUSDT".into(),
        taker: 4_711,
        maker: 4_700,
        mode,
        price: 60_000 * ONE,
        taker_quantity,
        maker_quantity,
        time: START + 3 * SECOND,
    }
}

fn preventions() -> [(&'static str, PreventedMatch); 3] {
    use SelfTradePrevention::{Decrement, ExpireMaker, ExpireTaker};
    [
        ("taker ended", prevented(ExpireTaker, ONE / 2, 0)),
        ("maker ended", prevented(ExpireMaker, 0, ONE / 4)),
        ("both smaller", prevented(Decrement, ONE / 4, ONE / 4)),
    ]
}

fn amendment() -> Amendment {
    Amendment {
        id: 31,
        order: 4_711,
        old_client_id: "before".into(),
        client_id: "after".into(),
        old_quantity: ONE,
        quantity: ONE / 2,
        time: START + 4 * SECOND,
    }
}

fn list(open: bool) -> OrderList {
    OrderList {
        id: 77,
        account: "alice".into(),
        symbol: "BTCUSDT".into(),
        client_id: "pair".into(),
        contingency: if open { Contingency::Otoco } else { Contingency::Oco },
        orders: vec![(4_712, "leg-1".into()), (4_713, "leg-2".into())],
        open,
        created: START,
        updated: START + SECOND,
    }
}

fn account(pays_in_fee_asset: bool) -> Account {
    let balance = |free, locked| Balance { free, locked };
    let mut account = Account::default();
    account.number = 3;
    account.pays_in_fee_asset = pays_in_fee_asset;
    account.updated = START;
    account.balances = [
        ("BNB".to_owned(), balance(0, 0)),
        ("BTC".to_owned(), balance(ONE, 0)),
        ("USDT".to_owned(), balance(123 * ONE + 1, 30_000 * ONE)),
    ]
    .into();
    account
}

/// A row, from the text that is sent; nothing is in the text twice.
fn see_text(rows: &mut Rows, name: String, text: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(text.len(), value.to_string().len(), "{name}: {text}");
    assert!(rows.insert(name, value).is_none());
}

fn see(rows: &mut Rows, name: String, answer: impl Serialize) {
    see_text(rows, name, &super::text(&answer));
}

fn see_orders(rows: &mut Rows) {
    for (name, order) in &orders() {
        see(rows, format!("{name}: asked for"), order::asked(order));
        see(rows, format!("{name}: cancelled"), order::cancelled(order, None));
        let named = order::cancelled(order, Some("by-me"));
        see(rows, format!("{name}: cancelled with a name"), named);
        let mut placed = Placed {
            order: order.clone(),
            fills: Vec::new(),
            prevented: Vec::new(),
        };
        for (response, word) in [(Ack, "ack"), (Result, "result"), (Full, "full")] {
            see(
                rows,
                format!("{name}: placed, {word}"),
                order::placed(&placed, response),
            );
        }
        placed.fills = fills().map(|(_, fill)| fill).into();
        placed.prevented = preventions().map(|(_, prevented)| prevented).into();
        see(rows, format!("{name}: placed, traded"), order::placed(&placed, Full));
        see(
            rows,
            format!("{name}: amended"),
            amendment::amended(order, &amendment()),
        );
    }
}

fn see_histories(rows: &mut Rows) {
    for (name, fill) in &fills() {
        see(rows, format!("trade: {name}"), fill::trade(fill));
    }
    for (name, prevented) in &preventions() {
        see(rows, format!("prevented match: {name}"), fill::prevented(prevented));
    }
    see(rows, "amendment".into(), amendment::amendment("BTCUSDT", &amendment()));
}

fn see_accounts(rows: &mut Rows) {
    for is in [false, true] {
        let account = account(is);
        let name = |subject: &str| format!("{subject}, {is}");
        see(rows, name("account"), account::holdings(&account, (8, 10), is));
        let commission = account::commission("BTCUSDT", &account, (8, 10), !is);
        see(rows, name("commission"), commission);
        let of_order = account::commission_for_order(&account, (8, 10), is);
        see(rows, name("commission of an order"), of_order);
    }
}

fn see_lists(rows: &mut Rows) {
    for open in [true, false] {
        let name = |subject: &str| format!("list, {}: {subject}", if open { "open" } else { "done" });
        let placed = PlacedList {
            list: list(open),
            orders: vec![limit(), leg()],
        };
        see(rows, name("asked for"), lists::asked(&placed.list));
        see(rows, name("ack"), lists::placed(&placed, Ack));
        see(rows, name("full"), lists::placed(&placed, Full));
        see(rows, name("cancelled"), lists::ended(&placed, None));
        see(
            rows,
            name("cancelled with a name"),
            lists::ended(&placed, Some("by-me")),
        );
        see_event(rows, name("event"), UserEventKind::List(placed.list));
    }
}

fn see_event(rows: &mut Rows, name: String, kind: UserEventKind) {
    let event = UserEvent {
        account: "alice".into(),
        time: START + 9 * SECOND,
        kind,
    };
    see_text(rows, name, &events::event(&event));
}

fn see_events(rows: &mut Rows) {
    let executed = |order: Order, execution: Execution| UserEventKind::Execution {
        order: Box::new(order),
        execution,
    };
    for (name, order) in orders() {
        see_event(rows, format!("event: new {name}"), executed(order, Execution::New));
    }
    for (name, fill) in fills() {
        let kind = executed(market(), Execution::Trade(fill));
        see_event(rows, format!("event: trade, {name}"), kind);
    }
    let client_id = "by-me".to_owned();
    for (name, execution) in [
        ("cancelled", Execution::Canceled { client_id }),
        ("amended", Execution::Replaced(amendment())),
        ("refused", Execution::Rejected),
        ("expired", Execution::Expired),
    ] {
        see_event(rows, format!("event: {name}"), executed(leg(), execution));
    }
    for status in [Status::Canceled, Status::Rejected, Status::Expired] {
        let order = Order { status, ..limit() };
        see_event(rows, format!("event: {status:?}"), executed(order, Execution::Expired));
    }
    for (name, prevented) in preventions() {
        for (side, id) in [("taker", prevented.taker), ("maker", prevented.maker)] {
            let order = Order {
                id,
                ..prevented_order()
            };
            let kind = executed(order, Execution::Prevented(prevented.clone()));
            see_event(rows, format!("event: prevented, {name}, its {side}"), kind);
        }
    }
    let balances = account(false).balances.into_iter().collect();
    see_event(rows, "event: position".into(), UserEventKind::Position(balances));
}

#[test]
fn what_an_account_sees() {
    let mut seen = Rows::new();
    see_orders(&mut seen);
    see_histories(&mut seen);
    see_accounts(&mut seen);
    see_lists(&mut seen);
    see_events(&mut seen);
    let stated: Rows = serde_json::from_str(include_str!("answers.json")).unwrap();
    for (name, answer) in &seen {
        assert_eq!(stated.get(name), Some(answer), "{name}");
    }
    assert_eq!(seen.len(), stated.len());
}

#[test]
fn a_list_is_written_row_by_row() {
    assert_eq!(super::rows([ONE, -1].map(Decimal)), r#"["1.00000000","-0.00000001"]"#);
    assert_eq!(super::rows::<Decimal>([]), "[]");
}
