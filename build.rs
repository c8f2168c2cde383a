//! Derives everything in `mesh::pb` from `proto/`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=codegen/tests/protos");
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let proto = Path::new("proto");
    let descriptors = codegen::Descriptors::compile(proto, &[])?;
    codegen::write(&codegen::generate(&descriptors, "")?, &out)?;
    // The generator's own protos, for the tests of what runs under generated handlers.
    let fixtures = codegen::Descriptors::compile(Path::new("codegen/tests/protos"), &[proto])?;
    codegen::write(&codegen::generate(&fixtures, "fixtures/")?, &out.join("fixtures"))?;
    Ok(())
}
