//! What measurements, tests and `trademesh bench` share: the one load generator of the house, and the services as
//! processes that are started, stopped and killed.

pub mod orders;
pub mod supervisor;
