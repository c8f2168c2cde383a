//! Makes the serde that pbjson wrote strict, and open to enum numbers that this build does not know.
//!
//! pbjson refuses to *encode* an unknown enum number, takes `"NaN"`, `"1e400"` and `null` for values, and lets the last
//! of two equal map keys win. The generated text is changed in these places to call `crate::protojson`.

use crate::{Error, Result};

const UNKNOWN_VARIANT: &str = ".map_err(|_| serde::ser::Error::custom(format!(\"Invalid variant {}\", ";

/// Rewrites one generated text.
pub(crate) fn strict(text: &str) -> Result<String> {
    let text = encode_unknown_enums(text)?;
    let text = refuse_null(&text);
    Ok(text
        .replace("::pbjson::private::NumberDeserialize", "crate::protojson::Number")
        .replace(
            "let v: std::collections::HashMap<_, _> =",
            "let v: std::collections::BTreeMap<_, _> =",
        ))
}

/// `Enum::try_from(value).map_err(…)` becomes a wrapper that writes the name if there is one, else the number.
fn encode_unknown_enums(text: &str) -> Result<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(at) = line.find(UNKNOWN_VARIANT) else {
            lines.push(line.to_owned());
            continue;
        };
        let broken = || Error::Compile(format!("the serde generator changed its form: {line}"));
        let after = &line[at + UNKNOWN_VARIANT.len()..];
        let (value, rest) = after.split_once(")))").ok_or_else(broken)?;
        let conversion = lines.pop().ok_or_else(broken)?;
        let call = format!("::try_from({value})");
        let head = conversion.strip_suffix(&call).ok_or_else(broken)?;
        let type_at = head.rfind([' ', '\t']).map_or(0, |space| space + 1);
        let (before, enumeration) = head.split_at(type_at);
        lines.push(format!(
            "{before}Ok::<_, S::Error>(crate::protojson::EnumValue::<{enumeration}>::new({value})){rest}"
        ));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// `null` is no value: neither for a message, nor for an optional scalar, nor in a oneof. Map keys are unique.
fn refuse_null(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = match line.strip_suffix("__ = map_.next_value()?;") {
            Some(target) => format!("{target}__ = Some(map_.next_value()?);"),
            None => line.to_owned(),
        };
        let line = match line.split_once("map_.next_value::<::std::option::Option<") {
            Some((before, after)) => match after.split_once(">>()?") {
                Some((value, rest)) => format!("{before}Some(map_.next_value::<{value}>()?){rest}"),
                None => line,
            },
            None => line,
        };
        let line = match line.split_once("map_.next_value::<std::collections::BTreeMap<") {
            Some((before, after)) => match after.strip_suffix(">>()?") {
                Some(types) => format!("{before}map_.next_value::<crate::protojson::UniqueMap<{types}>>()?.0"),
                None => line,
            },
            None => line,
        };
        lines.push(line);
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enum_becomes_a_value_that_may_be_unknown() {
        let text = "let v = super::Side::try_from(self.side)\n  .map_err(|_| serde::ser::Error::custom(format!(\"Invalid variant {}\", self.side)))?;\n";
        let strict = strict(text).unwrap();
        assert_eq!(
            strict,
            "let v = Ok::<_, S::Error>(crate::protojson::EnumValue::<super::Side>::new(self.side))?;\n"
        );
    }

    #[test]
    fn a_changed_generator_is_noticed() {
        let text = "let v = something_else(self.side)\n  .map_err(|_| serde::ser::Error::custom(format!(\"Invalid variant {}\", self.side)))?;\n";
        assert!(strict(text).unwrap_err().to_string().contains("changed its form"));
        let alone = &text[text.find(".map_err").unwrap()..];
        assert!(strict(alone).is_err());
    }

    #[test]
    fn null_is_refused_and_numbers_are_ours() {
        let table = [
            ("order__ = map_.next_value()?;", "order__ = Some(map_.next_value()?);"),
            (
                "map_.next_value::<::std::option::Option<::pbjson::private::NumberDeserialize<_>>>()?.map(|x| x.0)",
                "Some(map_.next_value::<crate::protojson::Number<_>>()?).map(|x| x.0)",
            ),
            (
                "map_.next_value::<std::collections::BTreeMap<_, _>>()?",
                "map_.next_value::<crate::protojson::UniqueMap<_, _>>()?.0",
            ),
        ];
        for (given, wanted) in table {
            assert_eq!(strict(given).unwrap().trim_end(), wanted);
        }
    }
}
