//! The trading vocabulary.
