//! Lays one source after the other over the defaults.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::nearest::nearest;
use super::tree::{self, Known};
use super::{Loaded, Source};
use crate::error::{Error, Result};

const PREFIX: &str = "TRADEMESH_";

/// One line where the parser would draw several: file, line, and what is wrong there.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    let why = error.message().lines().collect::<Vec<_>>().join(", ");
    Error::invalid("CONFIG_SYNTAX", format!("{}, line {line}: {why}", path.display()))
        .with("file", path.display())
        .with("line", line)
}

pub(super) struct Layering<T> {
    defaults: Value,
    tree: Value,
    provenance: BTreeMap<String, Source>,
    typed: PhantomData<T>,
}

impl<T: DeserializeOwned> Layering<T> {
    pub(super) fn new(default: &T) -> Result<Self>
    where
        T: Serialize,
    {
        let defaults = tree::of(default)?;
        let keys = tree::leaves(&defaults).into_iter();
        Ok(Layering {
            provenance: keys.map(|(key, _)| (key, Source::Default)).collect(),
            tree: defaults.clone(),
            defaults,
            typed: PhantomData,
        })
    }

    pub(super) fn file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::invalid("CONFIG_FILE", format!("cannot read {}: {error}", path.display())))?;
        let document: toml::Table = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
        let source = Source::File(path.to_path_buf());
        for (name, value) in &document {
            self.table(name, value, &source)?;
        }
        Ok(())
    }

    /// Goes down to what the defaults know as leaves, and sets these.
    fn table(&mut self, key: &str, value: &toml::Value, source: &Source) -> Result<()> {
        let is_section = match tree::lookup(&self.defaults, key) {
            Known::Here(Value::Object(_)) => true,
            Known::Here(_) | Known::Within => false,
            Known::Unknown => return Err(self.unknown(key, source)),
        };
        if let (true, toml::Value::Table(table)) = (is_section, value) {
            for (name, value) in table {
                self.table(&tree::join(key, name), value, source)?;
            }
            return Ok(());
        }
        let value = tree::from_toml(value).map_err(|why| self.wrong(key, why, source))?;
        self.set(key, vec![value], source)
    }

    pub(super) fn variable(&mut self, name: &str, text: &str) -> Result<()> {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            return Ok(());
        };
        let key = rest.to_ascii_lowercase().replace("__", ".");
        if !key.contains('.') && !matches!(tree::lookup(&self.defaults, &key), Known::Here(_)) {
            return Ok(());
        }
        self.text(&key, text, Source::Environment(name.to_owned()))
    }

    pub(super) fn flag(&mut self, key: &str, text: &str) -> Result<()> {
        self.text(key, text, Source::Flag)
    }

    fn text(&mut self, key: &str, text: &str, source: Source) -> Result<()> {
        let default = match tree::lookup(&self.defaults, key) {
            Known::Here(default) => Some(default),
            Known::Within => None,
            Known::Unknown => return Err(self.unknown(key, &source)),
        };
        let readings = tree::readings(default, text);
        self.set(key, readings, &source)
    }

    /// Sets the first reading that the type accepts.
    fn set(&mut self, key: &str, readings: Vec<Value>, source: &Source) -> Result<()> {
        let mut complaint = None;
        for reading in readings {
            let mut tree = self.tree.clone();
            tree::put(&mut tree, key, reading);
            match serde_json::from_value::<T>(tree.clone()) {
                Ok(_) => {
                    self.tree = tree;
                    self.provenance.insert(key.to_owned(), source.clone());
                    return Ok(());
                }
                // What the likeliest reading lacked is what somebody wants to know.
                Err(error) => complaint = complaint.or(Some(error.to_string())),
            }
        }
        Err(self.wrong(key, &complaint.unwrap_or_default(), source))
    }

    fn unknown(&self, key: &str, source: &Source) -> Error {
        let mut message = format!("unknown key '{key}'");
        let nearest = nearest(&self.defaults, key);
        if let Some(nearest) = &nearest {
            message.push_str(&format!(": did you mean '{nearest}'?"));
        }
        let error = Error::invalid("CONFIG_UNKNOWN_KEY", format!("{message} ({source})"))
            .with("key", key)
            .with("source", source);
        match nearest {
            Some(nearest) => error.with("nearest", nearest),
            None => error,
        }
    }

    fn wrong(&self, key: &str, why: &str, source: &Source) -> Error {
        Error::invalid("CONFIG_VALUE", format!("'{key}': {why} ({source})"))
            .with("key", key)
            .with("source", source)
    }

    pub(super) fn finish(self) -> Result<Loaded<T>> {
        let value = serde_json::from_value(self.tree).map_err(|error| {
            Error::internal(
                "CONFIG_DEFAULT",
                format!("the configuration does not read back: {error}"),
            )
        })?;
        Ok(Loaded {
            value,
            provenance: self.provenance,
        })
    }
}
