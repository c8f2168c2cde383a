//! Retry budgets: repetitions are a fraction of requests, so that a failing peer is not buried under them.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How many repetitions are affordable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// Repetitions that a hundred requests pay for.
    pub retries_per_100_requests: u32,
    /// Repetitions a second that are free, for callers with few requests.
    pub retries_per_s: u32,
    /// Repetitions that can be saved up.
    pub most_saved: u32,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        BudgetConfig {
            retries_per_100_requests: 20,
            retries_per_s: 2,
            most_saved: 100,
        }
    }
}

/// What one repetition costs. A request pays `retries_per_100_requests` of it in.
const PRICE: u64 = 100;

/// A token bucket that requests fill and repetitions empty.
#[derive(Debug)]
pub struct Budget {
    config: BudgetConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    saved: u64,
    filled_at: Instant,
}

impl Budget {
    /// A budget that starts with one second's free repetitions.
    pub fn new(config: BudgetConfig) -> Budget {
        let saved = u64::from(config.retries_per_s) * PRICE;
        Budget {
            config,
            state: Mutex::new(State {
                saved,
                filled_at: Instant::now(),
            }),
        }
    }

    /// Pays in for one request.
    pub fn deposit(&self) {
        let mut state = self.state.lock();
        state.saved = (state.saved + u64::from(self.config.retries_per_100_requests)).min(self.most());
    }

    /// Takes one repetition out; `false` when it is not affordable.
    pub fn withdraw(&self) -> bool {
        let mut state = self.state.lock();
        self.fill(&mut state);
        if state.saved < PRICE {
            return false;
        }
        state.saved -= PRICE;
        true
    }

    fn fill(&self, state: &mut State) {
        let now = Instant::now();
        let elapsed_ms = u64::try_from((now - state.filled_at).as_millis()).unwrap_or(u64::MAX);
        let earned = elapsed_ms.saturating_mul(u64::from(self.config.retries_per_s) * PRICE) / 1_000;
        if earned > 0 {
            state.saved = state.saved.saturating_add(earned).min(self.most());
            state.filled_at = now;
        }
    }

    fn most(&self) -> u64 {
        u64::from(self.config.most_saved) * PRICE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budget, BudgetConfig};

    fn taken(budget: &Budget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).count()
    }

    #[tokio::test(start_paused = true)]
    async fn requests_pay_for_a_fraction_of_repetitions() {
        let budget = Budget::new(BudgetConfig {
            retries_per_100_requests: 20,
            retries_per_s: 0,
            most_saved: 100,
        });
        assert_eq!(taken(&budget), 0);
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(taken(&budget), 20);
        assert!(!budget.withdraw());
    }

    #[tokio::test(start_paused = true)]
    async fn savings_are_bounded() {
        let budget = Budget::new(BudgetConfig {
            retries_per_100_requests: 100,
            retries_per_s: 0,
            most_saved: 5,
        });
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(taken(&budget), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_repetitions_a_second_are_free() {
        let budget = Budget::new(BudgetConfig {
            retries_per_100_requests: 0,
            retries_per_s: 2,
            most_saved: 3,
        });
        assert_eq!(taken(&budget), 2);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(taken(&budget), 1);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&budget), 3);
    }
}
