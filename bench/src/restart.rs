//! How long the platform takes to be ready again, and how that grows with the order journal.

use crate::platform::Platform;
use crate::report::{self, verdict};
use crate::{Outcome, Restart};
use domain::{
    Conditions, Fill, Liquidity, Money, OrderId, OrderStatus, OrderTerms, OrderType, Price, Quantity, Side,
    TimeInForce, Timestamp, TradeId,
};
use mesh::journal::{FileJournal, FileJournalOptions, Journal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;
use trading::codec::{Record, encode};
use trading::core::{Accepted, CancelRequested, Changed, Event, Filled, Intent};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LIMIT_S: f64 = 5.0;
/// A process that is killed has this many records after its last snapshot, or nearly: `trading.snapshot_records`.
const BEHIND: u64 = 47_500;
/// Records a batch.
const BATCH: u64 = 60;

/// Measures and prints.
///
/// # Errors
/// When the platform does not start.
pub(crate) fn run(binary: &Path, options: &Restart) -> Outcome {
    let settings = ["trading.shards=1".to_owned(), "paper.accounts=1".to_owned()];
    let mut rows = Vec::new();
    for &records in &options.records {
        let folder = Arc::new(tempfile::tempdir()?);
        let start = || Platform::up_in(binary, Arc::clone(&folder), &settings);
        let fresh = start()?;
        let empty = fresh.ready_after.as_secs_f64();
        fresh.interrupt()?;
        extend(&folder, records)?;
        forget_snapshots(&folder)?;
        let whole = start()?;
        let replayed = whole.ready_after.as_secs_f64();
        whole.interrupt()?;
        let clean = start()?;
        let from_snapshot = clean.ready_after.as_secs_f64();
        drop(clean);
        extend(&folder, BEHIND)?;
        let killed = start()?.ready_after.as_secs_f64();
        rows.push([
            report::count(records),
            format!("{empty:.2} s"),
            format!("{replayed:.2} s"),
            format!("{from_snapshot:.2} s"),
            format!("{killed:.2} s"),
            verdict(from_snapshot.max(killed) <= LIMIT_S),
        ]);
    }
    report::print(
        &format!("restart: `trademesh up`, one shard, by the records in its journal; limit {LIMIT_S} s"),
        [
            "records",
            "fresh folder",
            "every record",
            "after a clean end",
            &format!("after a kill, {} behind", report::count(BEHIND)),
            "verdict",
        ],
        rows,
    );
    Ok(())
}

fn journal_of(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("trading").join("shard-0")
}

fn forget_snapshots(folder: &TempDir) -> std::io::Result<()> {
    for entry in std::fs::read_dir(journal_of(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Appends records as the shard would have written them: of six orders four are cancelled, one is bought and one is sold.
fn extend(folder: &TempDir, records: u64) -> Result<(), Failure> {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut journal, _) = FileJournal::open(&journal_of(folder), FileJournalOptions::default())?;
    let mut trade = journal.next_sequence();
    let end = journal.next_sequence() + records;
    let mut number = 0;
    while journal.next_sequence() < end {
        let mut sequence = journal.next_sequence();
        let mut batch = Vec::new();
        while (batch.len() as u64) < BATCH {
            let events = life(sequence, number, &mut trade)?;
            for event in events {
                let time = Timestamp::from_micros(1_700_000_000_000_000 + sequence as i64 * 1_000);
                batch.push(encode(0, &Record { sequence, time, event }));
                sequence += 1;
            }
            number += 1;
        }
        runtime.block_on(journal.append(batch))?;
    }
    println!(
        "wrote {} records in {:.1} s",
        report::count(records),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What is recorded of one order, the first event at this sequence.
fn life(order: u64, number: u64, trade: &mut u64) -> Result<Vec<Event>, Failure> {
    let side = if number.is_multiple_of(2) {
        Side::Buy
    } else {
        Side::Sell
    };
    let (price, quantity): (Price, Quantity) = ("60000.00".parse()?, "0.00100".parse()?);
    let reserved: Money = match side {
        Side::Buy => "60.06".parse()?,
        Side::Sell => "0.001".parse()?,
    };
    let terms = OrderTerms {
        order_id: OrderId::parse(&format!("0-{}", base32(order)))?,
        client_order_id: format!("client-order-{order}").parse()?,
        account: "paper-1".parse()?,
        venue: "exchange".parse()?,
        symbol: "BTCUSDT".parse()?,
        side,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Some(price),
        collar: None,
        quantity,
        strategy: None,
        conditions: Conditions::default(),
    };
    let changed = |status, reserved| {
        Event::Changed(Changed {
            order,
            status,
            reason: String::new(),
            reserved,
        })
    };
    let intent = |cancel| {
        Event::Intent(Intent {
            order,
            venue_id: format!("0123456789abcdef-0-1-{}", base32(order)),
            signed: Timestamp::from_micros(1_700_000_000_000_000),
            cancel,
        })
    };
    let accepted = Accepted {
        terms: terms.clone(),
        base: "BTC".parse()?,
        quote: "USDT".parse()?,
        limit_revision: 1,
        digest: [number as u8; 32],
        reserved,
        held: None,
        reason: String::new(),
    };
    let mut events = vec![
        Event::Accepted(Box::new(accepted)),
        intent(false),
        changed(OrderStatus::Open, reserved),
    ];
    if number % 6 < 2 {
        *trade += 1;
        events.push(Event::Filled(Box::new(Filled {
            order,
            fill: Fill {
                account: terms.account,
                venue: terms.venue,
                symbol: terms.symbol,
                trade_id: TradeId::new(*trade),
                order_id: terms.order_id,
                side,
                price,
                quantity,
                fee: Money::ZERO,
                fee_asset: "USDT".parse()?,
                liquidity: Liquidity::Maker,
                time: Timestamp::from_micros(1_700_000_000_000_000),
            },
            venue_order: trade.to_string(),
            status: OrderStatus::Filled,
            reserved: Money::ZERO,
        })));
    } else {
        let request = CancelRequested {
            order,
            request_id: String::new(),
            reason: String::new(),
        };
        events.push(Event::CancelRequested(request));
        events.push(intent(true));
        events.push(changed(OrderStatus::Cancelled, Money::ZERO));
    }
    Ok(events)
}

/// A sequence as order ids write it.
fn base32(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghjkmnpqrstvwxyz"[(number % 32) as usize] as char);
        number /= 32;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}
