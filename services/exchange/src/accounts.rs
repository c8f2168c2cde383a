//! Whose requests are taken: the keys in force, and the accounts that they open.

use crate::actor::{Handle, Now};
use crate::core::listing::QUOTE;
use crate::core::units::{Atoms, ONE};
use crate::core::venue::Venue;
use crate::error::ApiError;
use crate::keys::{self, Key, Keys};
use crate::rest::params::Params;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Least time between two looks into the folder for a key that is not known, µs.
const RESCAN: i64 = 1_000_000;

/// Accounts that one request to the venue opens.
const OPENED_AT_ONCE: usize = 256;

/// The largest `recvWindow`, in milliseconds.
const LONGEST_WINDOW: f64 = 60_000.0;

/// The `recvWindow` when none is sent, in milliseconds.
const DEFAULT_WINDOW: f64 = 5_000.0;

/// What a new account owns.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// USDT.
    pub quote: u32,
    /// USDT worth of each base.
    pub base_value: u32,
}

impl Opening {
    /// The balances of a new account at the present prices, bases in whole lots.
    pub fn balances(self, venue: &Venue) -> BTreeMap<String, Atoms> {
        let mut balances = BTreeMap::from([(QUOTE.to_owned(), Atoms::from(self.quote) * ONE)]);
        for market in venue.markets() {
            let listing = &market.listing;
            let one_lot = listing.value(market.last_ticks(), 1).max(1);
            let lots = Atoms::from(self.base_value) * ONE / one_lot;
            balances.insert(listing.base.clone(), lots * listing.lot());
        }
        balances
    }
}

/// The accounts with their keys.
pub struct Accounts {
    folder: PathBuf,
    opening: Opening,
    keys: RwLock<Keys>,
    scanned: Mutex<i64>,
    handle: Handle,
    now: Now,
}

impl Accounts {
    /// Accounts whose files are in `folder`; [`Accounts::scan`] reads them.
    pub fn new(folder: PathBuf, opening: Opening, handle: Handle, now: Now) -> Self {
        Self {
            folder,
            opening,
            keys: RwLock::default(),
            scanned: Mutex::new(i64::MIN),
            handle,
            now,
        }
    }

    /// Reads the folder, and opens the accounts that are new.
    pub async fn scan(&self) -> Result<(), String> {
        *self.scanned.lock() = (self.now)();
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || Keys::load(&folder)).await;
        let keys = read.map_err(|error| error.to_string())??;
        let names: Vec<String> = keys.accounts().map(str::to_owned).collect();
        let opening = self.opening;
        // A few at a time: between them the venue answers others. A crash among them leaves the rest to the next scan.
        for some in names.chunks(OPENED_AT_ONCE) {
            let some = some.to_vec();
            let opened = self.handle.ask(move |venue, _, effects| {
                let balances = opening.balances(venue);
                some.iter()
                    .for_each(|name| venue.open_account(name, balances.clone(), effects));
            });
            opened.await.map_err(|error| error.message)?;
        }
        *self.keys.write() = keys;
        Ok(())
    }

    /// A key by name; one that is not known is looked for in the folder, at most once a second.
    pub async fn key(&self, api_key: &str) -> Result<Key, ApiError> {
        let unknown = match self.keys.read().get(api_key) {
            Ok(key) => return Ok(key.clone()),
            Err(error) if error == ApiError::key() => error,
            Err(error) => return Err(error),
        };
        let now = (self.now)();
        if now.saturating_sub(*self.scanned.lock()) < RESCAN {
            return Err(unknown);
        }
        if let Err(reason) = self.scan().await {
            tracing::warn!(%reason, "account files not read");
        }
        self.keys.read().get(api_key).cloned()
    }

    /// Checks the time of a request whose caller is known already.
    pub fn check_time(&self, params: &Params) -> Result<(), ApiError> {
        let timestamp = params.required("timestamp").and(params.number("timestamp"))?;
        keys::check_time(timestamp.unwrap_or_default(), window(params)?, (self.now)())
    }

    /// The key of a signed request, after its signature and time were checked.
    pub async fn authenticate(&self, api_key: Option<&str>, params: &Params) -> Result<Key, ApiError> {
        let api_key = api_key.ok_or_else(ApiError::key_format)?;
        let signature = params.required("signature")?;
        let timestamp = params.required("timestamp").and(params.number("timestamp"))?;
        let window = window(params)?;
        let key = self.key(api_key).await?;
        key.verify(params.payload().as_bytes(), signature)?;
        keys::check_time(timestamp.unwrap_or_default(), window, (self.now)())?;
        Ok(key)
    }
}

fn window(params: &Params) -> Result<f64, ApiError> {
    let Some(text) = params.text("recvWindow")? else {
        return Ok(DEFAULT_WINDOW);
    };
    let shaped = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let window = shaped.then(|| text.parse::<f64>().ok()).flatten();
    let window = window.ok_or_else(|| ApiError::illegal("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$"))?;
    if window > LONGEST_WINDOW {
        return Err(ApiError::bad(-1131, "recvWindow must be less than 60000."));
    }
    Ok(window)
}
