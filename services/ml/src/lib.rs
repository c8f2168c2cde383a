//! Predictions learned from market data.
