//! The client commands: each connects, calls, prints, and is done.

mod login;
mod order;
mod orders;
mod positions;
mod quote;
mod status;
mod watch;

pub use login::login;
pub use order::order;
pub use orders::orders;
pub use positions::positions;
pub use quote::quote;
pub use status::status;
pub use watch::watch;
