//! Puts the venue together: replayed ledger, actor, accounts, and the routes of the Binance surface.

use crate::accounts::{Accounts, Opening};
use crate::actor::{Actor, Disk, Handle, Now, Pace};
use crate::codec;
use crate::config::Config;
use crate::core::effects::Effects;
use crate::core::ledger::Ledger;
use crate::core::listing::{Listing, places};
use crate::core::venue::{self, Venue};
use crate::faults::Faults;
use crate::hub::Hub;
use crate::limits::Meter;
use crate::rest::{self, Api};
use crate::wire::info;
use crate::ws::{self, clients::Clients};
use axum::Router;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A venue that is ready to run.
pub struct Surface {
    /// The routes of the Binance surface.
    pub router: Router,
    /// What the routes stand on.
    pub api: Arc<Api>,
    /// The task that must run for anything to be answered.
    pub actor: Actor,
    /// The way to the venue.
    pub handle: Handle,
}

/// A ledger of journalled records.
pub fn replay(config: &Config, records: impl IntoIterator<Item = Vec<u8>>) -> Result<Ledger, String> {
    let mut ledger = venue::ledger(&config.options());
    for record in records {
        fold(&mut ledger, &record)?;
    }
    Ok(ledger)
}

/// Folds a journalled record into a ledger.
pub fn fold(ledger: &mut Ledger, record: &[u8]) -> Result<(), String> {
    let record = codec::decode(record)?;
    if !ledger.knows(&record) {
        return Err("the journal names a symbol that is not listed: raise `symbols`".to_owned());
    }
    ledger.fold(&record);
    Ok(())
}

/// Opens the venue over a replayed ledger; its first records are durable when this returns.
pub async fn open(
    config: &Config,
    ledger: Ledger,
    mut disk: Box<dyn Disk>,
    accounts_dir: PathBuf,
    now: Now,
) -> Result<Surface, String> {
    let (options, time) = (config.options(), now());
    // The past of a thousand symbols takes a while to draw: not on a thread that others wait for.
    let opening = tokio::task::spawn_blocking(move || {
        let mut effects = Effects::default();
        (Venue::open(options, ledger, time, &mut effects), effects)
    });
    let (venue, effects) = opening.await.map_err(|error| error.to_string())?;
    disk.append(effects.records.iter().map(codec::encode).collect()).await?;
    let listings: Vec<Listing> = venue.markets().iter().map(|market| market.listing.clone()).collect();
    let meter = Arc::new(Mutex::new(Meter::new(config.request_limits())));
    let hub = Arc::new(Hub::new(listings.clone(), config.stream_queue_frames, meter.clone()));
    let pace = Pace {
        step: Duration::from_millis(config.step_ms),
        commit: Duration::from_millis(config.commit_interval_ms),
    };
    let (actor, handle) = Actor::new(venue, disk, hub.clone(), now.clone(), pace, config.mailbox);
    let opening = Opening {
        quote: config.opening_quote,
        base_value: config.opening_base_value,
    };
    let info = listings
        .iter()
        .map(|listing| info::symbol(listing, config.max_open_orders))
        .collect();
    let api = Arc::new(Api {
        handle: handle.clone(),
        hub,
        accounts: Accounts::new(accounts_dir, opening, handle.clone(), now.clone()),
        meter,
        now,
        places: places(&listings),
        listings,
        info,
        fees_bps: (config.maker_fee_bps, config.taker_fee_bps),
        max_body_bytes: config.max_body_bytes,
        clients: Arc::new(Clients::new(config.max_connections)),
        faults: Arc::new(Faults::new(config.faults.clone())),
        halts: Mutex::default(),
        streams: ws::Bounds {
            max_streams: config.max_streams,
            max_frames: config.stream_queue_frames,
            ping: Duration::from_secs(config.ping_s),
            pong: Duration::from_secs(config.pong_s),
            age: (config.max_connection_age_s > 0).then(|| Duration::from_secs(config.max_connection_age_s)),
        },
    });
    let router = rest::router(api.clone()).merge(ws::router(api.clone()));
    Ok(Surface {
        router,
        api,
        actor,
        handle,
    })
}
