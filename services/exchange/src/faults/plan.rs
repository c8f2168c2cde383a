//! What goes wrong, how often, and within which bounds.

use serde::{Deserialize, Serialize};

/// The longest time that a fault may take, in milliseconds.
pub const LONGEST_MS: u32 = 60_000;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A reply comes late; the venue has acted in time.
    ReplyDelay,
    /// The connection is cut before the venue has acted.
    CutBeforeAcceptance,
    /// The connection is cut after the venue has acted.
    CutAfterAcceptance,
    /// The venue has acted and answers that the status is unknown.
    UnknownAfterAcceptance,
    /// A user data event is lost.
    UserDrop,
    /// A user data event is sent twice.
    UserDuplicate,
    /// A user data event is overtaken by the next one.
    UserReorder,
    /// A user data event, and what follows it, is held back.
    UserDelay,
    /// A market frame is lost.
    MarketDrop,
    /// A market frame is sent twice.
    MarketDuplicate,
    /// A market frame is overtaken by the next one.
    MarketReorder,
    /// A market frame, and what follows it, is held back.
    MarketDelay,
    /// A stream falls silent for a while.
    Stale,
    /// The update ids of a depth frame are damaged.
    DepthDamage,
    /// A WebSocket is cut.
    Disconnect,
    /// A reply of the WebSocket API is sent twice.
    ReplyDuplicate,
    /// A reply of the WebSocket API is overtaken by the next one.
    ReplyReorder,
}

impl Fault {
    /// All of them, in the plan's order.
    pub const ALL: [Fault; 17] = [
        Fault::ReplyDelay,
        Fault::CutBeforeAcceptance,
        Fault::CutAfterAcceptance,
        Fault::UnknownAfterAcceptance,
        Fault::UserDrop,
        Fault::UserDuplicate,
        Fault::UserReorder,
        Fault::UserDelay,
        Fault::MarketDrop,
        Fault::MarketDuplicate,
        Fault::MarketReorder,
        Fault::MarketDelay,
        Fault::Stale,
        Fault::DepthDamage,
        Fault::Disconnect,
        Fault::ReplyDuplicate,
        Fault::ReplyReorder,
    ];

    /// The name of its probability in the plan.
    pub fn name(self) -> &'static str {
        match self {
            Fault::ReplyDelay => "reply_delay",
            Fault::CutBeforeAcceptance => "cut_before_acceptance",
            Fault::CutAfterAcceptance => "cut_after_acceptance",
            Fault::UnknownAfterAcceptance => "unknown_after_acceptance",
            Fault::UserDrop => "user_drop",
            Fault::UserDuplicate => "user_duplicate",
            Fault::UserReorder => "user_reorder",
            Fault::UserDelay => "user_delay",
            Fault::MarketDrop => "market_drop",
            Fault::MarketDuplicate => "market_duplicate",
            Fault::MarketReorder => "market_reorder",
            Fault::MarketDelay => "market_delay",
            Fault::Stale => "stale",
            Fault::DepthDamage => "depth_damage",
            Fault::Disconnect => "disconnect",
            Fault::ReplyDuplicate => "reply_duplicate",
            Fault::ReplyReorder => "reply_reorder",
        }
    }
}

/// Which requests the faults of replies meet. Each holds those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Those that place or cancel orders.
    #[default]
    Trade,
    /// All signed requests.
    Signed,
    /// All requests.
    All,
}

/// What goes wrong, and how often: probabilities from 0 to 1, times in milliseconds of at most [`LONGEST_MS`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// The seed of every decision.
    pub seed: u64,
    /// Which requests the faults of replies meet.
    pub scope: Scope,
    /// Probability that a reply comes late.
    pub reply_delay: f64,
    /// Shortest delay of a late reply.
    pub reply_delay_min_ms: u32,
    /// Longest delay of a late reply.
    pub reply_delay_max_ms: u32,
    /// Probability that the connection is cut before the venue has acted.
    pub cut_before_acceptance: f64,
    /// Probability that the connection is cut after the venue has acted.
    pub cut_after_acceptance: f64,
    /// Probability that the venue has acted and answers that the status is unknown.
    pub unknown_after_acceptance: f64,
    /// Probability that a user data event is lost.
    pub user_drop: f64,
    /// Probability that a user data event is sent twice.
    pub user_duplicate: f64,
    /// Probability that a user data event is overtaken by the next one.
    pub user_reorder: f64,
    /// Probability that a user data event, and what follows it, is held back.
    pub user_delay: f64,
    /// Shortest time that a user data event is held back.
    pub user_delay_min_ms: u32,
    /// Longest time that a user data event is held back.
    pub user_delay_max_ms: u32,
    /// Probability that a market frame is lost.
    pub market_drop: f64,
    /// Probability that a market frame is sent twice.
    pub market_duplicate: f64,
    /// Probability that a market frame is overtaken by the next one.
    pub market_reorder: f64,
    /// Probability that a market frame, and what follows it, is held back.
    pub market_delay: f64,
    /// Shortest time that a market frame is held back.
    pub market_delay_min_ms: u32,
    /// Longest time that a market frame is held back.
    pub market_delay_max_ms: u32,
    /// Probability that a market frame is the first of its stream's silence.
    pub stale: f64,
    /// Shortest silence.
    pub stale_min_ms: u32,
    /// Longest silence.
    pub stale_max_ms: u32,
    /// Probability that the update ids of a depth frame are damaged.
    pub depth_damage: f64,
    /// Probability, in each second of a WebSocket's life, that it is cut.
    pub disconnect: f64,
    /// Probability that a reply of the WebSocket API is sent twice; HTTP has one reply to a request.
    pub reply_duplicate: f64,
    /// Probability that a reply of the WebSocket API is overtaken by the next one of its connection; HTTP keeps their order.
    pub reply_reorder: f64,
}

impl Plan {
    /// How probable a fault is.
    pub fn probability(&self, fault: Fault) -> f64 {
        match fault {
            Fault::ReplyDelay => self.reply_delay,
            Fault::CutBeforeAcceptance => self.cut_before_acceptance,
            Fault::CutAfterAcceptance => self.cut_after_acceptance,
            Fault::UnknownAfterAcceptance => self.unknown_after_acceptance,
            Fault::UserDrop => self.user_drop,
            Fault::UserDuplicate => self.user_duplicate,
            Fault::UserReorder => self.user_reorder,
            Fault::UserDelay => self.user_delay,
            Fault::MarketDrop => self.market_drop,
            Fault::MarketDuplicate => self.market_duplicate,
            Fault::MarketReorder => self.market_reorder,
            Fault::MarketDelay => self.market_delay,
            Fault::Stale => self.stale,
            Fault::DepthDamage => self.depth_damage,
            Fault::Disconnect => self.disconnect,
            Fault::ReplyDuplicate => self.reply_duplicate,
            Fault::ReplyReorder => self.reply_reorder,
        }
    }

    /// The shortest and longest time of a fault that takes time, in milliseconds.
    pub fn bounds(&self, fault: Fault) -> (u32, u32) {
        match fault {
            Fault::ReplyDelay => (self.reply_delay_min_ms, self.reply_delay_max_ms),
            Fault::UserDelay => (self.user_delay_min_ms, self.user_delay_max_ms),
            Fault::MarketDelay => (self.market_delay_min_ms, self.market_delay_max_ms),
            Fault::Stale => (self.stale_min_ms, self.stale_max_ms),
            _ => (0, 0),
        }
    }

    /// Whether anything goes wrong at all.
    pub fn is_active(&self) -> bool {
        Fault::ALL.into_iter().any(|fault| self.probability(fault) > 0.0)
    }

    /// The first fault whose probability or times are out of bounds.
    pub fn invalid(&self) -> Option<Fault> {
        let holds = |fault: &Fault| {
            let (least, most) = self.bounds(*fault);
            (0.0..=1.0).contains(&self.probability(*fault)) && least <= most && most <= LONGEST_MS
        };
        Fault::ALL.into_iter().find(|fault| !holds(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_every_fault_and_checks_its_bounds() {
        for fault in Fault::ALL {
            let plan: Plan = serde_json::from_value(serde_json::json!({fault.name(): 0.5})).unwrap();
            assert_eq!(plan.probability(fault), 0.5, "{fault:?}");
            assert!(plan.is_active() && plan.invalid().is_none());
            let wild: Plan = serde_json::from_value(serde_json::json!({fault.name(): 1.5})).unwrap();
            assert_eq!(wild.invalid(), Some(fault));
        }
        assert!(!Plan::default().is_active());
        let table = [(1, 0, false), (0, LONGEST_MS + 1, false), (5, 5, true)];
        for (least, most, holds) in table {
            let plan = Plan {
                stale_min_ms: least,
                stale_max_ms: most,
                ..Plan::default()
            };
            assert_eq!(plan.invalid().is_none(), holds, "{least} {most}");
        }
        let nan = Plan {
            disconnect: f64::NAN,
            ..Plan::default()
        };
        assert_eq!(nan.invalid(), Some(Fault::Disconnect));
    }
}
