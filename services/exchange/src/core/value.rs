//! What each base is worth, unknown to most of the crowd: correlated random walks with changing volatility.
//!
//! A return is `beta × market + sector + own`, plus a slowly turning drift. The market's variance follows a GARCH(1,1)
//! recursion, and a regime (calm, normal, storm) scales everything; so volatility clusters, trends last minutes and turn.

use super::dice::Dice;
use super::listing::{Listing, SECTORS};

/// Length of one step of the walk, in seconds.
pub const STEP_SECONDS: f64 = 0.1;

/// Market volatility in normal times, as a fraction over the square root of a second: about 45 % a year.
const MARKET_VOLATILITY: f64 = 8e-5;

/// Sector volatility, likewise.
const SECTOR_VOLATILITY: f64 = 5e-5;

/// How long a drift lasts, in seconds.
const DRIFT_SECONDS: f64 = 150.0;

/// Size of the drift relative to the volatility of the same span.
const DRIFT_SHARE: f64 = 0.6;

/// Pull towards the start price, a second: keeps a market that runs for weeks near where it began.
const PULL: f64 = 2e-6;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Regime {
    Calm,
    Normal,
    Storm,
}

impl Regime {
    fn scale(self) -> f64 {
        match self {
            Regime::Calm => 0.6,
            Regime::Normal => 1.0,
            Regime::Storm => 2.4,
        }
    }

    /// Mean stay, in seconds.
    fn stay(self) -> f64 {
        match self {
            Regime::Calm => 240.0,
            Regime::Normal => 300.0,
            Regime::Storm => 45.0,
        }
    }

    fn next(self, dice: &mut Dice) -> Self {
        match self {
            Regime::Calm => Regime::Normal,
            Regime::Storm => Regime::Normal,
            Regime::Normal if dice.chance(0.4) => Regime::Storm,
            Regime::Normal => Regime::Calm,
        }
    }
}

#[derive(Clone, Debug)]
struct Walk {
    value: f64,
    anchor: f64,
    drift: f64,
    beta: f64,
    sector: usize,
    own_volatility: f64,
}

/// The values of all symbols.
#[derive(Clone, Debug)]
pub struct Values {
    walks: Vec<Walk>,
    regime: Regime,
    market_variance: f64,
    market_drift: f64,
}

impl Values {
    /// Walks that begin at `start` for each listing.
    pub fn new(listings: &[Listing], start: &[f64]) -> Self {
        let walk = |(listing, value): (&Listing, &f64)| Walk {
            value: *value,
            anchor: listing.start_price,
            drift: 0.0,
            beta: listing.beta,
            sector: listing.sector,
            own_volatility: listing.own_volatility,
        };
        Self {
            walks: listings.iter().zip(start).map(walk).collect(),
            regime: Regime::Normal,
            market_variance: 1.0,
            market_drift: 0.0,
        }
    }

    /// The value of one symbol, in USDT.
    pub fn get(&self, symbol: usize) -> f64 {
        self.walks[symbol].value
    }

    /// Volatility now relative to normal times.
    pub fn heat(&self) -> f64 {
        self.regime.scale() * self.market_variance.sqrt()
    }

    /// Moves every value by `seconds`.
    pub fn advance(&mut self, seconds: f64, dice: &mut Dice) {
        if dice.chance(seconds / self.regime.stay()) {
            self.regime = self.regime.next(dice);
        }
        let root = seconds.sqrt();
        let scale = self.regime.scale() * root;
        let shock = dice.normal();
        let market = MARKET_VOLATILITY * self.market_variance.sqrt() * scale * shock;
        let recursion = 0.02 + self.market_variance * (0.93 + 0.05 * shock * shock);
        self.market_variance = recursion.clamp(0.25, 9.0);
        let market = market + self.market_drift * seconds;
        turn(&mut self.market_drift, MARKET_VOLATILITY, seconds, dice);
        let mut sectors = [0.0; SECTORS];
        for sector in &mut sectors {
            *sector = SECTOR_VOLATILITY * scale * dice.normal();
        }
        for walk in &mut self.walks {
            let own = walk.own_volatility * scale * dice.normal() + walk.drift * seconds;
            let pull = PULL * seconds * (1.0 - walk.value / walk.anchor);
            let change = walk.beta * market + sectors[walk.sector] + own + pull;
            walk.value *= 1.0 + change.clamp(-0.2, 0.2);
            turn(&mut walk.drift, walk.own_volatility, seconds, dice);
        }
    }

    /// Moves every value by a time so long that drifts and regimes have come and gone.
    pub fn stride(&mut self, seconds: f64, dice: &mut Dice) {
        let root = seconds.sqrt();
        let market = MARKET_VOLATILITY * root * dice.normal();
        let sectors: [f64; SECTORS] = std::array::from_fn(|_| SECTOR_VOLATILITY * root * dice.normal());
        for walk in &mut self.walks {
            let own = walk.own_volatility * root * dice.normal();
            let pull = PULL * seconds * (1.0 - walk.value / walk.anchor);
            let change = walk.beta * market + sectors[walk.sector] + own + pull;
            walk.value *= 1.0 + change.clamp(-0.2, 0.2);
        }
    }
}

/// One step of a mean-reverting drift whose effect over its own life is [`DRIFT_SHARE`] of the volatility.
fn turn(drift: &mut f64, volatility: f64, seconds: f64, dice: &mut Dice) {
    let decay = (seconds / DRIFT_SECONDS).min(1.0);
    let size = DRIFT_SHARE * volatility / DRIFT_SECONDS.sqrt();
    *drift += -*drift * decay + size * (2.0 * decay).sqrt() * dice.normal();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::listing::catalogue;

    fn correlation(one: &[f64], other: &[f64]) -> f64 {
        let mean = |series: &[f64]| series.iter().sum::<f64>() / series.len() as f64;
        let (a, b) = (mean(one), mean(other));
        let covariance: f64 = one.iter().zip(other).map(|(x, y)| (x - a) * (y - b)).sum();
        let spread = |series: &[f64], m: f64| series.iter().map(|x| (x - m).powi(2)).sum::<f64>().sqrt();
        covariance / (spread(one, a) * spread(other, b))
    }

    #[test]
    fn returns_correlate_cluster_and_stay_positive() {
        let listings = catalogue(12);
        let start: Vec<f64> = listings.iter().map(|listing| listing.start_price).collect();
        let mut values = Values::new(&listings, &start);
        let mut dice = Dice::new(3);
        let mut returns = vec![Vec::new(); listings.len()];
        let mut regimes = Vec::new();
        for _ in 0..20_000 {
            let before: Vec<f64> = (0..listings.len()).map(|symbol| values.get(symbol)).collect();
            values.advance(1.0, &mut dice);
            if !regimes.contains(&values.regime) {
                regimes.push(values.regime);
            }
            for (symbol, series) in returns.iter_mut().enumerate() {
                series.push(values.get(symbol) / before[symbol] - 1.0);
            }
        }
        assert_eq!(regimes.len(), 3, "every regime is visited");
        assert!(correlation(&returns[0], &returns[1]) > 0.3);
        let sizes: Vec<f64> = returns[0].iter().map(|r| r.abs()).collect();
        assert!(
            correlation(&sizes[1..], &sizes[..sizes.len() - 1]) > 0.05,
            "volatility clusters"
        );
        for (symbol, value) in start.iter().enumerate() {
            let ratio = values.get(symbol) / value;
            assert!((0.2..5.0).contains(&ratio), "{ratio}");
        }
        assert!(values.heat() > 0.0);
        (0..1_000).for_each(|_| values.stride(28_800.0, &mut dice));
        for (symbol, value) in start.iter().enumerate() {
            let ratio = values.get(symbol) / value;
            assert!((0.05..20.0).contains(&ratio), "{ratio} after a year of strides");
        }
    }
}
