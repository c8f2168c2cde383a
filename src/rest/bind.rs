//! Sets fields from text: what generated handlers do with path variables and query parameters.

use super::call::Misfit;
use crate::protojson::{JsonNumber, Timestamp};

/// What setting a field answers.
pub type Set = Result<(), Misfit>;

/// Sets a string.
///
/// # Errors
/// Never; the same form as the others.
pub fn text(field: &mut String, value: &str) -> Set {
    value.clone_into(field);
    Ok(())
}

/// Sets a string that the body may name too, if it says the same.
///
/// # Errors
/// When the body says something else.
pub fn same_text(field: &mut String, value: &str) -> Set {
    if !field.is_empty() && field != value {
        return Err(Misfit("the same in path and body"));
    }
    text(field, value)
}

/// Sets a bool from `true` or `false`.
///
/// # Errors
/// For any other word.
pub fn boolean(field: &mut bool, value: &str) -> Set {
    *field = value.parse().map_err(|_| Misfit("true or false"))?;
    Ok(())
}

/// Sets a number.
///
/// # Errors
/// When it is none, or does not fit.
pub fn number<T: JsonNumber>(field: &mut T, value: &str) -> Set {
    *field = T::from_text(value).ok_or(Misfit(T::EXPECTED))?;
    Ok(())
}

/// Sets an enum from the name of a value.
///
/// # Errors
/// When the enum has no such value.
pub fn enumeration<E: Into<i32>>(field: &mut i32, value: &str, by_name: impl Fn(&str) -> Option<E>) -> Set {
    *field = by_name(value).ok_or(Misfit("the name of a value of its enum"))?.into();
    Ok(())
}

/// Sets a time from RFC 3339.
///
/// # Errors
/// When it is no such time.
pub fn time(field: &mut Timestamp, value: &str) -> Set {
    *field = value.parse().map_err(|_| Misfit("a time in RFC 3339"))?;
    Ok(())
}

/// Sets a duration from seconds such as `1.5s`.
///
/// # Errors
/// When it is no such duration.
pub fn duration(field: &mut pbjson_types::Duration, value: &str) -> Set {
    let text = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(value);
    *field = serde::Deserialize::deserialize(text).map_err(|_| Misfit("seconds such as 1.5s"))?;
    Ok(())
}

/// A new element at the end of a repeated field.
pub fn push<T: Default>(field: &mut Vec<T>) -> &mut T {
    field.push(T::default());
    let last = field.len() - 1;
    &mut field[last]
}

/// A parameter that the handler's tables do not name: they are generated together, so this is a defect.
///
/// # Errors
/// Always.
pub fn unknown() -> Set {
    Err(Misfit("a parameter of this call"))
}
