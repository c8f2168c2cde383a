//! The comments of the protos, as descriptions.

use std::collections::HashMap;

use prost_reflect::FileDescriptor;

use crate::Descriptors;

/// Comments by file and path within the file.
#[derive(Debug)]
pub(crate) struct Comments {
    by_file: HashMap<String, HashMap<Vec<i32>, String>>,
}

impl Comments {
    pub(crate) fn read(descriptors: &Descriptors) -> Comments {
        let files = descriptors
            .pool()
            .files()
            .map(|file| (file.name().to_owned(), of_file(&file)));
        Comments {
            by_file: files.collect(),
        }
    }

    /// The comment above an element; empty when there is none.
    pub(crate) fn of(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.by_file
            .get(file.name())
            .and_then(|paths| paths.get(path))
            .map_or("", String::as_str)
    }
}

fn of_file(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let locations = file
        .file_descriptor_proto()
        .source_code_info
        .iter()
        .flat_map(|info| &info.location);
    locations
        .filter(|location| location.leading_comments.is_some())
        .map(|location| (location.path.clone(), flowing(location.leading_comments())))
        .collect()
}

/// The lines of a paragraph joined by spaces, and paragraphs kept apart.
fn flowing(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines().map(str::trim) {
        match line {
            "" if text.is_empty() => {}
            "" => text.push_str("\n\n"),
            _ => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::flowing;

    #[test]
    fn lines_flow_and_paragraphs_stay() {
        assert_eq!(
            flowing(" Submits an order.\n The answer comes.\n\n Second.\n"),
            "Submits an order. The answer comes.\n\nSecond."
        );
        assert_eq!(flowing("\n"), "");
    }
}
