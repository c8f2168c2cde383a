//! The vocabulary stays pure: its manifest names what it may use, and its sources touch no world outside.

use std::path::Path;

const ALLOWED: [&str; 3] = ["rust_decimal", "serde", "thiserror"];

/// The names under `[dependencies]` of a manifest, in either of TOML's two spellings.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies") && table != "dev-dependencies";
            if let Some((kind, name)) = table
                .rsplit_once('.')
                .filter(|(kind, _)| kind.ends_with("dependencies"))
            {
                if kind != "dev-dependencies" {
                    names.push(name.to_owned());
                }
                inside = false;
            }
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    names
}

#[test]
fn the_manifest_names_three_crates() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert_eq!(dependencies(&manifest), ALLOWED);
}

#[test]
fn an_impure_manifest_is_caught() {
    let impure = "[dependencies]\nserde.workspace = true\ntokio = \"1\"\n[target.'cfg(unix)'.dependencies]\nsqlx = \"1\"\n\
                  [dependencies.tonic]\nversion = \"1\"\n[dev-dependencies]\nproptest = \"1\"\n[dev-dependencies.axum]\n";
    assert_eq!(dependencies(impure), ["serde", "tokio", "sqlx", "tonic"]);
}

#[test]
fn the_sources_touch_nothing_outside() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            files += 1;
            for outside in [
                "std::fs",
                "std::net",
                "std::thread",
                "std::env",
                "std::process",
                "SystemTime",
                "Instant",
                "f64",
                "f32",
            ] {
                let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
                assert!(
                    code.clone().all(|line| !line.contains(outside)),
                    "{} in {}",
                    outside,
                    path.display()
                );
            }
        }
    }
    assert!(files > 20, "{files}");
}
