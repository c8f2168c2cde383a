//! Orders of ours that are not kept here any more, and of which the venue says something.

use super::control::{external, listed, open};
use super::*;
use VenueStatus::{Cancelled, Filled, Live};

/// Two orders that are over, of which one is kept: the first is forgotten, after it has traded as the venue said.
fn forgetful(last: &VenueState) -> (Desk, u64, u64) {
    let kept = Kept {
        closed_orders: 1,
        refusals: 9,
    };
    let mut desk = Desk::with(limits(), kept);
    let mut over = |last: VenueState| {
        let order = open(&mut desk);
        desk.news(order, News::State(Box::new(last)));
        desk.now += 1_000_000;
        order
    };
    let (forgotten, kept) = (over(last.clone()), over(*state_of(Cancelled, "0", &[])));
    assert!(desk.decider.state.order(forgotten).is_none());
    assert_eq!(desk.decider.state.had_traded(forgotten), Some(last.executed));
    (desk, forgotten, kept)
}

#[test]
fn of_a_forgotten_order_what_is_new_is_told_once_and_what_is_late_never() {
    let trades: &[(u64, &str, &str)] = &[(1, "100", "0.5"), (2, "99", "0.5")];
    let untraded = state_of(Cancelled, "0", &[]);
    let half = state_of(Cancelled, "0.5", &trades[..1]);
    let whole = state_of(Filled, "1", trades);
    for (last, news, tells) in [
        (&untraded, News::State(state_of(Live, "0", &[])), true),
        (&untraded, News::State(state_of(Live, "0.5", &trades[..1])), true),
        (&untraded, News::State(half.clone()), true),
        (&untraded, News::Found(whole.clone()), true),
        (&untraded, News::State(untraded.clone()), false),
        (&untraded, News::Found(state_of(VenueStatus::Expired, "0", &[])), false),
        (&untraded, News::CancelUnsure, false),
        (&untraded, News::Unknown, false),
        (&half, News::State(whole.clone()), true),
        (&half, News::State(state_of(Live, "0.5", &trades[..1])), true),
        // What the stream tells late, as it was under way.
        (&half, News::State(state_of(Live, "0", &[])), false),
        (&half, News::State(half.clone()), false),
        (&whole, News::State(state_of(Live, "0", &[])), false),
        (&whole, News::State(state_of(Live, "0.5", &trades[..1])), false),
        (&whole, News::State(state_of(Filled, "1", &trades[1..])), false),
        (&whole, News::Found(whole.clone()), false),
    ] {
        let (mut desk, forgotten, _) = forgetful(last);
        let (sequence, held) = (desk.decider.state.sequence(), desk.balance("BTC"));
        match desk.news(forgotten, news.clone()) {
            Answer::Alert(alert) if tells => {
                assert_eq!(alert.reason, "ORDER_FORGOTTEN");
                assert!(
                    alert.message.contains(order_id(0, forgotten).as_str()),
                    "{}",
                    alert.message
                );
            }
            answer => assert!(!tells && answer == Answer::Done, "{last:?} {news:?}: {answer:?}"),
        }
        assert_eq!(desk.news(forgotten, news), Answer::Done, "it was told");
        assert_eq!(
            (desk.decider.state.sequence(), desk.balance("BTC")),
            (sequence, held),
            "nothing of it is applied"
        );
        assert_eq!(desk.replayed(), desk.decider.state);
    }
}

#[test]
fn what_people_were_told_is_remembered_of_the_newest_orders() {
    let mut desk = Desk::new();
    let told =
        |desk: &mut Desk, order: u64| reason(&desk.news(order, News::State(state_of(Live, "0", &[])))).to_owned();
    for order in 100..1_101 {
        assert_eq!(told(&mut desk, order), "ORDER_FORGOTTEN");
    }
    assert_eq!(told(&mut desk, 1_100), "");
    assert_eq!(told(&mut desk, 101), "");
    assert_eq!(told(&mut desk, 100), "ORDER_FORGOTTEN", "that is too long ago");
}

#[test]
fn a_forgotten_order_that_is_open_is_kept_like_one_of_somebody_else() {
    let (mut desk, forgotten, kept) = forgetful(&state_of(Cancelled, "0", &[]));
    let of_ours = |desk: &Desk, number: &str, accepted: u64| ListedOrder {
        client_id: desk.decider.ids().make(accepted),
        accepted: Some(accepted),
        ..listed(number, Side::Buy, Some("100"), "0")
    };
    // What is kept here is not of somebody else, however the venue lists it.
    let orders = [of_ours(&desk, "77", forgotten), of_ours(&desk, "78", kept)];
    assert_eq!(external(&mut desk, None, &orders), ["ORDER_FORGOTTEN"]);
    let account = desk.decider.state.account(&account("one")).unwrap();
    assert_eq!(account.external.keys().collect::<Vec<_>>(), ["77"]);
    assert_eq!(account.free(&Asset::parse("USDT").unwrap()).unwrap(), money("9800"));
    // Nobody is told again of what is known, neither by a look nor by the stream; a fill is news.
    assert!(external(&mut desk, None, &orders).is_empty());
    assert_eq!(desk.tell(Command::StillOpen(forgotten)), Answer::Done);
    assert_eq!(
        desk.news(forgotten, News::State(state_of(Live, "0", &[]))),
        Answer::Done
    );
    let filled = desk.news(forgotten, News::State(state_of(Live, "1", &[(1, "100", "1")])));
    assert_eq!(reason(&filled), "ORDER_FORGOTTEN");
    let other = desk.news(forgotten + 1, News::State(state_of(Live, "0", &[])));
    assert_eq!(reason(&other), "ORDER_FORGOTTEN", "another order under the same number");
    assert!(external(&mut desk, None, &[]).is_empty());
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn what_a_live_order_hangs_on_is_not_forgotten() {
    let kept = Kept {
        closed_orders: 1,
        refusals: 1,
    };
    let generous = Limits {
        max_orders_per_second: 99,
        max_open_orders: 9,
        ..limits()
    };
    let mut desk = Desk::with(generous, kept);
    let (entry, profit, loss) = desk.bracket(false);
    desk.news(entry, News::State(state_of(Cancelled, "1", &[(1, "100", "1")])));
    for at in ["91", "92", "93"] {
        let other = desk.accepted(Side::Buy, "1", at);
        desk.news(other, News::Rejected("WHY".into()));
        assert!(desk.decider.state.order(other).is_none());
    }
    assert_eq!(
        desk.entry(entry).order.filled(),
        quantity("1"),
        "its exits trade what it has filled"
    );
    desk.mark("110");
    assert_eq!(
        (desk.status(profit), desk.entry(profit).order.quantity()),
        (OrderStatus::PendingNew, quantity("1"))
    );
    desk.news(profit, News::State(state_of(Filled, "1", &[(2, "110", "1")])));
    assert!(desk.decider.state.order(entry).is_none() && desk.decider.state.order(loss).is_none());
    desk.replays();
}

#[test]
fn what_is_over_is_forgotten_with_its_group() {
    let kept = Kept {
        closed_orders: 1,
        refusals: 1,
    };
    let mut desk = Desk::with(limits(), kept);
    let (limit, stop) = desk.oco("10");
    desk.news(limit, News::State(state_of(Filled, "10", &[(1, "110", "10")])));
    assert!(desk.decider.state.order(limit).is_none());
    assert_eq!(desk.why(stop), (OrderStatus::Cancelled, "OCO_FILLED"));
    assert_eq!(desk.decider.state.group(limit).count(), 1);
    let other = desk.accepted(Side::Buy, "1", "99");
    desk.news(other, News::Rejected("WHY".into()));
    assert_eq!(desk.decider.state.group(limit).count(), 0);
    desk.replays();
}
