//! Expressions: minijinja's, with every undefined name an error.
//!
//! Text enters and a checked [`Expression`] leaves; later, values enter and a value leaves. Nothing here knows what
//! a name stands for. Evaluation is a pure function of the values given, and its time and memory are bounded.

mod call;
mod fault;
mod render;
mod scan;
mod trouble;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use indexmap::IndexMap;
use minijinja::value::ValueKind;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

pub(crate) use fault::{Fault, unclosed, within};
pub(crate) use render::check as check_text;
pub use scan::Reference;
pub(crate) use scan::{outside_strings, scan};

use crate::model::{Span, Value};
use crate::syntax::{Code, Problem, code, did_you_mean};

/// How much work one evaluation may do, in minijinja's units (one instruction, or 64 bytes of data).
const FUEL: u64 = 5_000_000;

/// How many bytes a result may take in memory, about.
const RESULT_SIZE: usize = 64 << 20;

/// How deep lists and mappings of a result may stand in each other; as deep as JSON text may be read.
const RESULT_DEPTH: usize = 127;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.remove_global("debug");
    environment.remove_global("namespace");
    environment.add_filter("render", render::render);
    environment
});

/// The functions that every expression may call; a name of the flow goes before them.
pub(crate) const FUNCTIONS: [&str; 2] = ["range", "dict"];

/// Filters and tests that people know, for "did you mean" and for editors.
pub(crate) const FILTERS: [&str; 33] = [
    "abs",
    "attr",
    "bool",
    "capitalize",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "render",
    "replace",
    "reverse",
    "round",
    "select",
    "sort",
    "split",
    "string",
    "trim",
    "upper",
];
pub(crate) const TESTS: [&str; 18] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "even",
    "false",
    "float",
    "in",
    "integer",
    "iterable",
    "mapping",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
];

/// An expression that parses. Compared and serialised by its text, and parsed again (some microseconds) when it is
/// evaluated: plans stay small, and most expressions are evaluated once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Expression {
    /// As the author wrote it.
    pub text: String,
}

/// An expression could not be parsed or evaluated: why, as a fragment for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(pub String);

impl Expression {
    /// Reads an expression that stands at `span`.
    ///
    /// # Errors
    /// It does not parse, or asks for a filter or a test that there is not.
    #[expect(
        clippy::result_large_err,
        reason = "made once for a wrong text, and put into a list at once"
    )]
    pub fn parse(text: &str, span: Span) -> Result<Self, Problem> {
        Self::read(text).map_err(|fault| {
            let part = within(span, text, fault.range.clone());
            fault.at(part)
        })
    }

    /// Reads an expression.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let before = text.len() - text.trim_start().len();
        Self::read_trimmed(text.trim()).map_err(|mut fault| {
            fault.range = fault.range.start + before..fault.range.end + before;
            fault
        })
    }

    fn read_trimmed(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault {
                code: code::BAD_EXPRESSION,
                message: "an expression is missing".to_owned(),
                range: 0..0,
                label: String::new(),
                help: Some("write an expression, such as `name`".to_owned()),
                meant: None,
            });
        }
        if let Err(error) = ENVIRONMENT.compile_expression_owned(text.to_owned()) {
            return Err(fault::of(text, &error));
        }
        let words = scan(text);
        for (filter, range) in words.filters {
            if !is_known(&filter, "filter") {
                let what = format!("there is no filter `{filter}`");
                return Err(suggest(code::UNKNOWN_FILTER, what, &filter, range, FILTERS));
            }
        }
        for (test, range) in words.tests {
            if !is_known(&test, "test") {
                let what = format!("there is no test `{test}`");
                return Err(suggest(code::UNKNOWN_TEST, what, &test, range, TESTS));
            }
        }
        if let Some(fault) = call::fault(text) {
            return Err(fault);
        }
        Ok(Self {
            text: text.to_owned(),
        })
    }

    /// The names that it needs, each use in the order of the text; functions that are always there are left out.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        scan(&self.text).references
    }

    /// Whether it needs no name: its value is always the same.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.references()
            .iter()
            .all(|r| FUNCTIONS.contains(&r.name.as_str()))
    }

    /// Evaluates it. Undefined is an error; so is running for too long.
    ///
    /// # Errors
    /// What could not be done.
    pub fn evaluate(&self, names: &IndexMap<String, Value>) -> Result<Value, ExpressionError> {
        let value = self.run(names)?;
        let mut room = RESULT_SIZE;
        self.plain(&value, &mut room, 0)
    }

    /// Evaluates it and says whether the value counts as true: not `false`, `none`, 0, empty text or an empty list.
    ///
    /// # Errors
    /// What could not be done.
    pub fn holds(&self, names: &IndexMap<String, Value>) -> Result<bool, ExpressionError> {
        Ok(self.run(names)?.is_true())
    }

    fn run(&self, names: &IndexMap<String, Value>) -> Result<minijinja::Value, ExpressionError> {
        let fail = |error: &minijinja::Error| ExpressionError(trouble::told(&self.text, error));
        let program = ENVIRONMENT
            .compile_expression_owned(self.text.clone())
            .map_err(|error| fail(&error))?;
        let mut context = BTreeMap::new();
        for reference in self.references() {
            if let Some(value) = names.get(&reference.name) {
                context
                    .entry(reference.name)
                    .or_insert_with(|| minijinja::Value::from(minijinja::value::Serde(value)));
            } else if !FUNCTIONS.contains(&reference.name.as_str()) {
                return Err(ExpressionError(format!(
                    "`{}` is not defined",
                    reference.name
                )));
            }
        }
        let context = minijinja::Value::from(context);
        let value = program.eval(context.clone()).map_err(|error| {
            match trouble::missing(&self.text, &error, &context) {
                Some(what) => ExpressionError(what),
                None => fail(&error),
            }
        })?;
        if value.is_undefined() {
            return Err(ExpressionError(format!(
                "`{}` is not defined",
                shorten(&self.text)
            )));
        }
        Ok(value)
    }

    /// The value as JSON, as long as there is room for it.
    fn plain(
        &self,
        value: &minijinja::Value,
        room: &mut usize,
        depth: usize,
    ) -> Result<Value, ExpressionError> {
        let fail = |why: &str| ExpressionError(format!("`{}` {why}", shorten(&self.text)));
        let size = 64 + value.as_str().map_or(0, str::len);
        *room = room
            .checked_sub(size)
            .ok_or_else(|| fail("is too large a value"))?;
        if depth > RESULT_DEPTH {
            return Err(fail("is a value of too many levels"));
        }
        match value.kind() {
            ValueKind::Undefined => Err(fail("holds something that is not defined")),
            ValueKind::None | ValueKind::Bool => {
                serde_json::to_value(value).map_err(|_| fail("is no value"))
            }
            ValueKind::Number => match serde_json::to_value(value) {
                Ok(Value::Null) | Err(_) => Err(fail("is not a number that can be written")),
                Ok(number) => Ok(number),
            },
            ValueKind::String => Ok(Value::from(value.as_str().unwrap_or_default())),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value
                    .try_iter()
                    .map_err(|error| fail(&trouble::why(&error)))?;
                let items = items.map(|item| self.plain(&item, room, depth + 1));
                items.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            ValueKind::Map => {
                let mut map = serde_json::Map::new();
                for key in value
                    .try_iter()
                    .map_err(|error| fail(&trouble::why(&error)))?
                {
                    let item = value
                        .get_item(&key)
                        .map_err(|error| fail(&trouble::why(&error)))?;
                    let item = self.plain(&item, room, depth + 1)?;
                    map.insert(key.to_string(), item);
                }
                Ok(Value::Object(map))
            }
            _ => Err(fail("is a function, not a value")),
        }
    }
}

/// A value as text: text as it is, `true` and `false`, numbers as written, lists and mappings as JSON.
///
/// # Errors
/// `none` has no text: an empty place in a path, a URL or a command would mean something else than was meant.
pub(crate) fn to_text(value: &Value) -> Result<String, ExpressionError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Err(ExpressionError("`none` has no text".to_owned())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Ok(value.to_string())
        }
    }
}

impl Expression {
    /// Its value as text.
    ///
    /// # Errors
    /// It could not be evaluated, or is `none`.
    pub(crate) fn text_of(
        &self,
        names: &IndexMap<String, Value>,
    ) -> Result<String, ExpressionError> {
        let value = self.evaluate(names)?;
        if value.is_null() {
            let text = shorten(&self.text);
            return Err(ExpressionError(format!(
                "`{text}` is none, which has no text: write `{text} or \"\"` if nothing may stand there"
            )));
        }
        to_text(&value)
    }
}

fn is_known(word: &str, what: &'static str) -> bool {
    let question = format!("word is {what}");
    let names = BTreeMap::from([("word".to_owned(), minijinja::Value::from(word))]);
    ENVIRONMENT
        .compile_expression_owned(question)
        .and_then(|question| question.eval(minijinja::Value::from(names)))
        .is_ok_and(|answer| answer.is_true())
}

fn suggest<const N: usize>(
    code: Code,
    message: String,
    word: &str,
    range: Range<usize>,
    known: [&'static str; N],
) -> Fault {
    let fault = Fault {
        code,
        message,
        range,
        label: String::new(),
        help: None,
        meant: None,
    };
    match did_you_mean(word, known) {
        Some(meant) => fault.did_you_mean(word, meant),
        None => Fault {
            help: Some(format!("there are {}", known.join(", "))),
            ..fault
        },
    }
}

/// The beginning of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > 60 {
        line.chars().take(57).chain("...".chars()).collect()
    } else if line.len() < text.trim_end().len() {
        format!("{line} ...")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> IndexMap<String, Value> {
        IndexMap::from([
            ("x".to_owned(), json!({"y": [1, 2], "ok": false})),
            ("text".to_owned(), json!("a\"b")),
            ("n".to_owned(), json!(3)),
        ])
    }

    fn evaluate(text: &str) -> Result<Value, String> {
        Expression::parse(text, Span::default())
            .map_err(|problem| problem.message)?
            .evaluate(&names())
            .map_err(|error| error.0)
    }

    #[test]
    fn values_keep_their_type() {
        for (text, value) in [
            ("x", json!({"y": [1, 2], "ok": false})),
            ("x.y[1:]", json!([2])),
            ("x['y'] | map('string') | list", json!(["1", "2"])),
            ("n / 2", json!(1.5)),
            ("n * 2 == 6", json!(true)),
            ("text ~ n", json!("a\"b3")),
            ("none", Value::Null),
            ("range(n)", json!([0, 1, 2])),
            ("{'a': {'b': n}}", json!({"a": {"b": 3}})),
            ("x.z | default('d')", json!("d")),
        ] {
            assert_eq!(evaluate(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn undefined_is_an_error_wherever_it_shows() {
        for text in [
            "nothing",
            "x.z",
            "x.z.w",
            "[x.z]",
            "{'a': x.z}",
            "x.y[7]",
            "not x.z",
            "text ~ x.z",
        ] {
            let error = evaluate(text).unwrap_err();
            assert!(error.contains("defined"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for (text, message) in [
            ("", "an expression is missing"),
            ("x +", "`x +` is not an expression"),
            ("x | uper", "there is no filter `uper`"),
            ("x is od", "there is no test `od`"),
            ("range", "`range` is a function, not a value"),
        ] {
            assert_eq!(evaluate(text), Err(message.to_owned()), "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(evaluate(&deep).is_err());
    }

    #[test]
    fn runaways_are_stopped() {
        for text in [
            "range(100000) * 100000",
            "'x' * 1000000000",
            "[[0] * 99999] * 99999",
            "(range(99999) * 99999) | list",
            "(range(99999) * 99999) | length * 0 == 1 or (range(99999) * 9999) | sum",
        ] {
            assert!(evaluate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_is_plain_and_lists_are_json() {
        for (value, text) in [
            (json!("a b"), "a b"),
            (json!(true), "true"),
            (json!(1.5), "1.5"),
            (json!([1, "a"]), "[1,\"a\"]"),
        ] {
            assert_eq!(to_text(&value).unwrap(), text);
        }
        assert!(to_text(&Value::Null).is_err());
    }
}
