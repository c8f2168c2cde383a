//! Every decision there and back, and records as the first version wrote them.

mod held;

use super::{Record, decode, encode, from_pb, to_pb};
use crate::core::{
    Accepted, BalancesAdopted, CancelRequested, Changed, Event, ExternalOrder, ExternalReleased, Filled, Halt,
    HaltLifted, HaltScope, Intent, Kept, OrderMatch, Refusal, Refused, SessionClosed, SessionId, SessionOpened, State,
};
use domain::{
    AccountId, Asset, ClientOrderId, Conditions, Fill, Liquidity, OrderId, OrderStatus, OrderTerms, OrderType, Side,
    StrategyId, Symbol, TimeInForce, Timestamp, TradeId, Venue,
};
use mesh::pb::trading as pb;

fn terms() -> OrderTerms {
    OrderTerms {
        order_id: OrderId::parse("0-2").unwrap(),
        client_order_id: ClientOrderId::parse("c-1").unwrap(),
        account: AccountId::parse("paper-1").unwrap(),
        venue: Venue::parse("exchange").unwrap(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        side: Side::Buy,
        order_type: OrderType::Market,
        time_in_force: TimeInForce::Ioc,
        price: None,
        collar: Some("110".parse().unwrap()),
        quantity: "0.5".parse().unwrap(),
        strategy: None,
        conditions: Conditions::default(),
    }
}

fn events() -> Vec<Event> {
    let account = AccountId::parse("paper-1").unwrap();
    let asset = |name: &str| Asset::parse(name).unwrap();
    let fill = Fill {
        account: account.clone(),
        venue: Venue::parse("exchange").unwrap(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        trade_id: TradeId::new(9),
        order_id: OrderId::parse("0-2").unwrap(),
        side: Side::Buy,
        price: "100.5".parse().unwrap(),
        quantity: "0.25".parse().unwrap(),
        fee: "-0.001".parse().unwrap(),
        fee_asset: asset("BTC"),
        liquidity: Liquidity::Maker,
        time: Timestamp::from_micros(5),
    };
    let halt = Halt {
        scope: HaltScope::Symbol,
        target: "BTCUSDT".to_owned(),
        reason: "drill".to_owned(),
        subject: "ada".to_owned(),
        time: Timestamp::from_micros(7),
        cancel_orders: false,
    };
    vec![
        Event::BalancesAdopted(BalancesAdopted {
            account: account.clone(),
            balances: vec![(asset("USDT"), "1000.5".parse().unwrap())],
            reason: "opening".to_owned(),
        }),
        Event::Accepted(Box::new(Accepted {
            terms: terms(),
            base: asset("BTC"),
            quote: asset("USDT"),
            limit_revision: 1,
            digest: [3; 32],
            reserved: "55.055".parse().unwrap(),
            held: None,
            reason: String::new(),
        })),
        Event::Intent(Intent {
            order: 2,
            venue_id: "j-0-1-2".to_owned(),
            signed: Timestamp::from_millis(1_700_000_000_000),
            cancel: false,
        }),
        Event::Changed(Changed {
            order: 2,
            status: OrderStatus::Unknown,
            reason: "OUTCOME_UNKNOWN".to_owned(),
            reserved: "55.055".parse().unwrap(),
        }),
        Event::Filled(Box::new(Filled {
            order: 2,
            fill,
            venue_order: "77".to_owned(),
            status: OrderStatus::PartiallyFilled,
            reserved: "27.5275".parse().unwrap(),
        })),
        Event::CancelRequested(CancelRequested {
            order: 2,
            request_id: "r-1".to_owned(),
            reason: String::new(),
        }),
        Event::Refused(Box::new(Refused {
            account,
            client_order_id: ClientOrderId::parse("c-2").unwrap(),
            refusal: Refusal::refused("BUYING_POWER", "too poor").with("free", "1"),
            digest: [4; 32],
        })),
        Event::HaltSet(halt),
        Event::HaltLifted(HaltLifted {
            scope: HaltScope::Symbol,
            target: "BTCUSDT".to_owned(),
            subject: "ada".to_owned(),
        }),
    ]
}

/// What later versions added, beside [`events`].
fn later_events() -> Vec<Event> {
    let account = AccountId::parse("paper-1").unwrap();
    let halt = |scope, target: &str, cancel_orders| Halt {
        scope,
        target: target.to_owned(),
        reason: "drill".to_owned(),
        subject: "ada".to_owned(),
        time: Timestamp::from_micros(7),
        cancel_orders,
    };
    let external = |price: Option<&str>, reserved: Option<&str>| ExternalOrder {
        account: account.clone(),
        venue_order: "99".to_owned(),
        client_id: "by-hand".to_owned(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        side: Side::Sell,
        price: price.map(|price| price.parse().unwrap()),
        quantity: "2".parse().unwrap(),
        executed: "0.5".parse().unwrap(),
        reserved: reserved.map(|amount| (Asset::parse("BTC").unwrap(), amount.parse().unwrap())),
        seen: Timestamp::from_micros(9),
    };
    let session = SessionId::parse("desk-1").unwrap();
    let opened = |symbol: Option<&str>| SessionOpened {
        account: account.clone(),
        session: session.clone(),
        grace_micros: 5_000_000,
        covers: OrderMatch {
            symbol: symbol.map(|symbol| Symbol::parse(symbol).unwrap()),
            strategy: symbol.map(|_| StrategyId::parse("mean-1").unwrap()),
        },
    };
    vec![
        Event::HaltSet(halt(HaltScope::Venue, "exchange", true)),
        Event::HaltSet(halt(HaltScope::Strategy, "mean-1", false)),
        Event::ExternalAdopted(Box::new(external(Some("100"), Some("1.5")))),
        Event::ExternalAdopted(Box::new(external(None, None))),
        Event::ExternalReleased(ExternalReleased {
            account: account.clone(),
            venue_order: "99".to_owned(),
        }),
        Event::SessionOpened(opened(None)),
        Event::SessionOpened(opened(Some("BTCUSDT"))),
        Event::SessionClosed(SessionClosed {
            account: account.clone(),
            session: session.clone(),
            lost: true,
        }),
    ]
}

fn later_records() -> impl Iterator<Item = Record> {
    let time = Timestamp::from_micros(1_700_000_000_000_001);
    (1..)
        .zip(later_events())
        .map(move |(sequence, event)| Record { sequence, time, event })
}

fn records() -> impl Iterator<Item = Record> {
    let time = Timestamp::from_micros(1_700_000_000_000_001);
    (1..)
        .zip(events())
        .map(move |(sequence, event)| Record { sequence, time, event })
}

/// What the first version wrote for [`records`]. These lines never change: a journal of theirs must always be read.
const VERSION_1: [&str; 9] = [
    "10011a090880e2cfaa0610e80752220a0770617065722d31120e0a04555344541206313030302e351a076f70656e696e67",
    "10021a090880e2cfaa0610e807228e010a460a03302d321203632d311a0770617065722d312207425443555344542801300238024203302e3550015a01307a090880e2cfaa0610e8078201090880e2cfaa0610e80788010210011a200303030303030303030303030303030303030303030303030303030303030303220635352e3035352a0865786368616e676532034254433a04555344544203313130",
    "10031a090880e2cfaa0610e80732160a03302d3212076a2d302d312d321a060880e2cfaa06",
    "10041a090880e2cfaa0610e8073a200a03302d3210021a0f4f5554434f4d455f554e4b4e4f574e220635352e303535",
    "10051a090880e2cfaa0610e80742570a4a0a0770617065722d311203302d321a0865786368616e6765220742544355534454280932023737380142053130302e354a04302e323552062d302e3030315a0342544360016a0310882710041a0732372e35323735",
    "10061a090880e2cfaa0610e8074a0a0a03302d321203722d31",
    "10071a090880e2cfaa0610e8072a530a0770617065722d311203632d321a0c425559494e475f504f5745522208746f6f20706f6f722a20040404040404040404040404040404040404040404040404040404040404040432090a0466726565120131",
    "10081a090880e2cfaa0610e8075a1e0a1c08031207425443555344541a056472696c6c22036164612a0310d836",
    "10091a090880e2cfaa0610e807621008031207425443555344541a03616461",
];

#[test]
fn every_record_reads_back() {
    for record in records().chain(later_records()) {
        assert_eq!(decode(&encode(0, &record)).unwrap(), record);
    }
}

#[test]
fn records_of_the_first_version_are_read() {
    for (record, text) in records().zip(VERSION_1) {
        let bytes = hex::decode(text).unwrap();
        assert_eq!(decode(&bytes).unwrap(), record);
    }
}

#[test]
fn a_journal_of_the_first_version_is_replayed() {
    let kept = Kept {
        closed_orders: 9,
        refusals: 9,
    };
    let mut state = State::new(0, kept);
    for text in VERSION_1 {
        let record = decode(&hex::decode(text).unwrap()).unwrap();
        state.apply(record.sequence, record.time, &record.event).unwrap();
    }
    let entry = state.order(2).unwrap();
    assert_eq!(entry.order.status(), OrderStatus::PendingCancel);
    assert_eq!(entry.order.filled().to_string(), "0.25");
    assert!(entry.order.terms().conditions.is_plain() && !entry.is_linked());
    assert_eq!((state.held_orders().count(), state.halts().count()), (0, 0));
    assert_eq!(
        super::order_as_accepted(entry).status,
        pb::OrderStatus::PendingNew as i32
    );
}

#[test]
fn what_cannot_be_read_names_its_field() {
    let of = |index: usize| to_pb(0, &records().nth(index).unwrap());
    let damage = |index: usize, edit: fn(&mut pb::trading_event::Event)| {
        let mut event = of(index);
        edit(event.event.as_mut().unwrap());
        from_pb(event).unwrap_err().context()["field"].clone()
    };
    use pb::trading_event::Event::{
        BalancesAdopted, ExternalOrderAdopted, ExternalOrderReleased, FillApplied, HaltLifted, HaltSet, IntentRecorded,
        OrderAccepted, OrderChanged, OrderRefused, SessionClosed, SessionOpened,
    };
    macro_rules! case {
        ($index:literal, $variant:ident, $field:literal, $edit:expr) => {
            let field = damage($index, |event| {
                let $variant(inner) = event else { panic!() };
                let edit: fn(&mut _) = $edit;
                edit(inner);
            });
            assert_eq!(field, $field);
        };
    }
    case!(0, BalancesAdopted, "account_id", |it: &mut pb::BalancesAdopted| it
        .account_id
        .clear());
    case!(0, BalancesAdopted, "total", |it: &mut pb::BalancesAdopted| it
        .balances[0]
        .total =
        "1e3".into());
    case!(1, OrderAccepted, "order", |it: &mut pb::OrderAccepted| it.order = None);
    case!(1, OrderAccepted, "request_digest", |it: &mut pb::OrderAccepted| it
        .request_digest
        .truncate(1));
    case!(1, OrderAccepted, "side", |it: &mut pb::OrderAccepted| it
        .order
        .as_mut()
        .unwrap()
        .side = 9);
    case!(1, OrderAccepted, "type", |it: &mut pb::OrderAccepted| it
        .order
        .as_mut()
        .unwrap()
        .r#type = 0);
    case!(1, OrderAccepted, "time_in_force", |it: &mut pb::OrderAccepted| {
        it.order.as_mut().unwrap().time_in_force = 0;
    });
    case!(1, OrderAccepted, "collar", |it: &mut pb::OrderAccepted| it.collar =
        "x".into());
    case!(2, IntentRecorded, "order_id", |it: &mut pb::IntentRecorded| it
        .order_id =
        "0-02".into());
    case!(2, IntentRecorded, "time", |it: &mut pb::IntentRecorded| it
        .signed_time =
        None);
    case!(3, OrderChanged, "status", |it: &mut pb::OrderChanged| it.status = 0);
    case!(4, FillApplied, "fill", |it: &mut pb::FillApplied| it.fill = None);
    case!(4, FillApplied, "status", |it: &mut pb::FillApplied| it.status = 99);
    case!(4, FillApplied, "trade_id", |it: &mut pb::FillApplied| it
        .fill
        .as_mut()
        .unwrap()
        .trade_id =
        -1);
    case!(4, FillApplied, "side", |it: &mut pb::FillApplied| it
        .fill
        .as_mut()
        .unwrap()
        .side = 0);
    case!(4, FillApplied, "liquidity", |it: &mut pb::FillApplied| it
        .fill
        .as_mut()
        .unwrap()
        .liquidity =
        0);
    case!(6, OrderRefused, "client_order_id", |it: &mut pb::OrderRefused| it
        .client_order_id
        .clear());
    case!(7, HaltSet, "halt", |it: &mut pb::HaltSet| it.halt = None);
    case!(7, HaltSet, "scope", |it: &mut pb::HaltSet| it
        .halt
        .as_mut()
        .unwrap()
        .scope = 0);
    case!(8, HaltLifted, "scope", |it: &mut pb::HaltLifted| it.scope = 7);

    let later = |index: usize, edit: fn(&mut pb::trading_event::Event)| {
        let mut event = to_pb(0, &later_records().nth(index).unwrap());
        edit(event.event.as_mut().unwrap());
        from_pb(event).unwrap_err().context()["field"].clone()
    };
    type Edit = fn(&mut pb::ExternalOrder);
    let adopted: [(Edit, &str); 5] = [
        (|it| it.side = 0, "side"),
        (|it| it.symbol.clear(), "symbol"),
        (|it| it.reserved = "x".into(), "reserved"),
        (|it| it.filled_quantity.clear(), "filled_quantity"),
        (|it| it.time = None, "time"),
    ];
    for (edit, field) in adopted {
        let mut event = to_pb(0, &later_records().nth(2).unwrap());
        let Some(ExternalOrderAdopted(inner)) = event.event.as_mut() else {
            panic!()
        };
        edit(inner.order.as_mut().unwrap());
        assert_eq!(from_pb(event).unwrap_err().context()["field"], field);
    }
    let absent = |event: &mut pb::trading_event::Event| {
        let ExternalOrderAdopted(inner) = event else { panic!() };
        inner.order = None;
    };
    assert_eq!(later(2, absent), "order");
    let nobody = |event: &mut pb::trading_event::Event| match event {
        ExternalOrderReleased(inner) => inner.account_id.clear(),
        SessionOpened(inner) => inner.session_id.clear(),
        SessionClosed(inner) => inner.session_id.clear(),
        _ => panic!(),
    };
    for (index, field) in [(4, "account_id"), (5, "session_id"), (7, "session_id")] {
        assert_eq!(later(index, nobody), field);
    }

    let empty = pb::TradingEvent { event: None, ..of(0) };
    assert_eq!(from_pb(empty).unwrap_err().context()["field"], "event");
    let early = pb::TradingEvent { sequence: -1, ..of(0) };
    assert_eq!(from_pb(early).unwrap_err().context()["field"], "sequence");
    assert_eq!(decode(&[0xff]).unwrap_err().reason(), "JOURNAL_RECORD");
}
