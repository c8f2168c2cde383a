//! Path templates of `google.api.http`: `/v1/accounts/{account_id}/orders/{name=shelves/*}:cancel`.

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// The segments, in order.
    pub(crate) segments: Vec<Segment>,
    /// The variables, in order: field path, and the segments that it spans.
    pub(crate) variables: Vec<Variable>,
    /// What stands after the last colon.
    pub(crate) verb: Option<String>,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    /// Exactly this text.
    Literal(String),
    /// Any one segment that is not empty.
    One,
    /// The rest of the path, one segment or more.
    Rest,
}

/// A variable of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The request field, as a dotted path.
    pub(crate) field: String,
    /// The first segment that it takes.
    pub(crate) first: usize,
    /// How many segments of the template it takes.
    pub(crate) length: usize,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let rest = text.strip_prefix('/').ok_or("a path starts with '/'")?;
        let (path, verb) = match rest.rsplit_once(':') {
            Some((path, verb)) if !verb.contains(['}', '/']) => (path, Some(literal(verb)?)),
            _ => (rest, None),
        };
        let mut template = Template {
            segments: Vec::new(),
            variables: Vec::new(),
            verb,
        };
        for part in split_outside_braces(path)? {
            template.push(part)?;
        }
        let last = template.segments.len() - 1;
        if template.segments[..last].contains(&Segment::Rest) {
            return Err("'**' stands only at the end".into());
        }
        Ok(template)
    }

    fn push(&mut self, part: &str) -> Result<(), String> {
        let Some(inside) = part.strip_prefix('{') else {
            self.segments.push(segment(part)?);
            return Ok(());
        };
        let inside = inside.strip_suffix('}').ok_or("a variable ends its segment")?;
        let (field, pattern) = inside.split_once('=').unwrap_or((inside, "*"));
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if !field.split('.').all(is_name) {
            return Err(format!("'{field}' is no field path"));
        }
        if self.variables.iter().any(|variable| variable.field == field) {
            return Err(format!("'{field}' stands twice"));
        }
        let first = self.segments.len();
        for part in pattern.split('/') {
            self.segments.push(segment(part)?);
        }
        let length = self.segments.len() - first;
        self.variables.push(Variable {
            field: field.to_owned(),
            first,
            length,
        });
        Ok(())
    }

    /// Whether the variable takes exactly one segment of any text.
    pub(crate) fn is_single(&self, variable: &Variable) -> bool {
        variable.length == 1 && self.segments[variable.first] == Segment::One
    }
}

fn split_outside_braces(path: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, character) in path.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or("a brace too many")?,
            '/' if depth == 0 => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        if depth > 1 {
            return Err("variables do not nest".into());
        }
    }
    parts.push(&path[start..]);
    if depth == 0 {
        Ok(parts)
    } else {
        Err("a brace is missing".into())
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    match text {
        "*" => Ok(Segment::One),
        "**" => Ok(Segment::Rest),
        _ => Ok(Segment::Literal(literal(text)?)),
    }
}

fn literal(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(format!("'{text}' is no path segment"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(text: &str) -> Segment {
        Segment::Literal(text.into())
    }

    #[test]
    fn templates_are_read() {
        let template = Template::parse("/v1/shelves/{order.shelf}/{name=books/*}:check").unwrap();
        let segments = vec![lit("v1"), lit("shelves"), Segment::One, lit("books"), Segment::One];
        assert_eq!(template.segments, segments);
        assert_eq!(template.verb.as_deref(), Some("check"));
        assert_eq!(
            template.variables[0],
            Variable {
                field: "order.shelf".into(),
                first: 2,
                length: 1
            }
        );
        assert_eq!(
            template.variables[1],
            Variable {
                field: "name".into(),
                first: 3,
                length: 2
            }
        );
        assert!(template.is_single(&template.variables[0]) && !template.is_single(&template.variables[1]));
        let template = Template::parse("/v1/{path=files/**}").unwrap();
        assert_eq!(template.segments, [lit("v1"), lit("files"), Segment::Rest]);
        assert_eq!(Template::parse("/v1/*/x").unwrap().segments[1], Segment::One);
    }

    #[test]
    fn wrong_templates_are_refused() {
        let table = [
            "",
            "v1",
            "/",
            "/v1/",
            "/v1//x",
            "/v1/{",
            "/v1/}",
            "/v1/{a}x",
            "/v1/{a{b}}",
            "/v1/{A}",
            "/v1/{}",
            "/v1/{a.}",
            "/v1/{a}/{a}",
            "/v1/**/x",
            "/v1/x y",
            "/v1/{a=**}/x",
            "/v1/{a=}",
            "/v1/x:",
            "/v1/{a",
        ];
        for text in table {
            assert!(Template::parse(text).is_err(), "{text:?}");
        }
    }
}
