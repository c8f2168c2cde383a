//! The crowd of one symbol: agents that quote, pass by, follow, or know something.
//!
//! Agents decide from what they see; the venue performs their actions and tells makers of their fills.
//! - Three **makers** quote ladders around what they believe the base is worth, leaning against their inventory.
//! - **Passers** rest a limit order for a while, or take at market in short runs of one direction (noise).
//! - **Followers** take in the direction of the recent move (momentum).
//! - The **informed** know the value and where it drifts, and take towards it: order flow carries information.

use super::dice::Dice;
use super::listing::Listing;
use super::market::{Market, Owner};
use super::order::Side;
use std::collections::VecDeque;

/// Makers of a symbol.
pub const MAKERS: usize = 3;

/// Orders in a maker's ladder, a side.
pub const SLOTS: usize = 8;

/// Actions a second of a symbol of activity 1 at scale 1.
const ACTIONS_PER_SECOND: f64 = 14.5;

/// How many passers' orders may rest in a symbol.
const PASSERS: usize = 24;

/// The worst price that a taker accepts, as a fraction from the best.
const SLIPPAGE: f64 = 0.004;

/// What an agent does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Withdraws an order.
    Cancel(u64),
    /// Rests an order; the venue drops it if it would cross.
    Rest {
        /// Whose order it is.
        owner: Owner,
        /// Buy or sell.
        side: Side,
        /// Price.
        ticks: i64,
        /// Quantity.
        lots: i64,
    },
    /// Takes at `ticks` or better, and rests nothing.
    Take {
        /// Buy or sell.
        side: Side,
        /// Worst price.
        ticks: i64,
        /// Quantity.
        lots: i64,
    },
}

/// What the agents of one symbol may look at.
pub struct Scene<'a> {
    /// The market.
    pub market: &'a Market,
    /// True value, in USDT: only the informed read it directly, makers with a lag.
    pub value: f64,
    /// Volatility relative to normal times.
    pub heat: f64,
    /// µs.
    pub now: i64,
}

#[derive(Clone, Debug, Default)]
struct Maker {
    inventory: i64,
    slots: [[Option<(u64, i64)>; SLOTS]; 2],
}

/// The agents of one symbol.
#[derive(Clone, Debug)]
pub struct Crowd {
    makers: Vec<Maker>,
    passers: VecDeque<u64>,
    belief: f64,
    fast: f64,
    slow: f64,
    run: Side,
    actions_per_micro: f64,
    /// When the next of them acts, µs.
    pub next: i64,
}

fn index(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Crowd {
    /// A crowd that starts at `now` believing in `value`.
    pub fn new(listing: &Listing, value: f64, scale: f64, now: i64) -> Self {
        Self {
            makers: vec![Maker::default(); MAKERS],
            passers: VecDeque::with_capacity(PASSERS),
            belief: value,
            fast: value,
            slow: value,
            run: Side::Buy,
            actions_per_micro: ACTIONS_PER_SECOND * scale * listing.activity / 1e6,
            next: now,
        }
    }

    /// Every slot of every maker, for the first book.
    pub fn open(&mut self, scene: &Scene, dice: &mut Dice) -> Vec<Action> {
        let mut actions = Vec::new();
        for maker in 0..MAKERS {
            for side in [Side::Buy, Side::Sell] {
                (0..SLOTS).for_each(|slot| self.quote(scene, maker, side, slot, dice, &mut actions));
            }
        }
        actions
    }

    /// One agent's turn, and when the next one comes.
    pub fn act(&mut self, scene: &Scene, dice: &mut Dice) -> Vec<Action> {
        self.next += (dice.wait(1.0 / self.actions_per_micro) as i64).max(1);
        self.look(scene, dice);
        let mut actions = Vec::new();
        match dice.unit() {
            turn if turn < 0.62 => self.make(scene, dice, &mut actions),
            turn if turn < 0.78 => self.pass(scene, dice, &mut actions),
            turn if turn < 0.90 => self.noise(scene, dice, &mut actions),
            turn if turn < 0.95 => self.follow(scene, dice, &mut actions),
            _ => self.inform(scene, dice, &mut actions),
        }
        actions
    }

    fn look(&mut self, scene: &Scene, dice: &mut Dice) {
        let listing = &scene.market.listing;
        let mid = scene.market.mid();
        let seen = 0.88 * scene.value + 0.12 * mid + 0.25 * listing.half_spread * scene.value * dice.normal();
        self.belief += 0.2 * (seen - self.belief);
        self.fast += 0.02 * (mid - self.fast);
        self.slow += 0.003 * (mid - self.slow);
    }

    /// A maker renews one slot of each side, and every slot that its belief has overtaken.
    fn make(&mut self, scene: &Scene, dice: &mut Dice, actions: &mut Vec<Action>) {
        let maker = dice.below(MAKERS);
        let listing = &scene.market.listing;
        for side in [Side::Buy, Side::Sell] {
            // the top of the ladder moves most
            let chosen = dice.below(SLOTS).min(dice.below(SLOTS));
            for slot in 0..SLOTS {
                let overtaken = self.makers[maker].slots[index(side)][slot].is_some_and(|(_, ticks)| {
                    let price = listing.price_of(ticks);
                    match side {
                        Side::Buy => price > self.belief,
                        Side::Sell => price < self.belief,
                    }
                });
                let empty_top = slot < 2 && self.makers[maker].slots[index(side)][slot].is_none();
                if slot == chosen || overtaken || empty_top {
                    self.quote(scene, maker, side, slot, dice, actions);
                }
            }
        }
    }

    fn quote(
        &mut self,
        scene: &Scene,
        maker: usize,
        side: Side,
        slot: usize,
        dice: &mut Dice,
        actions: &mut Vec<Action>,
    ) {
        let listing = &scene.market.listing;
        let state = &mut self.makers[maker];
        if let Some((id, _)) = state.slots[index(side)][slot].take() {
            actions.push(Action::Cancel(id));
        }
        let tick = listing.price_of(1);
        let half = (listing.half_spread * scene.heat.clamp(0.7, 4.0) * self.belief).max(tick);
        // a full inventory of twenty typical orders moves the quotes by half a spread
        let full = listing.lots_worth(20.0 * listing.typical_value, self.belief) as f64;
        let lean = (state.inventory as f64 / full).clamp(-2.0, 2.0) * half;
        let step = half * (0.35 + 0.12 * maker as f64) * slot as f64 * (1.0 + 0.15 * slot as f64);
        let away = half * dice.between(0.75, 1.25) + step.max(tick * slot as f64);
        let price = match side {
            Side::Buy => self.belief - lean - away,
            Side::Sell => self.belief - lean + away,
        };
        let value = listing.typical_value * dice.between(0.3, 1.4) * (1.0 + 0.4 * slot as f64);
        let lots = listing.lots_worth(value, self.belief);
        let ticks = beside(scene.market, side, listing.ticks_of(price));
        actions.push(Action::Rest {
            owner: Owner::Maker { maker, slot },
            side,
            ticks,
            lots,
        });
    }

    /// A passer rests an order; the oldest leaves when there are many.
    fn pass(&mut self, scene: &Scene, dice: &mut Dice, actions: &mut Vec<Action>) {
        if self.passers.len() >= PASSERS || (self.passers.len() > 4 && dice.chance(0.35)) {
            actions.extend(self.passers.pop_front().map(Action::Cancel));
        }
        let listing = &scene.market.listing;
        let side = if dice.chance(0.5) { Side::Buy } else { Side::Sell };
        let reach = listing.half_spread * (0.5 + dice.wait(12.0));
        let price = match side {
            Side::Buy => self.belief * (1.0 - reach.min(0.04)),
            Side::Sell => self.belief * (1.0 + reach.min(0.04)),
        };
        let lots = listing.lots_worth(listing.typical_value * dice.between(0.1, 2.0), self.belief);
        let ticks = beside(scene.market, side, listing.ticks_of(price));
        actions.push(Action::Rest {
            owner: Owner::Passer,
            side,
            ticks,
            lots,
        });
    }

    fn noise(&mut self, scene: &Scene, dice: &mut Dice, actions: &mut Vec<Action>) {
        if dice.chance(0.35) {
            self.run = self.run.opposite();
        }
        actions.extend(take(scene, self.run, dice));
    }

    fn follow(&mut self, scene: &Scene, dice: &mut Dice, actions: &mut Vec<Action>) {
        let move_ = self.fast / self.slow - 1.0;
        if move_.abs() > 0.4 * scene.market.listing.half_spread {
            let side = if move_ > 0.0 { Side::Buy } else { Side::Sell };
            actions.extend(take(scene, side, dice));
        }
    }

    fn inform(&mut self, scene: &Scene, dice: &mut Dice, actions: &mut Vec<Action>) {
        let mispricing = scene.value / scene.market.mid() - 1.0;
        if mispricing.abs() > 0.15 * scene.market.listing.half_spread {
            let side = if mispricing > 0.0 { Side::Buy } else { Side::Sell };
            actions.extend(take(scene, side, dice));
        }
    }

    /// An order of the crowd now rests under `id`.
    pub fn rested(&mut self, owner: &Owner, side: Side, id: u64, ticks: i64) {
        match owner {
            Owner::Maker { maker, slot } => self.makers[*maker].slots[index(side)][*slot] = Some((id, ticks)),
            Owner::Passer => self.passers.push_back(id),
            Owner::Account(_) => {}
        }
    }

    /// A resting order of the crowd on `side` filled; `left` lots remain.
    pub fn filled(&mut self, owner: &Owner, side: Side, lots: i64, left: i64) {
        if let Owner::Maker { maker, slot } = owner {
            let state = &mut self.makers[*maker];
            state.inventory += if side == Side::Buy { lots } else { -lots };
            if left == 0 {
                state.slots[index(side)][*slot] = None;
            }
        }
    }
}

/// The price nearest to `ticks` that does not cross.
fn beside(market: &Market, side: Side, ticks: i64) -> i64 {
    match (side, market.book().best(side.opposite())) {
        (Side::Buy, Some((ask, _))) => ticks.min(ask - 1),
        (Side::Sell, Some((bid, _))) => ticks.max(bid + 1),
        (_, None) => ticks,
    }
}

fn take(scene: &Scene, side: Side, dice: &mut Dice) -> Option<Action> {
    let listing = &scene.market.listing;
    let (best, _) = scene.market.book().best(side.opposite())?;
    let price = listing.price_of(best);
    let size = if dice.chance(0.06) {
        dice.between(1.0, 4.0)
    } else {
        dice.between(0.02, 0.6)
    };
    let lots = listing.lots_worth(listing.typical_value * size, price);
    let ticks = match side {
        Side::Buy => listing.ticks_of(price * (1.0 + SLIPPAGE)).max(best),
        Side::Sell => listing.ticks_of(price * (1.0 - SLIPPAGE)).min(best),
    };
    Some(Action::Take { side, ticks, lots })
}
