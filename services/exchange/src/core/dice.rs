//! The crowd's chance: one seeded generator, so that the same seed makes the same market.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded source of the few distributions that the crowd draws from.
#[derive(Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// A generator whose draws are a function of `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..n; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            0
        } else {
            ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
        }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// About standard normal: six uniforms (Irwin–Hall), which needs no logarithm and so gives the same bits everywhere.
    pub fn normal(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..3 {
            let word = self.0.next_u64();
            sum += f64::from(word as u32) + f64::from((word >> 32) as u32);
        }
        (sum / f64::from(u32::MAX) - 3.0) * std::f64::consts::SQRT_2
    }

    /// Exponential with the given mean: the wait for the next of independent events.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_seed_and_the_moments() {
        let (mut one, mut other) = (Dice::new(7), Dice::new(7));
        let draws: Vec<f64> = (0..20_000).map(|_| one.normal()).collect();
        assert!(draws.iter().all(|draw| *draw == other.normal()));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let waits = (0..20_000).map(|_| one.wait(2.0)).sum::<f64>() / 20_000.0;
        assert!((waits - 2.0).abs() < 0.1, "{waits}");
        assert_eq!(one.below(0), 0);
        assert!((0..1000).all(|_| one.below(3) < 3));
        assert!(
            (0..1000)
                .map(|_| one.between(2.0, 3.0))
                .all(|x| (2.0..3.0).contains(&x))
        );
    }
}
