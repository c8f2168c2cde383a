use super::Books;
use crate::core::{Changes, Mark, MarkSource, Portfolios};
use domain::{AccountId, Asset, Money, Price, Symbol};
use std::collections::BTreeMap;
use std::time::Duration;

fn symbol() -> Symbol {
    Symbol::parse("BTCUSDT").unwrap()
}

fn mark(age_us: i64) -> Mark {
    Mark {
        price: Price::parse("100").unwrap(),
        source: MarkSource::BookMid,
        age_us,
    }
}

#[test]
fn marks_age_until_they_are_replaced_or_taken_away() {
    let books = Books::new(Portfolios::default());
    books.set_mark(symbol(), Some(mark(5)), Duration::from_micros(100));
    let age_at = |now: u64| {
        books
            .marks(Duration::from_micros(now))
            .get(&symbol())
            .map(|mark| mark.age_us)
    };
    assert_eq!(age_at(100), Some(5));
    assert_eq!(age_at(130), Some(35));
    assert_eq!(age_at(50), Some(5), "a clock read earlier makes nothing younger");
    books.set_mark(symbol(), Some(mark(1)), Duration::from_micros(130));
    assert_eq!(age_at(130), Some(1));
    books.set_mark(symbol(), Some(mark(i64::MAX)), Duration::ZERO);
    assert_eq!(books.marks(Duration::MAX)[&symbol()].age_us, i64::MAX);
    books.set_mark(symbol(), None, Duration::ZERO);
    assert_eq!(age_at(130), None);
}

#[test]
fn what_is_committed_is_read() {
    let books = Books::new(Portfolios::default());
    let account = AccountId::parse("paper-1").unwrap();
    let usdt = Asset::parse("USDT").unwrap();
    let mut changes = Changes::default();
    let held = [(usdt.clone(), Money::parse("3").unwrap())].into();
    changes.balances.insert(account.clone(), held);
    changes.sequences.insert(account.clone(), 4);
    books.clone().commit(changes);
    books.read(|portfolios| {
        let found = portfolios.account(&account).unwrap();
        assert_eq!((found.sequence, found.balances[&usdt].to_string().as_str()), (4, "3"));
    });
    assert!(books.instruments().is_empty());
    books.set_instruments(BTreeMap::new());
}
