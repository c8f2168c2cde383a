//! Users, tokens, keys and grants.
