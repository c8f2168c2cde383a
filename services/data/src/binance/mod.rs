//! Binance's public spot API, or anything that speaks it: requests over REST, combined streams over WebSocket.

pub mod frame;
pub mod messages;
pub mod rest;
pub mod socket;

use crate::config::Config;
use domain::Instrument;
use rest::Rest;

/// The instruments to follow, by the configuration: of all markets those that trade, and those that `is_followed` already,
/// whatever their state. Those with rules that this platform cannot hold are left out, with a
/// line in the log.
///
/// # Errors
/// When the venue cannot be asked, or follows none of them.
pub async fn instruments(
    rest: &Rest,
    config: &Config,
    is_followed: impl Fn(&str) -> bool,
) -> mesh::Result<Vec<Instrument>> {
    let info = rest.exchange_info(&config.symbols).await?;
    let mut instruments = Vec::new();
    for symbol in &info.symbols {
        let is_wanted = match config.symbols.is_empty() {
            true => symbol.is_trading() || is_followed(&symbol.symbol),
            false => config.symbols.contains(&symbol.symbol),
        };
        if !is_wanted {
            continue;
        }
        match symbol.instrument() {
            Ok(instrument) => instruments.push(instrument),
            Err(fault) => tracing::warn!(symbol = %symbol.symbol, fault, "instrument left out"),
        }
    }
    // What is followed already stays, whatever else the venue begins to list.
    instruments.sort_by_key(|instrument| !is_followed(instrument.symbol.as_str()));
    instruments.truncate(config.max_symbols);
    if instruments.is_empty() {
        return Err(mesh::Error::unavailable(
            "NO_INSTRUMENTS",
            "the venue has none of the configured instruments",
        ));
    }
    Ok(instruments)
}
