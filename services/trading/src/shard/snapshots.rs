//! Snapshots while the shard works, and at its end.

use crate::core::State;

pub(super) use mesh::journal::{aside, write_snapshot as write};

/// Takes the snapshots of one shard.
pub(crate) type Snapshotter = mesh::journal::Snapshotter<State>;
