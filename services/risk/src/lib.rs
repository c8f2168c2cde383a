//! Limits, kill switches and reconciliation.
