//! The module tree of the generated packages, and its short names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::messages::Module;

/// The modules beside the packages.
const DERIVED: [(&str, &str); 3] = [
    (
        "tables",
        "Every rpc with its policy, and the permissions of every role.",
    ),
    (
        "guard",
        "Wrappers of the services that authorise each decoded request before the service sees it.",
    ),
    ("rest", "A typed handler for every `google.api.http` rule."),
];

#[derive(Default)]
struct Node {
    children: BTreeMap<String, Node>,
    file: Option<String>,
}

/// Generates `pb.rs`: nested modules that include their files, and `<area>` for `trademesh::<area>::v1`.
pub(crate) fn generate(modules: &[Module]) -> String {
    let mut root = Node::default();
    let mut aliases = String::new();
    for module in modules {
        let mut node = &mut root;
        for segment in module.package.split('.') {
            node = node.children.entry(segment.to_owned()).or_default();
        }
        node.file = Some(module.file_name());
        if let [_, area, version] = module.package.split('.').collect::<Vec<_>>()[..] {
            let _ = writeln!(
                aliases,
                "/// Short for `{0}`.\npub use {1}::{area}::{version} as {area};",
                module.package,
                root_of(module)
            );
        }
    }
    let mut text = String::new();
    write_children(&root, 0, &mut text);
    for (name, about) in DERIVED {
        let _ = writeln!(text, "/// {about}");
        let _ = writeln!(text, "#[allow(clippy::all, clippy::wildcard_imports)]");
        let _ = writeln!(
            text,
            "pub mod {name} {{\n    include!(concat!(env!(\"OUT_DIR\"), \"/{name}.rs\"));\n}}"
        );
    }
    text + &aliases
}

fn root_of(module: &Module) -> &str {
    module.package.split('.').next().unwrap_or_default()
}

fn write_children(node: &Node, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for (name, child) in &node.children {
        let _ = writeln!(text, "{indent}/// Generated from the protos.");
        let _ = writeln!(
            text,
            "{indent}#[allow(missing_docs, unreachable_pub, clippy::all, clippy::wildcard_imports, clippy::unwrap_used)]"
        );
        let _ = writeln!(text, "{indent}pub mod {name} {{");
        if let Some(file) = &child.file {
            let _ = writeln!(text, "{indent}    include!(concat!(env!(\"OUT_DIR\"), \"/{file}\"));");
        }
        write_children(child, depth + 1, text);
        let _ = writeln!(text, "{indent}}}");
    }
}
