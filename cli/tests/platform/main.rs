//! The whole platform inside the test's process: started, logged in to, and used by every command.

#![allow(clippy::unwrap_used, reason = "the helpers of tests unwrap like tests")]

mod commands;
mod sessions;
mod starting;
mod support;
