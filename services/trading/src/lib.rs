//! The order path: shards, risk gate, journal, venue.
