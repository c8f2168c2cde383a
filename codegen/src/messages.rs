//! Types, clients, servers (prost, tonic) and their ProtoJSON serde (pbjson), a text a package.

use std::collections::BTreeMap;

use prost_build::Module as ProstModule;

use crate::{Descriptors, Error, Result, protojson};

/// The Rust type that stands for `google.protobuf.Timestamp`.
const TIMESTAMP: (&str, &str) = (".google.protobuf.Timestamp", "crate::protojson::Timestamp");
/// The crate that holds the other well-known types.
const WELL_KNOWN: (&str, &str) = (".google.protobuf", "::pbjson_types");

/// The generated text of one proto package.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    /// The package, for example `trademesh.trading.v1`.
    pub(crate) package: String,
    /// The Rust text.
    pub(crate) text: String,
}

impl Module {
    pub(crate) fn file_name(&self) -> String {
        format!("{}.rs", self.package)
    }
}

/// Generates the modules, ordered by package.
pub(crate) fn generate(descriptors: &Descriptors) -> Result<Vec<Module>> {
    let mut texts = prost_texts(descriptors)?;
    for (package, serde) in serde_texts(descriptors)? {
        texts.entry(package).or_default().push_str(&serde);
    }
    Ok(texts
        .into_iter()
        .map(|(package, text)| Module { package, text })
        .collect())
}

fn prost_texts(descriptors: &Descriptors) -> Result<BTreeMap<String, String>> {
    let services = tonic_prost_build::configure()
        .compile_well_known_types(true)
        .generate_default_stubs(true)
        .service_generator();
    let mut config = prost_build::Config::new();
    config
        .btree_map(["."])
        .compile_well_known_types()
        .extern_path(TIMESTAMP.0, TIMESTAMP.1)
        .extern_path(WELL_KNOWN.0, WELL_KNOWN.1)
        .service_generator(services);
    let files = descriptors.files();
    // Google's files are in the graph, so that derives can be decided; what they generate is dropped below.
    let requests = descriptors.pool().files().map(|file| {
        let module = ProstModule::from_protobuf_package_name(file.package_name());
        (module, file.file_descriptor_proto().clone())
    });
    let modules = config
        .generate(requests.collect())
        .map_err(|error| Error::Compile(error.to_string()))?;
    let mut texts = BTreeMap::new();
    for file in &files {
        let module = ProstModule::from_protobuf_package_name(file.package_name());
        if let Some(text) = modules.get(&module) {
            texts.insert(file.package_name().to_owned(), text.clone());
        }
    }
    Ok(texts)
}

fn serde_texts(descriptors: &Descriptors) -> Result<BTreeMap<String, String>> {
    let mut builder = pbjson_build::Builder::new();
    builder.btree_map(["."]);
    builder
        .extern_path(TIMESTAMP.0, TIMESTAMP.1)
        .extern_path(WELL_KNOWN.0, WELL_KNOWN.1);
    let files = descriptors.files();
    for file in descriptors.pool().files() {
        builder.register_file_descriptor(file.file_descriptor_proto().clone());
    }
    let prefixes: Vec<String> = files.iter().map(|file| format!(".{}", file.package_name())).collect();
    let written = builder
        .generate(&prefixes, |_| Ok(Vec::new()))
        .map_err(|error| Error::Compile(error.to_string()))?;
    let mut texts = BTreeMap::new();
    for (package, bytes) in written {
        let text = String::from_utf8(bytes).map_err(|error| Error::Compile(error.to_string()))?;
        texts.insert(package.to_string(), protojson::strict(&text)?);
    }
    Ok(texts)
}
