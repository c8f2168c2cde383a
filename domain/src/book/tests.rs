use super::*;
use proptest::prelude::*;

fn pairs(levels: &[(&str, &str)]) -> Vec<(Price, Quantity)> {
    levels
        .iter()
        .map(|(price, quantity)| (price.parse().unwrap(), quantity.parse().unwrap()))
        .collect()
}

fn texts(levels: impl IntoIterator<Item = BookLevel>) -> Vec<String> {
    levels
        .into_iter()
        .map(|level| format!("{}x{}", level.price, level.quantity))
        .collect()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn snapshot_levels_and_order() {
    let mut book = Book::new();
    assert!(book.is_empty() && !book.is_crossed());
    assert_eq!(book.known(Side::Buy), Known::Nothing);
    assert_eq!(book.quantity_at(Side::Buy, price("1")), None);
    book.apply_snapshot(
        pairs(&[("99", "1"), ("98", "2"), ("97", "0")]),
        pairs(&[("101", "3"), ("100.5", "4")]),
        1000,
    );
    assert_eq!(texts(book.best_bid()), ["99x1"]);
    assert_eq!(texts(book.best_ask()), ["100.5x4"]);
    assert_eq!((book.len(Side::Buy), book.len(Side::Sell)), (2, 2));
    assert_eq!(book.known(Side::Buy), Known::Everything);
    assert_eq!(book.quantity_at(Side::Buy, price("97")), Some(Quantity::ZERO));
    assert_eq!(book.apply_level(Side::Buy, price("99"), Quantity::ZERO), quantity("1"));
    assert_eq!(book.apply_level(Side::Buy, price("99"), Quantity::ZERO), Quantity::ZERO);
    assert_eq!(
        book.apply_level(Side::Buy, price("98.00"), quantity("5")),
        quantity("2")
    );
    let (bids, asks) = book.top(10);
    assert_eq!(
        (texts(bids), texts(asks)),
        (vec!["98x5".into()], vec!["100.5x4".into(), "101x3".into()])
    );
    assert!(!book.is_crossed());
    book.apply_level(Side::Sell, price("98"), quantity("1"));
    assert!(book.is_crossed());
    book.clear();
    assert_eq!(book, Book::new());
}

#[test]
fn beyond_a_snapshot_is_unknown_not_absent() {
    let mut book = Book::new();
    book.apply_snapshot(
        pairs(&[("99", "1"), ("98", "2")]),
        pairs(&[("101", "3"), ("102", "4")]),
        2,
    );
    assert_eq!(
        (book.known(Side::Buy), book.known(Side::Sell)),
        (Known::To(price("98")), Known::To(price("102")))
    );
    assert_eq!(book.quantity_at(Side::Buy, price("97")), None);
    assert_eq!(book.quantity_at(Side::Sell, price("103")), None);
    assert_eq!(book.quantity_at(Side::Sell, price("101.5")), Some(Quantity::ZERO));
    book.apply_level(Side::Buy, price("96"), quantity("7"));
    book.apply_level(Side::Sell, price("105"), quantity("7"));
    assert_eq!(
        book.quantity_at(Side::Buy, price("96")),
        Some(quantity("7")),
        "named by a diff"
    );
    assert_eq!(
        texts(book.known_levels(Side::Buy)),
        ["99x1", "98x2"],
        "what lies between 98 and 96 is unknown"
    );
    assert_eq!(texts(book.levels(Side::Buy)), ["99x1", "98x2", "96x7"]);
    assert_eq!(texts(book.levels(Side::Sell)), ["101x3", "102x4", "105x7"]);
    book.apply_level(Side::Sell, price("101"), Quantity::ZERO);
    book.apply_level(Side::Sell, price("102"), Quantity::ZERO);
    assert_eq!(
        texts(book.top(5).1),
        Vec::<String>::new(),
        "nothing known is left of the asks"
    );
    book.apply_snapshot(pairs(&[]), pairs(&[]), 0);
    assert_eq!(book.known(Side::Buy), Known::Nothing);
    book.apply_snapshot(pairs(&[]), pairs(&[]), 5);
    assert_eq!(book.known(Side::Sell), Known::Everything);
}

proptest! {
    #[test]
    fn the_last_word_on_each_level_stands(diffs in prop::collection::vec((any::<bool>(), 1i64..60, 0u32..4), 0..300)) {
        let mut book = Book::new();
        book.apply_snapshot([], [], 10);
        let mut naive: Vec<(Side, Price, Quantity)> = Vec::new();
        let tick = price("0.5");
        for (buys, ticks, lots) in diffs {
            let side = if buys { Side::Buy } else { Side::Sell };
            let (price, quantity) = (Price::from_ticks(ticks, tick).unwrap(), Quantity::new(lots.into()).unwrap());
            book.apply_level(side, price, quantity);
            naive.retain(|(s, p, _)| (*s, *p) != (side, price));
            if !quantity.is_zero() {
                naive.push((side, price, quantity));
            }
        }
        for side in [Side::Buy, Side::Sell] {
            let mut expected: Vec<BookLevel> = naive.iter().filter(|(s, _, _)| *s == side)
                .map(|&(_, price, quantity)| BookLevel { price, quantity }).collect();
            expected.sort_by_key(|level| level.price);
            if side == Side::Buy {
                expected.reverse();
            }
            prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(book.known_levels(side).collect::<Vec<_>>(), expected);
        }
    }
}
