//! Orders at a fixed rate. The generator is open-loop: requests are due at times fixed before, and latency counts
//! from then on, so a platform that stalls is charged for every request that had to wait.

mod asked;
mod client;
mod door;
mod grpc;
mod load;
mod market;
mod tally;

pub use asked::Asked;
pub use client::{Answer, Rest};
pub use door::Door;
pub use grpc::Grpc;
pub use load::{Load, Once, Plan, Witness};
pub use market::Market;
pub use tally::{Kind, Measured, Tally};
