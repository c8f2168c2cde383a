//! Proof under fire: a load against the real binary while its processes are killed, and an oracle over what is left.

pub mod cancels;
pub mod faults;
pub mod log;
pub mod oracle;
pub mod report;
pub mod run;
pub mod telling;
pub mod venue;
pub mod witness;
