//! The rules of `auth` as pure functions of their inputs: names and passwords, access, the life of a refresh token's
//! family, and the throttling of logins.

mod access;
mod family;
mod names;
mod throttle;

pub(crate) use access::{Access, PersonChange, access_until_password_changed, leaves_no_admin};
pub(crate) use family::{Family, Presented, same};
pub(crate) use names::{check_description, check_name, check_password, is_name};
pub(crate) use throttle::{Limit, Throttle};
