//! A command with all that follows from it, as one piece: an order that changes moves the orders that hang on it.

use super::command::{Command, Now};
use super::decide::{Answer, Decider};
use super::event::Event;
use super::group;
use super::market::Market;
use super::state::State;
use std::collections::VecDeque;

impl Decider {
    /// Decides a command and everything that follows from it. Each event is handed to `record`, which applies it to the
    /// state before the next is decided; all of them belong into one batch of the journal.
    ///
    /// # Errors
    /// The first of `record`.
    pub fn settle<E>(
        &mut self,
        command: &Command,
        now: Now,
        market: &Market,
        mut record: impl FnMut(&mut State, Event) -> Result<(), E>,
    ) -> Result<Answer, E> {
        let decision = self.decide(command, now, market);
        let mut due: VecDeque<u64> = VecDeque::new();
        if matches!(command, Command::Tick) {
            due.extend(self.waiting());
        }
        let mut events = decision.events;
        loop {
            let mut changed = Vec::new();
            for event in events {
                changed.extend(event.order(self.state.sequence() + 1));
                record(&mut self.state, event)?;
            }
            for order in changed {
                self.state.hanging_on(order, &mut due);
            }
            let Some(next) = due.pop_front() else {
                return Ok(decision.answer);
            };
            events = match self.state.order(next) {
                Some(entry) if entry.order.status().is_held() => self.review(entry, now, market),
                Some(entry) => group::ends_with_its_rival(&self.state, entry, now),
                None => Vec::new(),
            };
        }
    }

    /// The held orders that wait for more than their price.
    fn waiting(&self) -> impl Iterator<Item = u64> {
        let held = self.state.held_orders();
        let waiting = held.filter(|entry| entry.triggered.is_some() || entry.is_linked());
        waiting.map(|entry| entry.accepted)
    }
}

impl State {
    /// Adds the orders on which a change of this one may bear: itself if it is held, its group, and the one that takes its
    /// place.
    fn hanging_on(&self, order: u64, due: &mut VecDeque<u64>) {
        let Some(entry) = self.order(order) else { return };
        if entry.order.status().is_held() {
            due.push_back(order);
        }
        if !entry.is_linked() {
            return;
        }
        let members = entry.group().into_iter().flat_map(|group| self.group(group));
        let others = members
            .filter(|other| other.accepted != order)
            .map(|other| other.accepted);
        due.extend(others.chain(entry.replaced_by));
    }
}
