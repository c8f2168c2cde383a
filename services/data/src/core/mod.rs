//! The decisions of market data, synchronous and pure: when a book may be trusted, what a bar is, when the venue may be
//! asked. Time is handed in as a monotonic [`std::time::Duration`].

pub mod backoff;
pub mod budget;
pub mod series;
pub mod sync;
pub mod trades;
