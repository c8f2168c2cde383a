//! The whole platform inside the test's process: started, logged in to, and used by every command.

mod commands;
mod sessions;
mod starting;
mod support;
