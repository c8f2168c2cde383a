//! What is traded: the symbols with their tick and lot sizes, and the part that each plays in the simulated economy.

use super::units::{Atoms, DECIMALS, ONE};
use std::collections::BTreeMap;

/// The asset that every symbol is quoted in.
pub const QUOTE: &str = "USDT";

/// The asset in which an account may choose to pay its commissions.
pub const FEE_ASSET: &str = "BNB";

/// Bases that a reader knows, with a plausible price in USDT. The order is also the order of activity.
const KNOWN: [(&str, f64); 47] = [
    ("BTC", 67_000.0),
    ("ETH", 3_500.0),
    ("SOL", 170.0),
    ("BNB", 600.0),
    ("XRP", 0.52),
    ("DOGE", 0.15),
    ("ADA", 0.45),
    ("AVAX", 35.0),
    ("LINK", 17.0),
    ("DOT", 7.0),
    ("TRX", 0.12),
    ("LTC", 85.0),
    ("BCH", 450.0),
    ("NEAR", 7.0),
    ("UNI", 9.0),
    ("ATOM", 8.5),
    ("XLM", 0.11),
    ("ETC", 28.0),
    ("FIL", 5.8),
    ("APT", 9.0),
    ("ARB", 1.0),
    ("OP", 2.4),
    ("INJ", 25.0),
    ("SUI", 1.1),
    ("AAVE", 95.0),
    ("MKR", 2_800.0),
    ("RUNE", 6.0),
    ("ALGO", 0.18),
    ("VET", 0.035),
    ("FTM", 0.8),
    ("GRT", 0.28),
    ("SAND", 0.45),
    ("MANA", 0.44),
    ("AXS", 7.5),
    ("EGLD", 42.0),
    ("XTZ", 0.95),
    ("THETA", 2.2),
    ("KSM", 30.0),
    ("ZEC", 25.0),
    ("DASH", 30.0),
    ("COMP", 55.0),
    ("SNX", 2.8),
    ("CRV", 0.42),
    ("LDO", 2.0),
    ("PEPE", 0.000_012_5),
    ("SHIB", 0.000_024),
    ("POL", 0.7),
];

/// Number of sectors that share a price factor.
pub const SECTORS: usize = 6;

/// One tradable symbol.
#[derive(Clone, Debug)]
pub struct Listing {
    /// `BTCUSDT`
    pub symbol: String,
    /// `BTC`
    pub base: String,
    /// Decimals of the price: the tick is 10^-this.
    pub price_decimals: u32,
    /// Decimals of the quantity: the lot is 10^-this.
    pub lot_decimals: u32,
    /// The price of a first start, in USDT.
    pub start_price: f64,
    /// Events of the crowd relative to the median symbol.
    pub activity: f64,
    /// Exposure to the market factor.
    pub beta: f64,
    /// Which sector factor it shares.
    pub sector: usize,
    /// Own volatility, as a fraction of the price over the square root of a second.
    pub own_volatility: f64,
    /// Half of the spread that its makers quote in calm times, as a fraction of the price.
    pub half_spread: f64,
    /// USDT value of a typical resting order.
    pub typical_value: f64,
    /// Whether it has Binance's older filters `PERCENT_PRICE` and `MIN_NOTIONAL` in place of their successors.
    pub older_filters: bool,
}

impl Listing {
    /// The price step.
    pub fn tick(&self) -> Atoms {
        10_i128.pow(DECIMALS - self.price_decimals)
    }

    /// The quantity step, which is also the smallest quantity.
    pub fn lot(&self) -> Atoms {
        10_i128.pow(DECIMALS - self.lot_decimals)
    }

    /// What one lot costs at a price of one tick. Price and lot decimals together never exceed eight, so this is exact.
    pub fn unit_value(&self) -> Atoms {
        10_i128.pow(DECIMALS - self.price_decimals - self.lot_decimals)
    }

    /// The largest price that an order may name.
    pub fn max_price(&self) -> Atoms {
        let raised = (self.start_price * 100.0).max(1.0);
        10_i128.pow(raised.log10().ceil() as u32) * ONE
    }

    /// The largest quantity of a limit order.
    pub fn max_quantity(&self) -> Atoms {
        let for_ten_millions = 10_000_000.0 / self.start_price;
        10_i128.pow(for_ten_millions.log10().ceil().max(1.0) as u32) * ONE
    }

    /// The largest quantity of a market order.
    pub fn max_market_quantity(&self) -> Atoms {
        self.max_quantity() / 10
    }

    /// How much of the base an account may hold and bid for together.
    pub fn max_position(&self) -> Atoms {
        self.max_quantity() * 10
    }

    /// The value of `lots` at `ticks`, in quote atoms.
    pub fn value(&self, ticks: i64, lots: i64) -> Atoms {
        Atoms::from(ticks) * Atoms::from(lots) * self.unit_value()
    }

    /// The nearest tick to a price in USDT, at least one.
    pub fn ticks_of(&self, price: f64) -> i64 {
        ((price * 10_f64.powi(self.price_decimals as i32)).round() as i64).max(1)
    }

    /// A price in ticks as USDT.
    pub fn price_of(&self, ticks: i64) -> f64 {
        ticks as f64 / 10_f64.powi(self.price_decimals as i32)
    }

    /// The lots that are worth about `value` USDT at `price`, at least one.
    pub fn lots_worth(&self, value: f64, price: f64) -> i64 {
        ((value / price * 10_f64.powi(self.lot_decimals as i32)).round() as i64).max(1)
    }
}

/// Tick and lot decimals for a price: ticks near a basis point or finer, lots worth cents or less.
fn decimals(price: f64) -> (u32, u32) {
    match price {
        p if p >= 10_000.0 => (2, 5),
        p if p >= 1_000.0 => (2, 4),
        p if p >= 100.0 => (2, 3),
        p if p >= 10.0 => (3, 3),
        p if p >= 1.0 => (4, 2),
        p if p >= 0.1 => (5, 1),
        p if p >= 0.01 => (6, 0),
        p if p >= 0.001 => (7, 0),
        _ => (8, 0),
    }
}

/// The name of the n-th invented base: three syllables of a fixed list, so that names never depend on the seed.
fn invented(n: usize) -> String {
    const FIRST: [&str; 16] = [
        "AR", "BO", "CY", "DEL", "EX", "FOR", "GAL", "HEX", "ION", "JU", "KY", "LUM", "MOR", "NOV", "ORB", "PRI",
    ];
    const LAST: [&str; 16] = [
        "A", "BIT", "CO", "DA", "EN", "FI", "GO", "IX", "KA", "LO", "MA", "NET", "OX", "RA", "SY", "TU",
    ];
    let (first, last) = (n % 16, (n * 7 + n / 16 * 3) % 16);
    let suffix = n / 256;
    let name = format!("{}{}", FIRST[first], LAST[last]);
    if suffix == 0 { name } else { format!("{name}{suffix}") }
}

/// The first `count` listings: the known bases, then invented ones. A function of `count` alone.
pub fn catalogue(count: usize) -> Vec<Listing> {
    (0..count).map(listing).collect()
}

/// Where each symbol is among its listings.
pub fn places(listings: &[Listing]) -> BTreeMap<String, usize> {
    let place = |(place, listing): (usize, &Listing)| (listing.symbol.clone(), place);
    listings.iter().enumerate().map(place).collect()
}

fn listing(rank: usize) -> Listing {
    let (base, start_price) = match KNOWN.get(rank) {
        Some((base, price)) => ((*base).to_owned(), *price),
        None => {
            let n = rank - KNOWN.len();
            // prices spread over five decades by the golden ratio
            let spread = (n as f64 * 0.618_033_988_749_895).fract();
            (invented(n), 10_f64.powf(spread * 5.0 - 3.0))
        }
    };
    let (price_decimals, lot_decimals) = decimals(start_price);
    let own = (rank as f64 * 0.754_877_666).fract();
    Listing {
        symbol: format!("{base}{QUOTE}"),
        base,
        price_decimals,
        lot_decimals,
        start_price,
        activity: 0.85 + 2.5 / (1.0 + rank as f64 / 4.0),
        beta: 0.7 + 0.8 * own,
        sector: rank % SECTORS,
        own_volatility: if rank == 0 { 2e-5 } else { 6e-5 + 1e-4 * own },
        half_spread: 0.000_1 + 0.000_4 * (rank as f64 / 120.0).min(1.0),
        typical_value: 400.0 + 6_000.0 / (1.0 + rank as f64 / 3.0),
        older_filters: rank % 10 == 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_listing_is_distinct_and_exact() {
        let listings = catalogue(1_200);
        let names: BTreeSet<&str> = listings.iter().map(|listing| listing.symbol.as_str()).collect();
        assert_eq!(names.len(), listings.len());
        let places = places(&listings);
        assert!(
            listings
                .iter()
                .enumerate()
                .all(|(place, listing)| places[&listing.symbol] == place)
        );
        for listing in &listings {
            assert!(
                listing
                    .symbol
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            );
            assert!(listing.price_decimals + listing.lot_decimals <= DECIMALS);
            let ticks = listing.ticks_of(listing.start_price);
            assert!(
                ticks >= 100,
                "{}: a tick is more than a hundredth of the price",
                listing.symbol
            );
            assert_eq!(listing.value(1, 1), listing.tick() * listing.lot() / ONE);
            assert!((listing.price_of(ticks) / listing.start_price - 1.0).abs() < 0.01);
            assert!(listing.max_price() > Atoms::from(ticks) * listing.tick() * 10);
            assert!(listing.lots_worth(0.0, listing.start_price) >= 1);
            assert!(listing.max_market_quantity() >= listing.lot());
        }
        assert_eq!(listings[0].symbol, "BTCUSDT");
    }
}
