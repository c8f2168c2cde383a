//! The service through its RPCs, on every engine.

mod bounds;
mod forgeries;
mod people;
mod sessions;
mod support;
