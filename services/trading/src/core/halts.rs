//! Halts: what stops new orders, and cancels the open ones where that was asked for. Cancels pass them.

use super::command::{LiftHalt, Now, SetHalt};
use super::decide::{Alert, Answer, Decider, Decision};
use super::event::{Event, Halt, HaltLifted, HaltScope};
use super::state::State;
use domain::{AccountId, OrderTerms, StrategyId, Symbol, Venue};

/// What a halt is matched with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered<'a> {
    pub(super) venue: &'a Venue,
    pub(super) account: &'a AccountId,
    pub(super) symbol: &'a Symbol,
    pub(super) strategy: Option<&'a StrategyId>,
}

impl<'a> Covered<'a> {
    pub(super) fn of(terms: &'a OrderTerms) -> Covered<'a> {
        Covered {
            venue: &terms.venue,
            account: &terms.account,
            symbol: &terms.symbol,
            strategy: terms.strategy.as_ref(),
        }
    }

    /// The halts that cover it, widest first.
    pub(super) fn halts<'s>(self, state: &'s State) -> impl Iterator<Item = &'s Halt> + use<'s> {
        let targets = [
            (HaltScope::Global, Some("")),
            (HaltScope::Venue, Some(self.venue.as_str())),
            (HaltScope::Account, Some(self.account.as_str())),
            (HaltScope::Strategy, self.strategy.map(StrategyId::as_str)),
            (HaltScope::Symbol, Some(self.symbol.as_str())),
        ];
        let halts = targets.map(|(scope, target)| target.and_then(|target| state.halt(scope, target)));
        halts.into_iter().flatten()
    }
}

impl Decider {
    /// Sets a halt. One that is there already stays as it is, but for a wish to cancel that is new.
    pub(super) fn halt(&self, halt: &SetHalt, now: Now) -> Decision {
        let present = self.state.halt(halt.scope, &halt.target);
        let halt = match present {
            Some(present) if present.cancel_orders || !halt.cancel_orders => {
                return Decision::answer(Answer::Halt(present.clone()));
            }
            Some(present) => Halt {
                cancel_orders: true,
                ..present.clone()
            },
            None => Halt {
                scope: halt.scope,
                target: halt.target.clone(),
                reason: halt.reason.clone(),
                subject: halt.subject.clone(),
                time: now.here,
                cancel_orders: halt.cancel_orders,
            },
        };
        Decision {
            events: vec![Event::HaltSet(halt.clone())],
            answer: Answer::Halt(halt),
        }
    }

    /// Takes over a halt of another shard as it is there.
    pub(super) fn adopt_halt(&self, halt: &Halt) -> Decision {
        let mut decision = Decision::answer(Answer::Halt(halt.clone()));
        if self.state.halt(halt.scope, &halt.target).is_none() {
            decision.events.push(Event::HaltSet(halt.clone()));
        }
        decision
    }

    /// Lifts a halt; one that is not there is lifted already.
    pub(super) fn resume(&self, lift: &LiftHalt) -> Decision {
        let mut decision = Decision::answer(Answer::Done);
        if self.state.halt(lift.scope, &lift.target).is_some() {
            decision.events.push(Event::HaltLifted(HaltLifted {
                scope: lift.scope,
                target: lift.target.clone(),
                subject: lift.subject.clone(),
            }));
        }
        decision
    }

    /// An account that comes in step with its venue loses the live orders that a halt wants to see cancelled: those that
    /// were accepted before the halt, and whose cancels did not get through.
    pub(super) fn cancel_halted(&self, account: &AccountId, is_ready: bool, now: Now) -> Decision {
        let mut decision = Decision::answer(Answer::Done);
        if is_ready {
            let is_meant = |terms: &OrderTerms| Covered::of(terms).halts(&self.state).any(|halt| halt.cancel_orders);
            decision.events = self.cancels_of(account, is_meant, "halt", now).0;
        }
        decision
    }

    /// Decisions after the journal's end are lost: cancels only, until an operator resumes.
    pub(super) fn decisions_lost(&self, venue_id: &str, now: Now) -> Decision {
        let halt = SetHalt {
            scope: HaltScope::Global,
            target: String::new(),
            reason: format!("DECISIONS_LOST: the venue knows order {venue_id}, and the journal does not"),
            subject: "trading".to_owned(),
            cancel_orders: false,
        };
        let message = halt.reason.clone();
        let mut decision = self.halt(&halt, now);
        decision.answer = Answer::Alert(Alert {
            reason: "DECISIONS_LOST",
            message,
        });
        decision
    }
}
