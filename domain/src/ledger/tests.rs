use super::*;
use crate::testing::{btc_usdt, fill};

fn owner(name: &str) -> Owner {
    Owner::counter(name).unwrap()
}

fn account() -> Owner {
    Owner::Account(AccountId::parse("paper-1").unwrap())
}

fn asset(name: &str) -> Asset {
    name.parse().unwrap()
}

fn balances(ledger: &Ledger) -> Vec<String> {
    ledger
        .balances()
        .map(|(owner, asset, amount)| {
            let name = match owner {
                Owner::Account(account) => account.to_string(),
                Owner::Counter(name) => name.to_string(),
            };
            format!("{name} {amount} {asset}")
        })
        .collect()
}

#[test]
fn fills_move_base_quote_and_fee() {
    let (instrument, market, fees) = (btc_usdt(), owner("market"), owner("fees"));
    let mut ledger = Ledger::new();
    for fill in [
        fill(Side::Buy, "100", "2", "0.002 BTC"),
        fill(Side::Sell, "110", "1", "0.11 USDT"),
        fill(Side::Sell, "120", "0.5", "0 USDT"),
        fill(Side::Buy, "120", "0.5", "-0.01 BNB"),
    ] {
        ledger
            .post(&Posting::of_fill(&fill, &instrument, &market, &fees).unwrap())
            .unwrap();
    }
    assert_eq!(
        balances(&ledger),
        [
            "paper-1 0.01 BNB",
            "paper-1 0.998 BTC",
            "paper-1 -90.11 USDT",
            "fees -0.01 BNB",
            "fees 0.002 BTC",
            "fees 0.11 USDT",
            "market -1 BTC",
            "market 90 USDT",
        ]
    );
    assert!(ledger.totals().unwrap().values().all(|total| total.is_zero()));
    assert_eq!(ledger.balance(&account(), &asset("BTC")), "0.998".parse().unwrap());
    assert_eq!(ledger.balance(&account(), &asset("ETH")), Money::ZERO);
}

#[test]
fn a_posting_that_does_not_balance_changes_nothing() {
    let mut ledger = Ledger::new();
    let funding = Posting::new().transfer(&owner("funding"), &account(), &asset("USDT"), "1000".parse().unwrap());
    ledger.post(&funding).unwrap();
    let before = ledger.clone();
    let lopsided = Posting::new()
        .entry(account(), asset("BTC"), "1".parse().unwrap())
        .entry(owner("market"), asset("BTC"), "-0.9".parse().unwrap());
    assert_eq!(lopsided.entries().len(), 2);
    let error = ledger.post(&lopsided).unwrap_err();
    assert_eq!(error.reason(), "LEDGER_UNBALANCED");
    assert_eq!(error.to_string(), "posting is out of balance by 0.1 BTC");
    let mixed = Posting::new()
        .entry(account(), asset("BTC"), "1".parse().unwrap())
        .entry(owner("market"), asset("USDT"), "-1".parse().unwrap());
    assert_eq!(ledger.post(&mixed).unwrap_err().reason(), "LEDGER_UNBALANCED");
    let huge: Money = "9999999999999999999999999999".parse().unwrap();
    let overflow = Posting::new().transfer(&owner("funding"), &account(), &asset("USDT"), huge);
    assert_eq!(ledger.post(&overflow).unwrap_err().reason(), "NUMBER_OUT_OF_RANGE");
    assert_eq!(ledger, before);
    assert!(Owner::counter("Not A Name").is_err());
}

#[test]
fn a_repeated_owner_within_one_posting_counts_twice() {
    let mut ledger = Ledger::new();
    let posting = Posting::new()
        .transfer(&owner("funding"), &account(), &asset("USDT"), "1".parse().unwrap())
        .transfer(&owner("funding"), &account(), &asset("USDT"), "2".parse().unwrap());
    ledger.post(&posting).unwrap();
    assert_eq!(balances(&ledger), ["paper-1 3 USDT", "funding -3 USDT"]);
}
