use super::*;
use crate::testing::btc_usdt;

/// Type, price, quantity, reference, and the refusal expected.
type Case = (
    OrderType,
    Option<&'static str>,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

#[test]
fn orders_that_fit_and_orders_that_do_not() {
    use OrderType::{Limit, LimitMaker, Market};
    let instrument = btc_usdt();
    let table: [Case; 17] = [
        (Limit, Some("50000.01"), "0.001", None, None),
        (LimitMaker, Some("1000000"), "0.0001", None, None),
        (Market, None, "0.001", Some("50000"), None),
        (Market, None, "0.0001", None, None),
        (Limit, None, "1", None, Some("PRICE_MISSING")),
        (LimitMaker, None, "1", None, Some("PRICE_MISSING")),
        (Market, Some("50000"), "1", None, Some("PRICE_UNEXPECTED")),
        (Limit, Some("50000.001"), "1", None, Some("PRICE_OFF_TICK")),
        (Limit, Some("0.001"), "1", None, Some("PRICE_OFF_TICK")),
        (Limit, Some("1000000.01"), "1", None, Some("PRICE_TOO_HIGH")),
        (Limit, Some("50000"), "0.000101", None, Some("QUANTITY_OFF_LOT")),
        (Limit, Some("50000"), "0", None, Some("QUANTITY_TOO_SMALL")),
        (Limit, Some("50000"), "0.00009", None, Some("QUANTITY_TOO_SMALL")),
        (Limit, Some("50000"), "9000.00001", None, Some("QUANTITY_TOO_LARGE")),
        (Limit, Some("1"), "4.99999", None, Some("NOTIONAL_TOO_SMALL")),
        (Market, None, "0.0001", Some("100"), Some("NOTIONAL_TOO_SMALL")),
        (
            Market,
            None,
            "0.00011",
            Some("0.00000000000000001"),
            Some("NOTIONAL_UNREPRESENTABLE"),
        ),
    ];
    for (order_type, price, quantity, reference, expected) in table {
        let parse = |text: Option<&str>| text.map(|text| text.parse::<Price>().unwrap());
        let verdict = instrument.check_order(order_type, parse(price), quantity.parse().unwrap(), parse(reference));
        assert_eq!(
            verdict.as_ref().err().map(InstrumentRefusal::reason),
            expected,
            "{order_type} {price:?} {quantity}"
        );
        if let Err(refusal) = verdict {
            let figures = !matches!(
                refusal,
                InstrumentRefusal::PriceMissing | InstrumentRefusal::PriceUnexpected
            );
            assert_eq!(!refusal.context().is_empty(), figures);
            assert!(!refusal.to_string().is_empty());
        }
    }
}

#[test]
fn a_halted_instrument_takes_nothing() {
    let halted = Instrument {
        status: InstrumentStatus::Halted,
        ..btc_usdt()
    };
    let refusal = halted
        .check_order(OrderType::Market, None, "1".parse().unwrap(), None)
        .unwrap_err();
    assert_eq!(refusal.reason(), "INSTRUMENT_HALTED");
    assert_eq!(refusal.context(), [("symbol", "BTCUSDT".to_owned())]);
    assert_eq!(refusal.to_string(), "BTCUSDT is halted");
}

#[test]
fn rules_that_make_no_sense_are_found() {
    let good = btc_usdt();
    assert_eq!(good.validate(), Ok(()));
    for (instrument, fault) in [
        (
            Instrument {
                lot_size: Quantity::ZERO,
                ..good.clone()
            },
            InstrumentFault::LotSizeZero,
        ),
        (
            Instrument {
                max_quantity: Quantity::ZERO,
                ..good.clone()
            },
            InstrumentFault::QuantityRangeEmpty,
        ),
        (
            Instrument {
                min_notional: "-1".parse().unwrap(),
                ..good.clone()
            },
            InstrumentFault::MinNotionalNegative,
        ),
        (
            Instrument {
                max_price: "0.001".parse().unwrap(),
                ..good.clone()
            },
            InstrumentFault::MaxPriceBelowTick,
        ),
        (
            Instrument {
                quote: good.base.clone(),
                ..good.clone()
            },
            InstrumentFault::SameAsset,
        ),
    ] {
        assert_eq!(instrument.validate(), Err(fault));
        assert!(!fault.to_string().is_empty());
    }
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Instrument>(&json).unwrap(), good);
    assert!(serde_json::from_str::<Instrument>(&json.replace("BTCUSDT", "btc")).is_err());
}
