//! A call's rendered parameters, read into what a kind works with.

use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use crate::model::{Duration, Failure, FailureKind, Value, parse_duration};
use crate::ports::Call;

/// A mapping from names to scalars or lists of them, in the order of the flow.
pub type Fields = IndexMap<String, Value>;

/// Reads a call's parameters.
///
/// # Errors
/// `template`: a value does not fit its parameter.
pub fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    T::deserialize(&call.spec).map_err(|error| unfit(format!("the parameters do not fit: {error}")))
}

/// A scalar as text, as a template would write it.
///
/// # Errors
/// `template`: it is a list, a mapping or null.
pub fn text(name: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Err(unfit(format!("`{name}` is null where text is wanted"))),
        Value::Array(_) => Err(unfit(format!("`{name}` is a list where text is wanted"))),
        Value::Object(_) => Err(unfit(format!("`{name}` is a mapping where text is wanted"))),
    }
}

/// Each field as text; a list is the same field several times.
///
/// # Errors
/// `template`: a value is no scalar and no list of them.
pub fn pairs(fields: &Fields) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Array(items) => {
                for item in items {
                    pairs.push((name.clone(), text(name, item)?));
                }
            }
            single => pairs.push((name.clone(), text(name, single)?)),
        }
    }
    Ok(pairs)
}

/// A duration.
///
/// # Errors
/// `template`: it is none.
pub fn duration(name: &str, text: &str) -> Result<Duration, Failure> {
    parse_duration(text).ok_or_else(|| unfit(format!("`{name}`: `{text}` is not a duration")))
}

/// A duration of more than nothing.
///
/// # Errors
/// `template`: it is none, or nothing.
pub fn period(name: &str, text: &str) -> Result<Duration, Failure> {
    match duration(name, text)? {
        nothing if nothing.is_zero() => Err(unfit(format!(
            "`{name}`: `{text}` is no time at all; give it more than nothing"
        ))),
        period => Ok(period),
    }
}

/// The failure of a value that does not fit.
#[must_use]
pub fn unfit(message: String) -> Failure {
    Failure::new(FailureKind::Template, message)
}

/// A failure with the server at which it happened: an address, without user and password.
#[must_use]
pub fn at(place: &str, failure: Failure) -> Failure {
    let message = format!("`{place}`: {}", failure.message);
    Failure { message, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_more_than_nothing() {
        assert_eq!(period("timeout", "1ms"), Ok(Duration::from_millis(1)));
        for (text, why) in [
            ("0s", "no time at all"),
            ("0.0ms", "no time at all"),
            ("soon", "not a duration"),
        ] {
            let failure = period("timeout", text).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Template);
            assert!(failure.message.starts_with("`timeout`: ") && failure.message.contains(why));
        }
    }
}
