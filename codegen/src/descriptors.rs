//! Compiles a folder of protos into one descriptor set, without protoc.

use std::path::{Path, PathBuf};

use prost_reflect::{DescriptorPool, FileDescriptor};

use crate::{Error, Result};

/// A compiled folder of protos: the pool keeps options and comments, the reflection set is without comments.
#[derive(Debug, Clone)]
pub struct Descriptors {
    pool: DescriptorPool,
    reflection: Vec<u8>,
    sources: Vec<PathBuf>,
}

impl Descriptors {
    /// Compiles every `.proto` below `folder`; `imports` are further folders to resolve imports in.
    ///
    /// # Errors
    /// What the compiler says, with file and line.
    pub fn compile(folder: &Path, imports: &[&Path]) -> Result<Self> {
        let mut sources = Vec::new();
        collect(folder, &mut sources)?;
        sources.sort();
        let includes = std::iter::once(folder).chain(imports.iter().copied());
        let mut compiler = protox::Compiler::new(includes).map_err(|error| compile_error(&error))?;
        compiler.include_imports(true).include_source_info(false);
        compiler.open_files(&sources).map_err(|error| compile_error(&error))?;
        Ok(Descriptors {
            pool: compiler.descriptor_pool(),
            reflection: compiler.encode_file_descriptor_set(),
            sources,
        })
    }

    /// The pool, with options and comments.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The encoded descriptor set for reflection.
    pub fn reflection(&self) -> &[u8] {
        &self.reflection
    }

    /// The files that were compiled.
    pub fn sources(&self) -> &[PathBuf] {
        &self.sources
    }

    /// The files that code is generated for: all but Google's.
    pub(crate) fn files(&self) -> Vec<FileDescriptor> {
        let mut files: Vec<_> = self
            .pool
            .files()
            .filter(|file| !file.package_name().starts_with("google."))
            .collect();
        files.sort_by(|a, b| a.name().cmp(b.name()));
        files
    }
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|error| Error::io(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder, &error))?.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            sources.push(path);
        }
    }
    Ok(())
}

fn compile_error(error: &protox::Error) -> Error {
    Error::Compile(format!("{error:?}"))
}
