//! The module tree of the generated packages, and its short names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::messages::Module;

/// What generated code need not keep to.
const ALLOWED: &str = "#[allow(missing_docs, unreachable_pub, unused_mut, unused_variables, clippy::all, \
                       clippy::wildcard_imports, clippy::unwrap_used)]";

/// The modules beside the packages: attributes, name, what they hold.
const DERIVED: [(&str, &str, &str); 5] = [
    (
        "",
        "tables",
        "Every rpc with its policy, and the permissions of every role.",
    ),
    (
        "",
        "guard",
        "Wrappers of the services that authorise and check each decoded request before the service sees it.",
    ),
    ("", "checks", "Checks of requests, by what their fields state."),
    ("", "rest", "A typed handler for every `google.api.http` rule."),
    ("#[cfg(test)]", "codecs", "The JSON of every message, both ways."),
];

#[derive(Default)]
struct Node {
    children: BTreeMap<String, Node>,
    file: Option<String>,
}

/// Generates `pb.rs`: nested modules that include their files, and `<area>` for `trademesh::<area>::v1`. `folder` is
/// where the files are inside `OUT_DIR`.
pub(crate) fn generate(modules: &[Module], folder: &str) -> String {
    let mut root = Node::default();
    let mut aliases = String::new();
    for module in modules {
        let mut node = &mut root;
        for segment in module.package.split('.') {
            node = node.children.entry(segment.to_owned()).or_default();
        }
        node.file = Some(module.file_name());
        if let [top, area, version] = module.package.split('.').collect::<Vec<_>>()[..] {
            let _ = writeln!(aliases, "/// Short for `{}`.", module.package);
            let _ = writeln!(
                aliases,
                "#[allow(unused_imports)]\npub use {top}::{area}::{version} as {area};"
            );
        }
    }
    let mut text = String::new();
    write_children(&root, folder, 0, &mut text);
    for (attribute, name, about) in DERIVED {
        let _ = writeln!(text, "/// {about}\n{attribute}\n{ALLOWED}\npub mod {name} {{");
        let _ = writeln!(
            text,
            "    include!(concat!(env!(\"OUT_DIR\"), \"/{folder}{name}.rs\"));\n}}"
        );
    }
    text + &aliases
}

fn write_children(node: &Node, folder: &str, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for (name, child) in &node.children {
        let _ = writeln!(
            text,
            "{indent}/// Generated from the protos.\n{indent}{ALLOWED}\n{indent}pub mod {name} {{"
        );
        if let Some(file) = &child.file {
            let _ = writeln!(
                text,
                "{indent}    include!(concat!(env!(\"OUT_DIR\"), \"/{folder}{file}\"));"
            );
        }
        write_children(child, folder, depth + 1, text);
        let _ = writeln!(text, "{indent}}}");
    }
}
