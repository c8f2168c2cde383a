//! What only shows when services run together.
