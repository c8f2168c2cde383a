//! The rules of `auth` as pure functions of their inputs: access, the life of a refresh token's
//! family, and the throttling of logins.

mod access;
mod family;
mod throttle;

pub(crate) use access::{Access, PersonChange, access_until_password_changed, leaves_no_admin};
pub(crate) use family::{Family, Presented, same};
pub(crate) use throttle::{Limit, Throttle};
