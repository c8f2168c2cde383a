//! What a snapshot and a book tell about each other, where only parts of either are known.

use super::Snapshot;
use domain::{Book, Known, Side};

/// The book that a snapshot shows.
pub fn book_of(snapshot: &Snapshot) -> Book {
    let mut book = Book::new();
    book.apply_snapshot(
        snapshot.bids.iter().copied(),
        snapshot.asks.iter().copied(),
        snapshot.limit,
    );
    book
}

/// Whether two books at the same update id say the same wherever both know.
pub fn agree(one: &Book, other: &Book) -> bool {
    [Side::Buy, Side::Sell].into_iter().all(|side| {
        let holds = |held: &Book, asked: &Book| {
            held.levels(side).all(|level| {
                asked
                    .quantity_at(side, level.price)
                    .is_none_or(|quantity| quantity == level.quantity)
            })
        };
        holds(one, other) && holds(other, one)
    })
}

/// `newer` with the levels that only `older` knows, both being of the same update id.
pub fn united(mut newer: Book, older: &Book) -> Book {
    for side in [Side::Buy, Side::Sell] {
        for level in older.levels(side) {
            if newer.quantity_at(side, level.price).is_none() {
                newer.apply_level(side, level.price, level.quantity);
            }
        }
    }
    newer
}

/// Whether `one` is known at least as far as `other` on both sides.
pub fn reaches_as_far(one: &Book, other: &Book) -> bool {
    [Side::Buy, Side::Sell].into_iter().all(|side| match other.known(side) {
        Known::Nothing => true,
        Known::To(worst) => one.is_known(side, worst),
        Known::Everything => one.known(side) == Known::Everything,
    })
}

/// Whether the best price of a side may be one that the snapshot did not reach: nothing within its range is left.
pub fn is_exhausted(book: &Book) -> bool {
    let best_unknown = |side: Side, best: Option<domain::BookLevel>| match book.known(side) {
        Known::Everything => false,
        Known::Nothing => true,
        Known::To(_) => best.is_none_or(|level| !book.is_known(side, level.price)),
    };
    best_unknown(Side::Buy, book.best_bid()) || best_unknown(Side::Sell, book.best_ask())
}

/// Whether a side that goes on beyond its snapshot has fewer than `levels` known levels left.
pub fn is_thin(book: &Book, levels: usize) -> bool {
    [Side::Buy, Side::Sell]
        .into_iter()
        .any(|side| matches!(book.known(side), Known::To(_)) && book.known_levels(side).take(levels).count() < levels)
}
