//! The options of `auth`.

use std::path::PathBuf;
use std::time::Duration;

use mesh::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::core::Limit;

/// The options of `auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long an access token lives, in seconds; 30 to 3,600.
    pub access_token_s: u64,
    /// How long a session can be refreshed after its login, in seconds; at least `access_token_s`.
    pub session_s: u64,
    /// How many sessions one user may have; a new one ends the oldest. At least 1.
    pub sessions_per_user: u32,
    /// How many unexpired tokens one service account may hold. At least 1.
    pub tokens_per_service_account: u32,
    /// Whether a password that somebody else chose must be changed before its user may do anything but read the market.
    pub require_password_change: bool,
    /// The folder of the services' published keys (`<service>.pub`); none publishes users' keys only.
    pub keys_dir: Option<PathBuf>,
    /// How password hashes are made.
    pub argon2: Argon2Config,
    /// How attempts to log in are throttled.
    pub throttle: ThrottleConfig,
    /// How often expired sessions and tokens are removed, in seconds. At least 1.
    pub housekeeping_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            access_token_s: 600,
            session_s: 30 * 86_400,
            sessions_per_user: 20,
            tokens_per_service_account: 100,
            require_password_change: true,
            keys_dir: None,
            argon2: Argon2Config::default(),
            throttle: ThrottleConfig::default(),
            housekeeping_s: 300,
        }
    }
}

/// The cost of a password hash (argon2id). The defaults are those of the OWASP Password Storage Cheat Sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Argon2Config {
    /// Memory, in KiB; 8 to 1,048,576.
    pub memory_kib: u32,
    /// Passes over the memory; 1 to 100.
    pub passes: u32,
    /// Lanes; 1 to 16.
    pub lanes: u32,
    /// How many passwords are hashed at once. At least 1.
    pub concurrency: u32,
    /// How many more may wait for their turn.
    pub waiting: u32,
}

impl Default for Argon2Config {
    fn default() -> Self {
        Argon2Config {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            concurrency: 2,
            waiting: 64,
        }
    }
}

/// How many attempts to log in are taken. A success gives the name its allowance back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// How many attempts under one name may come at once. At least 1.
    pub name_burst: u32,
    /// How long one of these takes to come back, in milliseconds.
    pub name_interval_ms: u64,
    /// How many attempts may come at once over all names. At least 1.
    pub total_burst: u32,
    /// How long one of these takes to come back, in milliseconds.
    pub total_interval_ms: u64,
    /// How many names are remembered. At least 1.
    pub names_max: usize,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        ThrottleConfig {
            name_burst: 10,
            name_interval_ms: 30_000,
            total_burst: 200,
            total_interval_ms: 50,
            names_max: 10_000,
        }
    }
}

impl ThrottleConfig {
    pub(crate) fn per_name(&self) -> Limit {
        Limit {
            burst: self.name_burst,
            interval: Duration::from_millis(self.name_interval_ms),
        }
    }

    pub(crate) fn over_all(&self) -> Limit {
        Limit {
            burst: self.total_burst,
            interval: Duration::from_millis(self.total_interval_ms),
        }
    }
}

impl Config {
    /// Refuses values outside their bounds.
    ///
    /// # Errors
    /// `Invalid` naming the option.
    pub fn check(&self) -> Result<()> {
        let argon2 = &self.argon2;
        let throttle = &self.throttle;
        let rules = [
            ("access_token_s", (30..=3_600).contains(&self.access_token_s)),
            (
                "session_s",
                (self.access_token_s..=10 * 365 * 86_400).contains(&self.session_s),
            ),
            ("sessions_per_user", self.sessions_per_user >= 1),
            ("tokens_per_service_account", self.tokens_per_service_account >= 1),
            ("housekeeping_s", self.housekeeping_s >= 1),
            (
                "argon2.memory_kib",
                (argon2.lanes.saturating_mul(8)..=1_048_576).contains(&argon2.memory_kib),
            ),
            ("argon2.passes", (1..=100).contains(&argon2.passes)),
            ("argon2.lanes", (1..=16).contains(&argon2.lanes)),
            ("argon2.concurrency", (1..=1_024).contains(&argon2.concurrency)),
            ("throttle.name_burst", throttle.name_burst >= 1),
            ("throttle.name_interval_ms", throttle.name_interval_ms <= 86_400_000),
            ("throttle.total_burst", throttle.total_burst >= 1),
            ("throttle.total_interval_ms", throttle.total_interval_ms <= 86_400_000),
            ("throttle.names_max", throttle.names_max >= 1),
        ];
        match rules.iter().find(|(_, holds)| !holds) {
            None => Ok(()),
            Some((key, _)) => Err(
                Error::invalid("CONFIG_OUT_OF_BOUNDS", format!("auth.{key} is out of its bounds"))
                    .with("key", format!("auth.{key}")),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Argon2Config, Config, ThrottleConfig};

    #[test]
    fn the_defaults_are_within_bounds_and_follow_owasp() {
        let config = Config::default();
        assert!(config.check().is_ok());
        assert_eq!(
            (config.argon2.memory_kib, config.argon2.passes, config.argon2.lanes),
            (19 * 1024, 2, 1)
        );
        assert_eq!((config.access_token_s, config.session_s), (600, 2_592_000));
    }

    #[test]
    fn each_option_has_its_bound() {
        let argon2 = |change: fn(&mut Argon2Config)| {
            let mut config = Config::default();
            change(&mut config.argon2);
            config
        };
        let throttle = |change: fn(&mut ThrottleConfig)| {
            let mut config = Config::default();
            change(&mut config.throttle);
            config
        };
        let cases = [
            (
                Config {
                    access_token_s: 29,
                    ..Config::default()
                },
                "access_token_s",
            ),
            (
                Config {
                    session_s: 599,
                    ..Config::default()
                },
                "session_s",
            ),
            (
                Config {
                    sessions_per_user: 0,
                    ..Config::default()
                },
                "sessions_per_user",
            ),
            (
                Config {
                    tokens_per_service_account: 0,
                    ..Config::default()
                },
                "tokens_per_service_account",
            ),
            (
                Config {
                    housekeeping_s: 0,
                    ..Config::default()
                },
                "housekeeping_s",
            ),
            (argon2(|argon2| argon2.memory_kib = 7), "argon2.memory_kib"),
            (argon2(|argon2| argon2.passes = 0), "argon2.passes"),
            (argon2(|argon2| argon2.lanes = 0), "argon2.lanes"),
            (argon2(|argon2| argon2.concurrency = 0), "argon2.concurrency"),
            (throttle(|throttle| throttle.name_burst = 0), "throttle.name_burst"),
            (throttle(|throttle| throttle.total_burst = 0), "throttle.total_burst"),
            (throttle(|throttle| throttle.names_max = 0), "throttle.names_max"),
        ];
        for (config, key) in cases {
            let refusal = config.check().unwrap_err();
            assert_eq!(refusal.reason(), "CONFIG_OUT_OF_BOUNDS");
            assert_eq!(refusal.context()["key"], format!("auth.{key}"));
        }
    }
}
