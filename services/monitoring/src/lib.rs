//! The health of every service.
