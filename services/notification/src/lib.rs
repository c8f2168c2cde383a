//! Notices to people and programs.
