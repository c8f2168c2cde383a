//! Configuration in layers: TOML file < environment < flags, read once into one typed struct.
//!
//! The struct's default value, written out, is the set of known keys; each layer is laid over it.
//!
//! - **File**: TOML tables are sections. **Environment**: `TRADEMESH_SECTION__KEY`, deeper levels after further `__`; a
//!   name without `__` counts only when it is a top-level key, so that other variables of the same prefix may exist.
//!   **Flags**: `--set section.key=value`.
//! - Texts from the environment and from flags take the type of the default: `true`, `12`, `0.5`, plain text, and lists as
//!   `a,b,c` or `["a", "b"]`; the empty text is an empty list.
//! - An **option** that is absent by default (`None`) may be set to anything that its type accepts; the empty text makes it
//!   absent again. In a file, absent is absent.
//! - A **map** that is empty by default takes any key. A map with entries by default takes these keys only.
//! - Secrets never stand in the configuration: a key `…_file` names a file, see [`read_secret`].

mod bounds;
mod layers;
mod nearest;
mod secret;
mod tree;

pub use bounds::{Bounded, check_bounds, out_of_bounds};
pub use secret::{Secret, read_secret};

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use layers::Layering;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The code.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// `--set` on the command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => formatter.write_str("default"),
            Source::File(path) => write!(formatter, "file {}", path.display()),
            Source::Environment(name) => write!(formatter, "environment {name}"),
            Source::Flag => formatter.write_str("flag --set"),
        }
    }
}

/// A configuration in force, and where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The typed configuration.
    pub value: T,
    /// The source of each dotted key.
    pub provenance: BTreeMap<String, Source>,
}

/// One line of what `trademesh config` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The dotted key.
    pub key: String,
    /// The value as JSON, with passwords in addresses hidden; `null` for an absent option.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

impl<T: Serialize> Loaded<T> {
    /// Every key with its value and its source, in order of the keys.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let tree = tree::of(&self.value)?;
        let leaves = tree::leaves(&tree);
        let entries = leaves.into_iter().map(|(key, value)| Entry {
            source: self.source_of(&key),
            value: secret::without_password(&value.to_string()),
            key,
        });
        Ok(entries.collect())
    }

    /// A value inside an option or a map may have been set as a whole: its source is that of the nearest key above.
    fn source_of(&self, key: &str) -> Source {
        let mut key = key;
        loop {
            if let Some(source) = self.provenance.get(key) {
                return source.clone();
            }
            match key.rsplit_once('.') {
                Some((parent, _)) => key = parent,
                None => return Source::Default,
            }
        }
    }
}

/// Reads the layers into a `T`, whose structs deny unknown fields.
///
/// `file` must exist when it is given. `env` is the whole environment, of which the `TRADEMESH_` names count. `overrides`
/// are dotted keys and texts, the last one of a key stands.
///
/// # Errors
/// All are `INVALID` and name the key, what was expected and the source: `CONFIG_UNKNOWN_KEY` with the nearest known
/// key, `CONFIG_VALUE` for a value of the wrong type, `CONFIG_SYNTAX` and `CONFIG_FILE` for the file itself.
pub fn load<T: DeserializeOwned + Serialize + Default>(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    overrides: &[(String, String)],
) -> Result<Loaded<T>> {
    let mut layering = Layering::<T>::new(&T::default())?;
    if let Some(path) = file {
        layering.file(path)?;
    }
    // Sorted, so that the first complaint is the same each time.
    let env: BTreeMap<String, String> = env.collect();
    for (name, text) in &env {
        layering.variable(name, text)?;
    }
    for (key, text) in overrides {
        layering.flag(key, text)?;
    }
    layering.finish()
}

#[cfg(test)]
mod tests;
