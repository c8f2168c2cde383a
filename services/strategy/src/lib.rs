//! Strategies that turn predictions into orders.
