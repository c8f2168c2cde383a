use super::*;
use crate::core::sync::Input::{Damaged, Opened, Tick};
use domain::Side;

const QUIET: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn levels(text: &str) -> Vec<PricedQuantity> {
    let level = |pair: &str| {
        let (price, quantity) = pair.split_once('x').unwrap();
        (price.parse().unwrap(), quantity.parse().unwrap())
    };
    text.split_whitespace().map(level).collect()
}

/// A diff with its levels written `price x quantity`.
fn diff(first_id: i64, last_id: i64, bids: &str, asks: &str) -> Input {
    let venue_time = Timestamp::from_millis(last_id);
    Input::Diff(Diff {
        first_id,
        last_id,
        venue_time,
        bids: levels(bids),
        asks: levels(asks),
    })
}

fn snapshot(last_id: i64, limit: usize, bids: &str, asks: &str) -> Input {
    Input::Snapshot(Snapshot {
        last_id,
        limit,
        bids: levels(bids),
        asks: levels(asks),
    })
}

fn limits() -> SyncLimits {
    SyncLimits {
        quiet: QUIET,
        snapshot_retry: at(5),
        buffered_diffs: 4,
        known_levels: 1,
    }
}

fn waiting() -> BookSync {
    BookSync::new(limits(), at(0))
}

/// LIVE at update 10 with one level a side.
fn live() -> BookSync {
    let mut sync = waiting();
    sync.apply(snapshot(10, 100, "99x1", "101x1"), at(0));
    assert_eq!(sync.state(), BookState::Live);
    sync
}

fn asks(sync: &BookSync) -> String {
    let level = |level: domain::BookLevel| format!("{}x{}", level.price, level.quantity);
    sync.book()
        .unwrap()
        .levels(Side::Sell)
        .map(level)
        .collect::<Vec<_>>()
        .join(" ")
}

const SNAPSHOT: Outputs = Outputs {
    publish: false,
    request: Some(Request::Snapshot),
};
const PUBLISH: Outputs = Outputs {
    publish: true,
    request: None,
};
const BOTH: Outputs = Outputs {
    publish: true,
    request: Some(Request::Snapshot),
};
const NOTHING: Outputs = Outputs {
    publish: false,
    request: None,
};

#[test]
fn the_first_diff_bridges_and_the_next_ones_follow() {
    // (first diff on a snapshot with id 10, whether it bridges)
    let table = [
        ((8, 10), "stale"),
        ((8, 11), "live"),
        ((11, 11), "live"),
        ((11, 15), "live"),
        ((12, 15), "gap"),
    ];
    for ((first, last), expected) in table {
        let mut sync = live();
        let outputs = sync.apply(diff(first, last, "", "102x1"), at(1));
        let counters = sync.counters();
        match expected {
            "stale" => assert_eq!((outputs, counters.stale, sync.update_id()), (NOTHING, 1, 10)),
            "live" => assert_eq!((outputs, counters.applied, sync.update_id()), (PUBLISH, 1, last)),
            _ => assert_eq!((outputs, counters.gaps, sync.state()), (BOTH, 1, BookState::Resyncing)),
        }
    }
}

#[test]
fn after_the_bridge_only_the_next_update_follows() {
    let table = [
        ((16, 17), "live"),
        ((15, 16), "gap"),
        ((17, 18), "gap"),
        ((12, 15), "repeat"),
        ((9, 10), "stale"),
    ];
    for ((first, last), expected) in table {
        let mut sync = live();
        sync.apply(diff(11, 15, "", "102x1"), at(1));
        let outputs = sync.apply(diff(first, last, "", "103x1"), at(1));
        let counters = sync.counters();
        match expected {
            "live" => assert_eq!((outputs, sync.update_id()), (PUBLISH, last)),
            "repeat" => assert_eq!((outputs, counters.repeated), (NOTHING, 1)),
            "stale" => assert_eq!((outputs, counters.stale), (NOTHING, 1)),
            _ => assert_eq!(
                (outputs, sync.update_id(), sync.state()),
                (BOTH, 0, BookState::Resyncing)
            ),
        }
    }
}

#[test]
fn diffs_wait_for_their_snapshot() {
    let mut sync = waiting();
    assert!(sync.book().is_none() && sync.venue_time().is_none());
    assert_eq!(sync.apply(diff(9, 10, "", "101x5"), at(0)), SNAPSHOT);
    assert_eq!(sync.apply(diff(11, 12, "", "102x2"), at(0)), NOTHING, "asked already");
    assert_eq!(sync.apply(diff(11, 12, "", "102x9"), at(0)), NOTHING, "a repeat");
    assert_eq!(sync.apply(snapshot(10, 100, "99x1", "101x1"), at(1)), PUBLISH);
    assert_eq!((asks(&sync).as_str(), sync.update_id()), ("101x1 102x2", 12));
    assert_eq!(
        (
            sync.counters().stale,
            sync.counters().applied,
            sync.counters().snapshots
        ),
        (1, 1, 1)
    );
    assert_eq!(sync.venue_time(), Some(Timestamp::from_millis(12)));
    assert_eq!(sync.age(at(4)), at(3));
}

#[test]
fn a_snapshot_older_than_the_first_kept_diff_is_fetched_again() {
    let mut sync = waiting();
    sync.apply(diff(20, 21, "", "102x2"), at(0));
    assert_eq!(sync.apply(snapshot(10, 100, "99x1", "101x1"), at(1)), SNAPSHOT);
    assert_eq!(sync.state(), BookState::Resyncing);
    sync.apply(snapshot(19, 100, "99x1", "101x1"), at(1));
    assert_eq!(
        (sync.state(), sync.update_id(), sync.counters().gaps),
        (BookState::Live, 21, 0)
    );
}

#[test]
fn kept_diffs_have_no_hole_and_a_bound() {
    let mut sync = waiting();
    for (first, last) in [(1, 2), (3, 4), (9, 9), (10, 10), (11, 11), (12, 12), (13, 13)] {
        sync.apply(diff(first, last, "", ""), at(0));
    }
    assert_eq!(
        sync.apply(snapshot(8, 100, "99x1", "101x1"), at(0)),
        SNAPSHOT,
        "only 13 is kept"
    );
    sync.apply(snapshot(12, 100, "99x1", "101x1"), at(0));
    assert_eq!(sync.update_id(), 13);
}

#[test]
fn a_diff_after_a_gap_is_kept_for_the_next_snapshot() {
    let mut sync = live();
    assert_eq!(sync.apply(diff(14, 15, "", "102x2"), at(1)), BOTH);
    sync.apply(diff(16, 16, "", "103x1"), at(1));
    sync.apply(snapshot(14, 100, "99x1", "101x7"), at(2));
    assert_eq!(
        (sync.state(), sync.update_id(), asks(&sync).as_str()),
        (BookState::Live, 16, "101x7 102x2 103x1")
    );
}

#[test]
fn a_missing_snapshot_is_asked_for_again_only_when_overdue() {
    let mut sync = waiting();
    assert_eq!(sync.apply(Tick, at(0)), SNAPSHOT);
    assert_eq!(sync.apply(Tick, at(4)), NOTHING);
    assert_eq!(sync.apply(Tick, at(5)), SNAPSHOT);
    assert_eq!(sync.apply(Opened, at(6)), SNAPSHOT, "a new stream needs a new snapshot");
}

#[test]
fn damage_discards_the_book() {
    let mut sync = live();
    assert_eq!(sync.apply(Damaged, at(1)), BOTH);
    assert_eq!((sync.state(), sync.update_id()), (BookState::Resyncing, 0));
    assert_eq!(sync.apply(Damaged, at(1)), NOTHING);
}

#[test]
fn a_crossed_book_is_discarded() {
    let mut sync = live();
    assert_eq!(sync.apply(diff(11, 11, "101x1", ""), at(1)), BOTH);
    assert_eq!((sync.state(), sync.counters().crossed), (BookState::Resyncing, 1));
    // Neither is a crossed snapshot taken, nor a diff kept that crosses one.
    assert_eq!(sync.apply(snapshot(20, 100, "102x1", "101x1"), at(7)), SNAPSHOT);
    sync.apply(diff(21, 21, "103x1", ""), at(7));
    assert_eq!(sync.apply(snapshot(20, 100, "99x1", "101x1"), at(8)), SNAPSHOT);
    assert_eq!((sync.state(), sync.counters().crossed), (BookState::Resyncing, 3));
    sync.apply(snapshot(21, 100, "99x1", "101x1"), at(9));
    assert_eq!(sync.state(), BookState::Live);
}

#[test]
fn a_book_beyond_its_snapshot_is_exhausted() {
    let mut sync = waiting();
    sync.apply(snapshot(10, 2, "99x1", "101x1 102x1"), at(0));
    sync.apply(diff(11, 11, "", "105x1"), at(0));
    assert_eq!(
        sync.book().unwrap().top(9).1.len(),
        2,
        "105 is known, what lies between is not"
    );
    sync.apply(diff(12, 12, "", "101x0"), at(0));
    assert_eq!(sync.state(), BookState::Live);
    assert_eq!(sync.apply(diff(13, 13, "", "102x0"), at(0)), BOTH);
    assert_eq!((sync.state(), sync.counters().exhausted), (BookState::Resyncing, 1));
}

#[test]
fn a_thin_book_is_replaced_while_it_stays_live() {
    let mut sync = BookSync::new(
        SyncLimits {
            known_levels: 2,
            ..limits()
        },
        at(0),
    );
    sync.apply(snapshot(10, 2, "99x1", "101x1 102x1"), at(0));
    assert!(!sync.is_thin());
    sync.apply(diff(11, 11, "", "102x0"), at(1));
    assert!(sync.is_thin());
    assert_eq!(sync.apply(Tick, at(1)), SNAPSHOT);
    sync.apply(diff(12, 12, "", "103x5"), at(2));
    assert_eq!(sync.state(), BookState::Live);
    // The snapshot is older than the book; the diff since brings it up to date.
    assert_eq!(sync.apply(snapshot(11, 9, "99x1", "101x1 104x1"), at(3)), PUBLISH);
    assert_eq!(
        (sync.state(), sync.update_id(), asks(&sync).as_str()),
        (BookState::Live, 12, "101x1 103x5 104x1")
    );
    assert!(!sync.is_thin());
    assert_eq!(
        sync.apply(snapshot(5, 9, "99x1", "101x1"), at(3)),
        NOTHING,
        "nobody asked for it"
    );
}

#[test]
fn a_renewal_that_does_not_reach_the_book_is_tried_again() {
    let mut sync = BookSync::new(
        SyncLimits {
            known_levels: 2,
            ..limits()
        },
        at(0),
    );
    sync.apply(snapshot(10, 1, "99x1", "101x1"), at(0));
    sync.apply(diff(11, 11, "", "102x1"), at(0));
    assert_eq!(sync.apply(Tick, at(0)), SNAPSHOT);
    assert_eq!(sync.apply(snapshot(9, 9, "99x1", "101x1"), at(1)), SNAPSHOT);
    assert_eq!((sync.state(), sync.update_id()), (BookState::Live, 11));
}

#[test]
fn a_quiet_book_is_stale_until_a_snapshot_confirms_it() {
    let mut sync = live();
    assert_eq!(sync.apply(Tick, at(9)), NOTHING);
    assert_eq!(sync.apply(Tick, at(10)), BOTH);
    assert_eq!((sync.state(), sync.age(at(12))), (BookState::Stale, at(12)));
    assert_eq!(sync.apply(snapshot(10, 100, "99x1", "101x1"), at(12)), PUBLISH);
    assert_eq!((sync.state(), sync.age(at(12))), (BookState::Live, at(0)));
}

#[test]
fn a_stale_book_is_live_when_data_goes_on() {
    let mut sync = live();
    sync.apply(Tick, at(10));
    assert_eq!(sync.apply(diff(11, 11, "", "102x1"), at(11)), PUBLISH);
    assert_eq!(sync.state(), BookState::Live);
    sync.apply(Tick, at(30));
    sync.apply(diff(13, 13, "", "102x1"), at(31));
    assert_eq!(sync.state(), BookState::Resyncing);
}

#[test]
fn a_snapshot_that_contradicts_the_book_replaces_it() {
    let mut sync = live();
    sync.apply(Tick, at(10));
    assert_eq!(sync.apply(snapshot(10, 100, "99x1", "101x2"), at(11)), PUBLISH);
    assert_eq!(
        (sync.state(), sync.counters().mismatches, asks(&sync).as_str()),
        (BookState::Live, 1, "101x2")
    );
}

#[test]
fn a_stream_that_is_behind_stays_stale_and_is_then_dead() {
    let mut sync = live();
    sync.apply(Tick, at(10));
    sync.apply(snapshot(20, 100, "99x1", "101x9"), at(11));
    assert_eq!(
        (sync.state(), sync.update_id(), asks(&sync).as_str()),
        (BookState::Stale, 20, "101x9")
    );
    assert_ne!(sync.apply(Tick, at(20)).request, Some(Request::Reconnect));
    sync.apply(snapshot(20, 100, "99x1", "101x9"), at(20));
    assert_eq!(
        sync.state(),
        BookState::Stale,
        "the same snapshot again proves nothing about the stream"
    );
    assert_eq!(sync.apply(Tick, at(21)).request, Some(Request::Reconnect));
    assert_ne!(
        sync.apply(Tick, at(22)).request,
        Some(Request::Reconnect),
        "once a bound"
    );
    // Data that bridges ends the doubt.
    sync.apply(diff(19, 21, "", "102x1"), at(23));
    assert_eq!((sync.state(), sync.update_id()), (BookState::Live, 21));
    assert_eq!(sync.apply(Tick, at(24)), NOTHING);
}

#[test]
fn a_snapshot_ahead_of_a_live_book_is_taken_and_late_diffs_are_dropped() {
    let mut sync = live();
    assert_eq!(sync.apply(snapshot(12, 100, "99x1", "101x3"), at(1)), PUBLISH);
    sync.apply(diff(11, 12, "", "101x3"), at(1));
    sync.apply(diff(13, 13, "", "101x4"), at(1));
    assert_eq!(
        (sync.state(), asks(&sync).as_str(), sync.counters().stale),
        (BookState::Live, "101x4", 1)
    );
}

#[test]
fn confirmation_keeps_what_only_the_book_knows() {
    let mut sync = waiting();
    sync.apply(snapshot(10, 2, "99x1", "101x1 102x1"), at(0));
    sync.apply(diff(11, 11, "", "109x1"), at(0));
    sync.apply(snapshot(11, 3, "99x1", "101x1 102x1 103x1"), at(1));
    assert_eq!(
        (asks(&sync).as_str(), sync.counters().mismatches),
        ("101x1 102x1 103x1 109x1", 0)
    );
    // A shallower one confirms, and takes nothing away.
    sync.apply(snapshot(11, 1, "99x1", "101x1"), at(2));
    assert_eq!((sync.book().unwrap().top(9).1.len(), sync.age(at(2))), (3, at(0)));
    // One that knows 104 to be absent or different is a contradiction.
    sync.apply(snapshot(11, 9, "99x1", "101x1 102x1 103x1"), at(3));
    assert_eq!(
        (sync.counters().mismatches, asks(&sync).as_str()),
        (1, "101x1 102x1 103x1")
    );
}

#[test]
fn counters_add_up() {
    let one = live().counters();
    let mut sum = one;
    sum.add(&one);
    assert_eq!(sum.snapshots, 2);
}
