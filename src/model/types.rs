//! The types of the store: what a value may be, and how text is read as one.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{Duration, SecretSource, Value, format_duration, parse_duration};

/// The type of a store name or a parameter.
///
/// As values: `duration` is text in canonical form (`1m30s`), `size` a number of bytes, `port` a number,
/// `url`, `path` and `date` text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Text.
    String,
    /// A whole number, 64 bits, signed.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// `500ms`, `10s`, `1m30s`, `2h`, `1d`.
    Duration,
    /// A number of bytes: `512`, `10KiB`, `20GiB`, `1MB`.
    Size,
    /// A TCP or UDP port, 1 to 65535.
    Port,
    /// An absolute URL.
    Url,
    /// A path of a file system.
    Path,
    /// A calendar date: `2026-11-24`.
    Date,
    /// A file of text, of which the path is written: its text.
    File,
    /// A file that is a template: its text.
    Template,
    /// A list of values of one type.
    List(Box<Type>),
    /// A mapping.
    Map,
    /// Anything.
    Any,
}

impl Type {
    /// The words for types, as authors write them.
    pub const NAMES: [&'static str; 15] = [
        "string",
        "int",
        "float",
        "bool",
        "duration",
        "size",
        "port",
        "url",
        "path",
        "date",
        "file",
        "template",
        "list<string>",
        "map",
        "any",
    ];

    /// Reads a type's name, `list<T>` included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "string" => Self::String,
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "duration" => Self::Duration,
            "size" => Self::Size,
            "port" => Self::Port,
            "url" => Self::Url,
            "path" => Self::Path,
            "date" => Self::Date,
            "file" => Self::File,
            "template" => Self::Template,
            "list" => Self::List(Box::new(Self::Any)),
            "map" => Self::Map,
            "any" => Self::Any,
            other => {
                let item = Self::parse(other.strip_prefix("list<")?.strip_suffix('>')?)?;
                return (!item.is_file()).then(|| Self::List(Box::new(item)));
            }
        })
    }

    /// Whether what is written for it is the path of a file, and its value the text of that file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File | Self::Template)
    }

    /// Reads text, as `--set name=value` gives it, as a value of this type.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn read(&self, text: &str) -> Result<Value, TypeError> {
        let wrong = || TypeError::Mismatch {
            expected: self.to_string(),
            hint: self.hint(),
            found: text.to_owned(),
        };
        Ok(match self {
            Self::String | Self::Path | Self::File | Self::Template => {
                Value::String(text.to_owned())
            }
            Self::Int => Value::from(text.trim().parse::<i64>().map_err(|_| wrong())?),
            Self::Float => Number::from_f64(text.trim().parse::<f64>().map_err(|_| wrong())?)
                .map(Value::Number)
                .ok_or_else(wrong)?,
            Self::Bool => match text.trim() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return Err(wrong()),
            },
            Self::Size => Value::from(parse_size(text).ok_or_else(wrong)?),
            Self::Port => {
                let port: u16 = text.trim().parse().map_err(|_| wrong())?;
                if port == 0 {
                    return Err(wrong());
                }
                Value::from(port)
            }
            Self::Duration | Self::Url | Self::Date => {
                return self.check(Value::String(text.trim().to_owned()));
            }
            Self::List(item) => {
                let text = text.trim();
                if text.starts_with('[') {
                    return self.check(serde_json::from_str(text).map_err(|_| wrong())?);
                }
                if text.is_empty() {
                    return Ok(Value::Array(Vec::new()));
                }
                let items = text.split(',').map(|part| item.read(part.trim()));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Map => return self.check(serde_json::from_str(text).map_err(|_| wrong())?),
            Self::Any => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
            }
        })
    }

    /// Checks a value that is there already (a default, `--set-json`), and brings it into canonical form.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn check(&self, value: Value) -> Result<Value, TypeError> {
        let ok = match (self, &value) {
            (Self::Any, _)
            | (Self::String | Self::Path | Self::File | Self::Template, Value::String(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Map, Value::Object(_)) => true,
            (Self::Int, Value::Number(n)) => n.is_i64(),
            (Self::Float, Value::Number(_)) => true,
            (Self::Port, Value::Number(n)) => n.as_u64().is_some_and(|n| (1..=65535).contains(&n)),
            (Self::Size, Value::Number(n)) => n.is_u64(),
            (Self::Size, Value::String(text)) => {
                if let Some(bytes) = parse_size(text) {
                    return Ok(Value::from(bytes));
                }
                false
            }
            (Self::Duration, Value::String(text)) => {
                if let Some(duration) = parse_duration(text) {
                    return Ok(Value::String(format_duration(duration)));
                }
                false
            }
            (Self::Url, Value::String(text)) => is_url(text),
            (Self::Date, Value::String(text)) => text.parse::<jiff::civil::Date>().is_ok(),
            (Self::List(item), Value::Array(items)) => {
                let items = items.iter().map(|v| item.check(v.clone()));
                return Ok(Value::Array(items.collect::<Result<_, _>>()?));
            }
            _ => false,
        };
        if ok {
            Ok(value)
        } else {
            Err(TypeError::Mismatch {
                expected: self.to_string(),
                hint: self.hint(),
                found: match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                },
            })
        }
    }

    /// The type of a default that is written without one: a number, a bool, a list, a mapping or text.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Bool,
            Value::Number(n) if n.is_i64() || n.is_u64() => Self::Int,
            Value::Number(_) => Self::Float,
            Value::String(_) => Self::String,
            Value::Array(items) => {
                let mut types = items.iter().map(Self::of);
                let first = types.next().unwrap_or(Self::Any);
                let same = types.all(|t| t == first);
                Self::List(Box::new(if same { first } else { Self::Any }))
            }
            Value::Object(_) => Self::Map,
            Value::Null => Self::Any,
        }
    }

    /// An example or a range, for messages.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Int => "a whole number, such as 3",
            Self::Float => "a number, such as 0.5",
            Self::Bool => "true or false",
            Self::Duration => "a number with a unit, such as 500ms, 10s, 1m30s, 2h or 1d",
            Self::Size => "a number of bytes, such as 512, 10KiB or 20GiB",
            Self::Port => "a number from 1 to 65535",
            Self::Url => "an absolute URL, such as https://example.test/path",
            Self::Path => "a path",
            Self::Date => "a date, such as 2026-11-24",
            Self::File | Self::Template => "the path of a file",
            Self::List(_) => "a list: values with commas between them, or JSON",
            Self::Map => "a mapping, as JSON",
            Self::Any => "any value",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Bool => f.write_str("bool"),
            Self::Duration => f.write_str("duration"),
            Self::Size => f.write_str("size"),
            Self::Port => f.write_str("port"),
            Self::Url => f.write_str("url"),
            Self::Path => f.write_str("path"),
            Self::Date => f.write_str("date"),
            Self::File => f.write_str("file"),
            Self::Template => f.write_str("template"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Map => f.write_str("map"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// `an int`, `a port`.
fn article(ty: &str) -> &'static str {
    match ty.starts_with(['a', 'i']) {
        true => "an",
        false => "a",
    }
}

/// A value is not what its declaration asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Another type.
    #[error("`{found}` is not {} {expected}: {hint}", article(expected))]
    Mismatch {
        /// The declared type.
        expected: String,
        /// An example or a range.
        hint: &'static str,
        /// What was there.
        found: String,
    },
    /// Not one of the values that are allowed.
    #[error("`{found}` is not one of {allowed}")]
    NotOneOf {
        /// What was there.
        found: String,
        /// The values, with commas.
        allowed: String,
    },
    /// Below `min` or above `max`.
    #[error("`{found}` is {side} {bound}")]
    OutOfRange {
        /// What was there.
        found: String,
        /// `below the minimum` or `above the maximum`; of a length, `shorter than` or `longer than`.
        side: &'static str,
        /// The bound; of a length, with what it counts.
        bound: String,
    },
    /// Does not match `pattern`.
    #[error("`{found}` does not match the pattern `{pattern}`")]
    Pattern {
        /// What was there.
        found: String,
        /// The regular expression, which must match the whole text.
        pattern: String,
    },
}

/// A store name as its flow declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// Its type.
    pub ty: Type,
    /// Its default; without one (and without `from`) it must be set.
    pub default: Option<Value>,
    /// One line about it.
    pub about: Option<String>,
    /// The values that are allowed; empty for all.
    pub one_of: Vec<Value>,
    /// The least value (a number; for text and lists, the least length).
    pub min: Option<Value>,
    /// The greatest value, likewise.
    pub max: Option<Value>,
    /// A regular expression that the whole text must match.
    pub pattern: Option<String>,
    /// Whether it is never to be written anywhere.
    pub secret: bool,
    /// Where it is read from, by the conductor, when it is used.
    pub from: Option<SecretSource>,
}

impl Declared {
    /// A name of that type, of which nothing else is said.
    #[must_use]
    pub fn of(ty: Type) -> Self {
        Self {
            ty,
            default: None,
            about: None,
            one_of: Vec::new(),
            min: None,
            max: None,
            pattern: None,
            secret: false,
            from: None,
        }
    }

    /// Reads text as a value for this name.
    ///
    /// # Errors
    /// How the text does not fit.
    pub fn read(&self, text: &str) -> Result<Value, TypeError> {
        self.allow(self.ty.read(text)?)
    }

    /// Checks a value for this name.
    ///
    /// # Errors
    /// How the value does not fit.
    pub fn check(&self, value: Value) -> Result<Value, TypeError> {
        self.allow(self.ty.check(value)?)
    }

    /// Makes a value for this name of what a template gives: text is read as the type says, and a number or a bool is
    /// text where text is wanted.
    ///
    /// # Errors
    /// How the value does not fit.
    pub fn fit(&self, value: Value) -> Result<Value, TypeError> {
        match (&self.ty, value) {
            (Type::Any, value) => self.allow(value),
            (Type::String | Type::Path, value @ (Value::Number(_) | Value::Bool(_))) => {
                self.read(&value.to_string())
            }
            (_, Value::String(text)) => self.read(&text),
            (_, value) => self.check(value),
        }
    }

    fn allow(&self, value: Value) -> Result<Value, TypeError> {
        let shown = |v: &Value| match v {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !self.one_of.is_empty() && !self.one_of.contains(&value) {
            return Err(TypeError::NotOneOf {
                found: shown(&value),
                allowed: self.one_of.iter().map(shown).collect::<Vec<_>>().join(", "),
            });
        }
        let measure = |v: &Value| match (&self.ty, v) {
            (Type::Duration, Value::String(text)) => {
                parse_duration(text).map(|d: Duration| d.as_secs_f64())
            }
            (_, Value::Number(n)) => n.as_f64(),
            (_, Value::String(text)) => Some(text.chars().count() as f64),
            (_, Value::Array(items)) => Some(items.len() as f64),
            _ => None,
        };
        let (below, above, unit) = match (&self.ty, &value) {
            (Type::Duration, _) | (_, Value::Number(_)) => {
                ("below the minimum", "above the maximum", "")
            }
            (_, Value::Array(_)) => ("shorter than", "longer than", " values"),
            (_, _) => ("shorter than", "longer than", " characters"),
        };
        for (bound, side, wrong) in [
            (&self.min, below, std::cmp::Ordering::Less),
            (&self.max, above, std::cmp::Ordering::Greater),
        ] {
            if let Some(bound) = bound
                && let (Some(found), Some(limit)) = (measure(&value), measure(bound))
                && found.partial_cmp(&limit) == Some(wrong)
            {
                return Err(TypeError::OutOfRange {
                    found: shown(&value),
                    side,
                    bound: shown(bound) + unit,
                });
            }
        }
        if let (Some(pattern), Value::String(text)) = (&self.pattern, &value)
            && let Ok(regex) = regex::Regex::new(&format!("^(?:{pattern})$"))
            && !regex.is_match(text)
        {
            return Err(TypeError::Pattern {
                found: text.clone(),
                pattern: pattern.clone(),
            });
        }
        Ok(value)
    }
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    scheme_ok
        && rest.starts_with("//")
        && rest.len() > 2
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

const SIZES: [(&str, u64); 11] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads `512`, `10KiB`, `1.5GiB`, `1MB` as bytes.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let unit = text[digits..].trim_start();
    let (_, scale) = SIZES.iter().find(|(name, _)| *name == unit)?;
    if let Ok(whole) = text[..digits].parse::<u64>() {
        return whole.checked_mul(*scale);
    }
    let bytes = text[..digits].parse::<f64>().ok()? * (*scale as f64);
    (bytes.is_finite() && bytes < 9e18).then_some(bytes.round() as u64)
}

/// Writes a number of bytes with the largest binary unit that divides it.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    SIZES[2..6]
        .iter()
        .rev()
        .find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale))
        .map_or_else(
            || bytes.to_string(),
            |(unit, scale)| format!("{}{unit}", bytes / scale),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_read_as_the_declared_type() {
        let cases = [
            ("string", "no", json!("no")),
            ("int", "3", json!(3)),
            ("float", "0.5", json!(0.5)),
            ("bool", "true", json!(true)),
            ("duration", "90s", json!("1m30s")),
            ("size", "20GiB", json!(21_474_836_480_u64)),
            ("port", "8887", json!(8887)),
            ("url", "https://a.test/x", json!("https://a.test/x")),
            ("date", "2026-11-24", json!("2026-11-24")),
            ("list<int>", "1, 2", json!([1, 2])),
            ("list<string>", r#"["a,b"]"#, json!(["a,b"])),
            ("map", r#"{"a": 1}"#, json!({"a": 1})),
        ];
        for (ty, text, value) in cases {
            assert_eq!(Type::parse(ty).unwrap().read(text).unwrap(), value, "{ty}");
        }
        for (ty, text) in [
            ("int", "3.5"),
            ("bool", "yes"),
            ("duration", "10"),
            ("port", "70000"),
            ("port", "0"),
            ("url", "nowhere"),
            ("date", "2026-13-01"),
            ("list<int>", "1,b"),
        ] {
            assert!(Type::parse(ty).unwrap().read(text).is_err(), "{ty} {text}");
        }
    }
}
