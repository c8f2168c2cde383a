//! Derives everything that follows from the protos: prost types, tonic clients and servers, ProtoJSON serde, the
//! policy tables, authorising wrappers, REST handlers, the OpenAPI page and the reflection set.
//!
//! It is a crate and not only a build script so that it can be tested on protos of its own. `generate` is pure: a
//! descriptor set in, named texts out; `write` touches only the files whose text changed.

mod checks;
mod codecs;
mod comments;
mod descriptors;
mod error;
mod field;
mod guard;
mod http;
mod matrix;
mod messages;
mod model;
mod openapi;
mod policy;
mod protojson;
mod ranges;
mod reader;
mod rest;
mod rules;
mod rust;
mod schema;
mod tables;
mod template;
mod tree;

pub use descriptors::Descriptors;
pub use error::Error;
pub use matrix::policy_markdown;

use std::path::Path;

/// What a call of the generator answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name inside the output folder.
    pub name: String,
    /// Its contents.
    pub contents: Vec<u8>,
}

impl Output {
    fn text(name: impl Into<String>, contents: String) -> Self {
        Output {
            name: name.into(),
            contents: contents.into_bytes(),
        }
    }
}

/// Derives every file from the descriptors. `folder` is where they will be inside `OUT_DIR`: empty, or a name with a
/// slash at its end.
///
/// # Errors
/// A rule of the protos that is broken, naming the rpc or field.
pub fn generate(descriptors: &Descriptors, folder: &str) -> Result<Vec<Output>> {
    let api = reader::read(descriptors)?;
    let modules = messages::generate(descriptors)?;
    let reflection = Output {
        name: "descriptors.bin".into(),
        contents: descriptors.reflection().to_vec(),
    };
    let checks = checks::Checks::of(&api);
    let mut outputs = vec![
        reflection,
        Output::text("pb.rs", tree::generate(&modules, folder)),
        Output::text("tables.rs", tables::generate(&api)),
        Output::text("guard.rs", guard::generate(&api, &checks)),
        Output::text("checks.rs", checks.text()),
        Output::text("rest.rs", rest::generate(&api)),
        Output::text("codecs.rs", codecs::generate(descriptors)),
        Output::text("openapi.json", openapi::generate(descriptors, &api)),
    ];
    outputs.extend(
        modules
            .into_iter()
            .map(|module| Output::text(module.file_name(), module.text)),
    );
    Ok(outputs)
}

/// Writes the outputs whose text differs from what is on disk.
///
/// # Errors
/// The file that could not be written.
pub fn write(outputs: &[Output], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, &error))?;
    for output in outputs {
        let path = folder.join(&output.name);
        if std::fs::read(&path).is_ok_and(|present| present == output.contents) {
            continue;
        }
        std::fs::write(&path, &output.contents).map_err(|error| Error::io(&path, &error))?;
    }
    Ok(())
}
