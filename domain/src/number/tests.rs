use super::*;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

#[test]
fn texts_that_are_numbers() {
    for (text, canonical) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("1", "1"),
        ("100", "100"),
        ("007", "7"),
        ("1.50000000", "1.5"),
        ("-12.340", "-12.34"),
        ("65000.12000000", "65000.12"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("9999999999999999999999999999", "9999999999999999999999999999"),
        ("12345678901.000000000000000000", "12345678901"),
        ("1234567890.123456789012345678", "1234567890.123456789012345678"),
    ] {
        let parsed = money(text);
        assert_eq!(parsed.to_string(), canonical, "{text}");
        assert_eq!(parsed, money(canonical));
    }
}

#[test]
fn texts_that_are_not() {
    use NumberError::{Malformed, OutOfRange, TooManyDecimals};
    for (text, error) in [
        ("", Malformed),
        ("-", Malformed),
        ("+1", Malformed),
        (".5", Malformed),
        ("5.", Malformed),
        ("1e400", Malformed),
        ("1E2", Malformed),
        ("NaN", Malformed),
        ("Infinity", Malformed),
        ("1_000", Malformed),
        (" 1", Malformed),
        ("1.2.3", Malformed),
        ("--1", Malformed),
        ("0x10", Malformed),
        ("１", Malformed),
        ("12345678901234567890x", Malformed),
        ("0.000000000000000000x", Malformed),
        ("0.0000000000000000001", TooManyDecimals),
        ("10000000000000000000000000000", OutOfRange),
        ("99999999999.999999999999999999", OutOfRange),
        ("9999999999999999999999999999999999999999999", OutOfRange),
        (&"1".repeat(65), OutOfRange),
    ] {
        assert_eq!(Money::parse(text), Err(error), "{text}");
    }
}

#[test]
fn signs_by_type() {
    assert_eq!(Price::parse("0"), Err(NumberError::NotPositive));
    assert_eq!(Price::parse("-1"), Err(NumberError::NotPositive));
    assert_eq!(Price::new(Decimal::ZERO), Err(NumberError::NotPositive));
    assert_eq!(Quantity::parse("-0.1"), Err(NumberError::Negative));
    assert_eq!(Quantity::new(Decimal::new(-1, 0)), Err(NumberError::Negative));
    assert!(quantity("0").is_zero());
    assert_eq!(Quantity::parse("-0").unwrap(), Quantity::ZERO);
    assert!(money("-1").is_negative() && !money("0").is_negative());
    assert_eq!(money("-1.5").abs(), money("1.5"));
    assert_eq!(money("1.5").abs(), money("1.5"));
    assert_eq!(Money::ZERO.negated(), Money::ZERO);
    assert_eq!(money("-1").quantity(), Err(NumberError::Negative));
    assert_eq!(money("2").quantity(), Ok(quantity("2")));
    assert!(Money::default().is_zero());
}

#[test]
fn decimals_from_outside_are_brought_into_form_or_refused() {
    assert_eq!(Price::new(Decimal::new(1500, 3)).unwrap().to_string(), "1.5");
    assert_eq!(Price::new(Decimal::new(1500, 3)).unwrap().decimal().scale(), 1);
    assert_eq!(Quantity::new(Decimal::new(1, 19)), Err(NumberError::TooManyDecimals));
    assert_eq!(Money::new(Decimal::MAX), Err(NumberError::OutOfRange));
    let long = Decimal::from_i128_with_scale(123_456_789_012_345_678_900, 2);
    assert_eq!(Money::new(long).unwrap().to_string(), "1234567890123456789");
}

#[test]
fn json_is_a_string_both_ways() {
    assert_eq!(serde_json::to_string(&price("1.50")).unwrap(), "\"1.5\"");
    assert_eq!(serde_json::from_str::<Quantity>("\"0.10\"").unwrap(), quantity("0.1"));
    assert_eq!(
        serde_json::from_str::<Rate>("\"0.001\"").unwrap(),
        Rate::parse("0.001").unwrap()
    );
    let error = serde_json::from_str::<Money>("1.5").unwrap_err().to_string();
    assert!(error.contains("a decimal number in a string"), "{error}");
    assert!(serde_json::from_str::<Money>("\"1e5\"").is_err());
    assert_eq!(format!("{:?}", price("2")), "Price(2)");
    assert_eq!("3".parse::<Quantity>(), Ok(quantity("3")));
}

#[test]
fn sums_are_exact_or_refused() {
    assert_eq!(price("1.5").checked_add(price("0.25")), Ok(price("1.75")));
    assert_eq!(price("1.5").checked_sub(price("0.5")), Ok(price("1")));
    assert_eq!(price("1.5").checked_sub(price("1.5")), Err(NumberError::NotPositive));
    assert_eq!(quantity("1").checked_sub(quantity("2")), Err(NumberError::Negative));
    assert_eq!(money("1").checked_sub(money("2.5")), Ok(money("-1.5")));
    let largest = money("9999999999999999999999999999");
    assert_eq!(largest.checked_add(money("1")), Err(NumberError::OutOfRange));
    // rust_decimal would round this one in silence.
    assert_eq!(
        largest.checked_add(money("0.000000000000000001")),
        Err(NumberError::OutOfRange)
    );
    assert_eq!(
        money("1234567890123456789012345678").checked_add(money("0.1")),
        Err(NumberError::OutOfRange)
    );
}

#[test]
fn products_are_exact_or_refused() {
    assert_eq!(price("65000.12").notional(quantity("0.00153")), Ok(money("99.4501836")));
    assert_eq!(price("1").notional(Quantity::ZERO), Ok(Money::ZERO));
    assert_eq!(money("-2").valued_at(price("1.5")), Ok(money("-3")));
    assert_eq!(
        price("0.0000000001").notional(quantity("0.0000000001")),
        Err(NumberError::Inexact)
    );
    assert_eq!(
        price("12345678901234567").notional(quantity("12345678901234567")),
        Err(NumberError::Inexact)
    );
    // 2^92 and 5^18·10^-18: too long as they stand, and yet the product is an integer of 23 digits.
    let twos = Price::new(Decimal::from_i128_with_scale(1 << 92, 0)).unwrap();
    let fives = Quantity::new(Decimal::from_i128_with_scale(5i128.pow(18), 18)).unwrap();
    assert_eq!(
        twos.notional(fives).unwrap().decimal(),
        Decimal::from_i128_with_scale(1 << 74, 0)
    );
}

#[test]
fn grids() {
    assert_eq!(price("100.05").ticks(price("0.01")), Some(10_005));
    assert_eq!(price("100.055").ticks(price("0.01")), None);
    assert_eq!(
        price("9999999999999999999999999999").ticks(price("0.000000000000000001")),
        None
    );
    assert_eq!(price("9999999999999999999999999999").ticks(price("1")), None);
    assert_eq!(Price::from_ticks(10_005, price("0.01")), Ok(price("100.05")));
    assert_eq!(Price::from_ticks(0, price("0.01")), Err(NumberError::NotPositive));
    assert_eq!(
        Price::from_ticks(i64::MAX, price("1000000000000")),
        Err(NumberError::OutOfRange)
    );
    assert_eq!(quantity("0.003").lots(quantity("0.001")), Some(3));
    assert_eq!(quantity("0.0035").lots(quantity("0.001")), None);
    assert_eq!(quantity("1").lots(Quantity::ZERO), None);
    assert_eq!(Quantity::from_lots(3, quantity("0.001")), Ok(quantity("0.003")));
    let largest = quantity("9999999999999999999999999999");
    assert_eq!(Quantity::from_lots(u64::MAX, largest), Err(NumberError::OutOfRange));
    assert_eq!(
        Price::from_ticks(i64::MAX, price("9999999999999999999999999999")),
        Err(NumberError::OutOfRange)
    );
}

#[test]
fn collars_stay_within_what_they_say() {
    assert_eq!(price("100").collar_above(500, price("0.01")), Ok(price("105")));
    assert_eq!(price("100.01").collar_above(333, price("0.01")), Ok(price("103.34")));
    assert_eq!(price("100.01").collar_below(333, price("0.01")), Ok(price("96.68")));
    assert_eq!(price("100").collar_below(500, price("0.01")), Ok(price("95")));
    assert_eq!(
        price("100").collar_below(10_000, price("0.01")),
        Err(NumberError::NotPositive)
    );
    assert_eq!(price("0.01").collar_below(9_999, price("0.01")), Ok(price("0.01")));
    let atom = price("0.000000000000000001");
    assert_eq!(
        price("999999999999999999990000").collar_above(1, atom),
        Err(NumberError::OutOfRange)
    );
    assert_eq!(
        price("9999999999999999").collar_above(1, atom),
        Err(NumberError::OutOfRange)
    );
    assert_eq!(
        price("999999999999999999999999").collar_above(1, atom),
        Err(NumberError::Inexact)
    );
}

#[test]
fn fees_round_up_at_eight_decimals() {
    for (amount, rate, fee) in [
        ("100", "0.001", "0.1"),
        ("0.00000001", "0.001", "0.00000001"),
        ("99.4501836", "0.00075", "0.07458764"),
        ("99.4501836", "-0.00075", "-0.07458763"),
        ("0", "0.001", "0"),
        ("12345.6789", "0", "0"),
        ("3", "1", "3"),
    ] {
        assert_eq!(
            Money::fee(money(amount), Rate::parse(rate).unwrap()),
            Ok(money(fee)),
            "{amount} {rate}"
        );
    }
    let largest = money("9999999999999999999999999999");
    assert_eq!(
        Money::fee(largest, Rate::parse("0.00000001").unwrap()),
        Ok(money("99999999999999999999.99999999"))
    );
    assert_eq!(
        Money::fee(largest, Rate::parse("0.1").unwrap()),
        Ok(money("999999999999999999999999999.9"))
    );
}

#[test]
fn rates_are_bounded() {
    assert_eq!(Rate::parse("1.01"), Err(NumberError::OutOfRange));
    assert_eq!(Rate::parse("-2"), Err(NumberError::OutOfRange));
    assert_eq!(Rate::parse("0.000000001"), Err(NumberError::TooManyDecimals));
    assert_eq!(Rate::new(Decimal::new(1, 3)).unwrap().to_string(), "0.001");
    assert_eq!(Rate::default(), Rate::ZERO);
}

#[test]
fn shares_round_up_and_never_beyond_the_whole() {
    for (cost, part, whole, share) in [
        ("100", "1", "3", "33.33333334"),
        ("-100", "1", "3", "-33.33333333"),
        ("100", "3", "3", "100"),
        ("100", "1", "4", "25"),
        ("0.0000000001", "1", "2", "0.0000000001"),
        ("100", "0", "3", "0"),
        (
            "99999999999999.99999999",
            "0.333333333333333333",
            "0.999999999999999999",
            "33333333333333.33333333",
        ),
    ] {
        assert_eq!(
            money(cost).share(quantity(part), quantity(whole)),
            Ok(money(share)),
            "{cost} {part}/{whole}"
        );
    }
    assert_eq!(
        money("1").share(Quantity::ZERO, Quantity::ZERO),
        Err(NumberError::DivisionByZero)
    );
    let tiny = quantity("0.000000000000000001");
    assert_eq!(
        money("9999999999999999999999999").share(quantity("2"), tiny),
        Err(NumberError::OutOfRange)
    );
    assert_eq!(
        money("1").share(quantity("9999999999999999999999999999"), tiny),
        Err(NumberError::OutOfRange)
    );
}

#[test]
fn averages_are_for_reading() {
    assert_eq!(money("100").average_over(quantity("3")), Some(price("33.333333333333")));
    assert_eq!(money("100").average_over(Quantity::ZERO), None);
    assert_eq!(money("-100").average_over(quantity("3")), None);
    assert_eq!(money("0.0000000000001").average_over(quantity("1")), None);
}

#[test]
fn every_error_has_its_code() {
    use NumberError::{DivisionByZero, Inexact, Malformed, Negative, NotPositive, OutOfRange, TooManyDecimals};
    let errors = [
        Malformed,
        TooManyDecimals,
        OutOfRange,
        Inexact,
        NotPositive,
        Negative,
        DivisionByZero,
    ];
    let codes: std::collections::BTreeSet<_> = errors.iter().map(NumberError::reason).collect();
    assert_eq!(codes.len(), errors.len());
    assert!(codes.iter().all(|code| code.starts_with("NUMBER_")));
    assert!(errors.iter().all(|error| !error.to_string().is_empty()));
}

proptest! {
    #[test]
    fn text_and_value_are_the_same(mantissa in -(10i128.pow(28) - 1)..10i128.pow(28), scale in 0u32..=18) {
        let value = Money::new(Decimal::from_i128_with_scale(mantissa, scale)).unwrap();
        prop_assert_eq!(Money::parse(&value.to_string()).unwrap(), value);
        prop_assert_eq!(value.decimal(), Decimal::from_i128_with_scale(mantissa, scale));
        prop_assert_eq!(value.negated().negated(), value);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[-+0-9.eE ]{0,70}") {
        if let Ok(value) = Money::parse(&text) {
            prop_assert_eq!(value.decimal(), text.parse::<Decimal>().unwrap());
        }
    }

    #[test]
    fn sums_cancel(a in -(10i128.pow(20))..10i128.pow(20), b in -(10i128.pow(20))..10i128.pow(20), s in 0u32..=8, t in 0u32..=8) {
        let a = Money::new(Decimal::from_i128_with_scale(a, s)).unwrap();
        let b = Money::new(Decimal::from_i128_with_scale(b, t)).unwrap();
        let sum = a.checked_add(b).unwrap();
        prop_assert_eq!(sum.checked_sub(b).unwrap(), a);
        prop_assert_eq!(sum.decimal(), a.decimal() + b.decimal());
    }

    #[test]
    fn notional_is_the_integer_product(p in 1i64..i64::MAX, q in 0i64..1_000_000_000, s in 0u32..=8, t in 0u32..=8) {
        let price = Price::new(Decimal::new(p, s)).unwrap();
        let quantity = Quantity::new(Decimal::new(q, t)).unwrap();
        let notional = price.notional(quantity).unwrap();
        prop_assert_eq!(notional, Money::new(Decimal::from_i128_with_scale(i128::from(p) * i128::from(q), s + t)).unwrap());
    }

    #[test]
    fn a_fee_is_the_smallest_unit_count_that_covers(m in -(10i128.pow(17))..10i128.pow(17), s in 0u32..=12, r in -100_000_000i64..=100_000_000) {
        let amount = Money::new(Decimal::from_i128_with_scale(m, s)).unwrap();
        let rate = Rate::new(Decimal::new(r, 8)).unwrap();
        let fee = Money::fee(amount, rate).unwrap();
        // Compare in units of 10^-20, as integers.
        let exact = m * i128::from(r) * 10i128.pow(12 - s);
        let units = fee.decimal().mantissa() * 10i128.pow(20 - fee.decimal().scale());
        prop_assert!(units >= exact && units - exact < 10i128.pow(12));
    }

    #[test]
    fn shares_sum_to_the_whole(cost in 1i64..i64::MAX, part in 1u64..1_000_000, rest in 1u64..1_000_000) {
        let cost = Money::new(Decimal::new(cost, 10)).unwrap();
        let (part, whole) = (Quantity::new(part.into()).unwrap(), Quantity::new((part + rest).into()).unwrap());
        let share = cost.share(part, whole).unwrap();
        prop_assert!(share <= cost && !share.is_negative());
        prop_assert!(cost.negated().share(part, whole).unwrap() >= share.negated());
        prop_assert_eq!(share.checked_add(cost.checked_sub(share).unwrap()).unwrap(), cost);
    }
}
