//! The workspace's manifests, as far as the rules need them.

use std::path::Path;

/// A crate and what it depends on.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The package's name.
    pub name: String,
    /// The names in `[dependencies]` and `[build-dependencies]`.
    pub dependencies: Vec<String>,
    /// The names in `[dev-dependencies]`.
    pub dev_dependencies: Vec<String>,
}

impl Manifest {
    /// Parses a `Cargo.toml`.
    ///
    /// # Panics
    /// When the text is not a package's manifest.
    pub fn parse(text: &str) -> Self {
        let table: toml::Table = text.parse().expect("a manifest is TOML");
        let names = |section: &str| -> Vec<String> {
            table
                .get(section)
                .and_then(toml::Value::as_table)
                .map(|dependencies| dependencies.keys().cloned().collect())
                .unwrap_or_default()
        };
        let mut dependencies = names("dependencies");
        if table["package"]["name"].as_str() != Some("mesh") {
            dependencies.extend(names("build-dependencies"));
        }
        Self {
            name: table["package"]["name"]
                .as_str()
                .expect("a package has a name")
                .to_owned(),
            dependencies,
            dev_dependencies: names("dev-dependencies"),
        }
    }
}

/// Reads the manifest of every crate of the workspace at `root`.
///
/// # Panics
/// When a folder of the workspace cannot be read.
pub fn read_manifests(root: &Path) -> Vec<Manifest> {
    let mut folders: Vec<_> = ["", "domain", "codegen", "cli", "tests", "bench"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    for entry in std::fs::read_dir(root.join("services")).expect("services/ exists") {
        folders.push(entry.expect("services/ can be listed").path());
    }
    folders
        .iter()
        .map(|folder| std::fs::read_to_string(folder.join("Cargo.toml")).expect("a crate has a manifest"))
        .map(|text| Manifest::parse(&text))
        .collect()
}
