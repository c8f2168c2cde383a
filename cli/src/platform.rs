//! Which services there are, and how each is built from its section of the configuration.

use crate::config::{Config, PORTS};
use mesh::app::App;
use mesh::error::{Error, Result};

/// Below this likeness, in thousandths, a suggestion would only confuse.
const LIKELY: u32 = 600;

/// The names of all services.
pub fn all() -> Vec<&'static str> {
    PORTS.iter().map(|(name, _)| *name).collect()
}

/// The known name of a service.
///
/// # Errors
/// `Invalid` naming the nearest one.
pub fn known(name: &str) -> Result<&'static str> {
    let names = all();
    if let Some(known) = names.iter().find(|known| **known == name) {
        return Ok(known);
    }
    let likeness = |known: &&&str| (strsim::normalized_damerau_levenshtein(known, name) * 1000.0) as u32;
    let nearest = names
        .iter()
        .max_by_key(likeness)
        .filter(|known| likeness(known) >= LIKELY);
    let message = match nearest {
        Some(near) => format!("there is no service '{name}': did you mean '{near}'?"),
        None => format!("there is no service '{name}': there are {}", names.join(", ")),
    };
    Err(Error::invalid("UNKNOWN_SERVICE", message))
}

/// Adds a service to a process.
///
/// # Errors
/// When there is no such service.
pub fn add(app: &mut App, name: &str, config: &Config) -> Result<()> {
    let config = config.clone();
    match known(name)? {
        exchange::NAME => app.add(name, |deps| exchange::build(config.exchange, deps)),
        data::NAME => app.add(name, |deps| data::build(config.data, deps)),
        ml::NAME => app.add(name, |deps| ml::build(config.ml, deps)),
        strategy::NAME => app.add(name, |deps| strategy::build(config.strategy, deps)),
        risk::NAME => app.add(name, |deps| risk::build(config.risk, deps)),
        trading::NAME => app.add(name, |deps| trading::build(config.trading, deps)),
        portfolio::NAME => app.add(name, |deps| portfolio::build(config.portfolio, deps)),
        notification::NAME => app.add(name, |deps| notification::build(config.notification, deps)),
        monitoring::NAME => app.add(name, |deps| monitoring::build(config.monitoring, deps)),
        auth::NAME => app.add(name, |deps| auth::build(config.auth, deps)),
        audit::NAME => app.add(name, |deps| audit::build(config.audit, deps)),
        gateway::NAME => app.add(name, |deps| gateway::build(config.gateway, deps)),
        _ => return known(name).map(|_| ()),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{all, known};

    #[test]
    fn a_service_is_known_or_the_nearest_is_named() {
        assert_eq!(all().len(), 12);
        assert_eq!(known("trading").unwrap(), "trading");
        assert!(known("treding").unwrap_err().message().contains("'trading'"));
        assert!(
            known("zzzzzzzzzzzzzzzzzzz")
                .unwrap_err()
                .message()
                .contains("portfolio")
        );
    }
}
