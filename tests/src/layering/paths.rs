//! The paths that a source file uses, from its syntax tree: `use` trees spelled out, and every path in code. Items
//! under `#[cfg(test)]` do not count.

use std::path::Path;
use syn::visit::Visit;

/// A source file, named by its path below the crate's `src/`.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// For example `journal/segment.rs`.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// The top module that the file belongs to: `journal` for `journal/segment.rs` and `journal.rs`.
    pub fn module(&self) -> String {
        let top = self.name.split('/').next().unwrap_or_default();
        top.trim_end_matches(".rs").to_owned()
    }
}

/// Reads every Rust file below `folder` that is not a test, in the order of their names.
///
/// # Panics
/// When the folder cannot be read.
pub fn read_sources(folder: &Path) -> Vec<SourceFile> {
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("a source folder can be listed").path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if is_test {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root)
                .expect("it is below the root")
                .to_string_lossy()
                .replace('\\', "/");
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            found.push(SourceFile { name, text });
        }
    }
}

/// The paths that the file uses outside its tests, `use` groups spelled out.
///
/// # Panics
/// When the file does not parse.
pub fn paths_of(source: &SourceFile) -> Vec<String> {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.name));
    let mut visitor = Paths::default();
    visitor.visit_file(&file);
    visitor.found
}

#[derive(Default)]
struct Paths {
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test_only(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test_only(&item.attrs) {
            spell_out(&item.tree, String::new(), &mut self.found);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_test_only(&function.attrs) {
            syn::visit::visit_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.found.push(segments.join("::"));
        }
        syn::visit::visit_path(self, path);
    }
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|argument| argument == "test")
    })
}

fn spell_out(tree: &syn::UseTree, prefix: String, found: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => spell_out(&path.tree, join(&prefix, &path.ident.to_string()), found),
        syn::UseTree::Name(name) if name.ident == "self" => found.push(prefix),
        syn::UseTree::Name(name) => found.push(join(&prefix, &name.ident.to_string())),
        syn::UseTree::Rename(rename) => found.push(join(&prefix, &rename.ident.to_string())),
        syn::UseTree::Glob(_) => found.push(join(&prefix, "*")),
        syn::UseTree::Group(group) => {
            for item in &group.items {
                spell_out(item, prefix.clone(), found);
            }
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}::{name}")
    }
}
