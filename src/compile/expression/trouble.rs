//! Why an expression that parses has no value, in the words of its author.
//!
//! The library's error and the text enter; the part of the text and what is wrong with it leave. Values are not shown:
//! one of them may be a secret.

use std::sync::LazyLock;

use minijinja::{Error, ErrorKind, Value};
use regex::{Captures, Regex};

use super::scan::{end_of_string, is_letter};
use super::{ENVIRONMENT, shorten};

/// What the library says, and what is said here. `$a` and `$b` are kinds of values.
const WORDS: [(&str, &str); 39] = [
    (
        r"format spec|cannot be formatted|format string",
        "the text of `format` does not fit what is given: a value for each `%s` or `%d`, a number for `%d`",
    ),
    (
        r"^tried to use \+ operator on unsupported types (?<a>.+) and (?<b>.+)$",
        "$a and $b cannot be added: text is joined with `~`, numbers are added",
    ),
    (
        r"^tried to use (?<op>\S+) operator on unsupported types (?<a>.+) and (?<b>.+)$",
        "`$op` is for numbers, and these are $a and $b",
    ),
    (
        r"^unable to calculate .* (?://|/|%) -?0(?:\.0)?$",
        "it divides by nothing",
    ),
    (
        r"^unable to calculate ",
        "the number is too large or cannot be told",
    ),
    (r"^overflow on abs$", "the number is too large"),
    (
        r"^rounded value is too large to represent$",
        "the number is too large",
    ),
    (
        r"^repeated (?:string|sequence) is too large$",
        "it becomes too large",
    ),
    (
        r"^strings can only be multiplied with integers$",
        "text is repeated a whole number of times",
    ),
    (
        r"^sequences and iterables can only be multiplied with integers$",
        "a list is repeated a whole number of times",
    ),
    (
        r"^cannot repeat unsized iterables$",
        "this cannot be repeated: make it a `list` first",
    ),
    (
        r"^cannot slice by step size of 0$",
        "a part of a list cannot go in steps of 0",
    ),
    (
        r"^value of type (?<a>.+) cannot be sliced$",
        "$a has no parts: `[from:to]` is for lists and text",
    ),
    (
        r"^cannot perform a containment check on this value$",
        "`in` looks into a list, a mapping or text, and this is none of them",
    ),
    (
        r"^value of type (?<a>.+) is not callable$",
        "$a cannot be called",
    ),
    (
        r"^cannot calculate length of value of type (?<a>.+)$",
        "$a has no length",
    ),
    (
        r"^cannot reverse values of type (?<a>.+)$",
        "$a cannot be turned around",
    ),
    (
        r"^cannot join value of type (?<a>.+)$",
        "`join` wants a list, and this is $a",
    ),
    (
        r"^can only sum numbers, got (?<a>.+)$",
        "`sum` adds numbers, and one of these is $a",
    ),
    (r"^cannot get absolute value$", "`abs` wants a number"),
    (
        r"^cannot round value \((?<a>.+)\)$",
        "`round` wants a number, and this is $a",
    ),
    (r"^unable to round value$", "the number is too large"),
    (
        r"^method must be common, ceil or floor$",
        "`round` goes by `common`, `ceil` or `floor`",
    ),
    (
        r"^cannot get (?<op>first|last) item from value$",
        "`$op` wants a list or text",
    ),
    (
        r"^cannot convert value (?:into|to) pairs?(?: list)?$",
        "a mapping is wanted",
    ),
    (r"^cannot convert value to list$", "a list is wanted"),
    (
        r"^cannot convert kwargs to string$",
        "text is wanted, and this is `name=value`",
    ),
    (
        r"^cannot convert (?<a>.+) to (?:integer|float)$",
        "$a is not a number",
    ),
    (
        r"^cannot convert (?<a>.+) to (?:i|u|f)(?:8|16|32|64|128|size)$",
        "a number that fits is wanted there, and this is $a",
    ),
    (
        r"^cannot convert (?<a>.+) to (?<b>.+)$",
        "$b is wanted there, and this is $a",
    ),
    (
        r"^(?:zip filter argument must be iterable, got )(?<a>.+)$",
        "`zip` wants lists, and this is $a",
    ),
    (
        r"^(?<a>.+) is not iterable$",
        "a list is wanted, and this is $a",
    ),
    (r"^not iterable$", "a list is wanted"),
    (r"^value is not (?:a string|in bytes)$", "text is wanted"),
    (
        r"^count cannot be 0$",
        "the number of groups must be 1 at least",
    ),
    (
        r"^filter name (?:is required|must be a string)$",
        "the name of a filter is wanted, in quotes: `map(\"upper\")`",
    ),
    (
        r"^range has too many elements$",
        "`range` would make too many numbers",
    ),
    (
        r"^cannot create range with step of 0$",
        "`range` cannot go in steps of 0",
    ),
    (
        r"^(?:invalid float literal|invalid digit found in string|cannot parse (?:float|integer) from empty string|number too (?:large|small) to fit in target type)$",
        "the text is not a number (to have a number then, give the filter one: `int(default=0)`)",
    ),
];

static READ: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let read =
        |(said, here): &(&str, &'static str)| (Regex::new(said).expect("it is fixed"), *here);
    WORDS.iter().map(read).collect()
});

/// What a kind of values is called here.
fn kind(said: &str) -> &str {
    match said {
        "undefined" => "something that is not defined",
        "bool" => "true or false",
        "number" => "a number",
        "string" | "bytes" | "str" => "text",
        "sequence" | "iterator" | "iterable" => "a list",
        "map" => "a mapping",
        "none" => "none",
        _ => "something else",
    }
}

/// Why a text has no value: the text, the part that is wrong if it is not all of it, and what is wrong.
pub(super) fn told(text: &str, error: &Error) -> String {
    match part(text, error).filter(|part| *part != text.trim()) {
        Some(part) => format!(
            "`{}`: in `{}`, {}",
            shorten(text),
            shorten(part),
            why(error)
        ),
        None => format!("`{}`: {}", shorten(text), why(error)),
    }
}

/// The first field in a text that is not there, if that is why it has no value.
pub(super) fn missing(text: &str, error: &Error, names: &Value) -> Option<String> {
    if error.kind() != ErrorKind::UndefinedError {
        return None;
    }
    let mut at = 0;
    while at < text.len() {
        if let Some(quoted) = text[at..].find(['"', '\'']).filter(|quoted| *quoted == 0) {
            at = end_of_string(text.as_bytes(), at + quoted).min(text.len());
            continue;
        }
        let rest = text.get(at..)?;
        let end = rest
            .find(|c: char| !(is_letter(c) || c == '.'))
            .unwrap_or(rest.len());
        let path = &rest[..end];
        for (dot, _) in path.match_indices('.').skip(1).chain([(path.len(), "")]) {
            let path = &path[..dot];
            let absent = ENVIRONMENT.compile_expression(path).is_ok_and(|read| {
                read.eval(names.clone())
                    .map_or(true, |value| value.is_undefined())
            });
            if absent && path.contains('.') {
                return Some(match path == text.trim() {
                    true => format!("`{}` is not defined", shorten(path)),
                    false => format!("`{}`: `{}` is not defined", shorten(text), shorten(path)),
                });
            }
        }
        let step = rest[end..].chars().next().map_or(0, char::len_utf8);
        at += end
            + if rest[end..].starts_with(['"', '\'']) {
                0
            } else {
                step
            };
    }
    None
}

/// The part of a text that an error is about.
pub(super) fn part<'t>(text: &'t str, error: &Error) -> Option<&'t str> {
    let part = error.range().and_then(|range| text.get(range))?.trim();
    (!part.is_empty()).then_some(part)
}

/// What is wrong, without the text.
pub(super) fn why(error: &Error) -> String {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::OutOfFuel => "it takes too much work".to_owned(),
        ErrorKind::UndefinedError => "something in it is not defined".to_owned(),
        ErrorKind::TooManyArguments => match detail.split('\'').nth(1) {
            Some(name) => format!("there is nothing called `{name}` to be given there"),
            None => "more is given than it takes".to_owned(),
        },
        ErrorKind::MissingArgument => "it wants something in brackets that is not given".to_owned(),
        ErrorKind::UnknownMethod => {
            "values have no methods: write a filter, as in `value | upper`".to_owned()
        }
        ErrorKind::CannotUnpack => "a list of another length is wanted".to_owned(),
        ErrorKind::UnknownFilter => match detail.split(' ').nth(1) {
            Some(name) => format!("there is no filter `{name}`"),
            None => "there is no such filter".to_owned(),
        },
        ErrorKind::UnknownTest => match detail.split(' ').nth(1) {
            Some(name) => format!("there is no test `{name}`"),
            None => "there is no such test".to_owned(),
        },
        ErrorKind::BadSerialization => "it has a value that cannot be written as JSON".to_owned(),
        _ => translated(detail),
    }
}

fn translated(detail: &str) -> String {
    let known = READ
        .iter()
        .find_map(|(said, here)| Some((said.captures(detail)?, here)));
    if let Some((found, here)) = known {
        let put = |found: &Captures<'_>, name: &str| {
            found
                .name(name)
                .map_or("", |found| found.as_str())
                .to_owned()
        };
        return here
            .replace("$op", &put(&found, "op"))
            .replace("$a", kind(&put(&found, "a")))
            .replace("$b", kind(&put(&found, "b")));
    }
    match detail {
        "" => "it has no value".to_owned(),
        detail => detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::json;

    use crate::compile::Expression;
    use crate::compile::expression::{FILTERS, TESTS};
    use crate::model::{Span, Value};

    fn names() -> IndexMap<String, Value> {
        [
            ("text", json!("Zq7xWvN9kT")),
            ("empty", json!("")),
            ("number", json!(748_391)),
            ("half", json!(0.5)),
            ("huge", json!(i64::MAX)),
            ("yes", json!(true)),
            ("nothing", json!(null)),
            ("list", json!([1, "Zq7xWvN9kT", null])),
            ("none_in_it", json!([])),
            ("map", json!({"a": {"b": 748_391}, "c": [1]})),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn why(text: &str) -> Option<String> {
        match Expression::parse(text, Span::default()) {
            Ok(read) => read.evaluate(&names()).err().map(|error| error.0),
            Err(_) => None,
        }
    }

    #[test]
    fn what_has_no_value_is_told_with_its_part_and_in_the_words_of_the_author() {
        let mut wrong = Vec::new();
        for (text, said) in [
            (
                "text + number",
                "`text + number`: text and a number cannot be added: text is joined with `~`, numbers are added",
            ),
            (
                "1 + (map * 2)",
                "`1 + (map * 2)`: in `map * 2`, `*` is for numbers, and these are a mapping and a number",
            ),
            ("number // 0", "`number // 0`: it divides by nothing"),
            (
                "number | length",
                "`number | length`: in `length`, a number has no length",
            ),
            ("map.x", "`map.x` is not defined"),
            ("map.x.y.z", "`map.x.y.z`: `map.x` is not defined"),
            (
                "map.a.b ~ 'map.y' ~ map.a.z",
                "`map.a.b ~ 'map.y' ~ map.a.z`: `map.a.z` is not defined",
            ),
            ("map.x ~ 1", "`map.x ~ 1`: `map.x` is not defined"),
            (
                "number[1:]",
                "`number[1:]`: a number has no parts: `[from:to]` is for lists and text",
            ),
            (
                "1 in number",
                "`1 in number`: `in` looks into a list, a mapping or text, and this is none of them",
            ),
            (
                "text | upper(1)",
                "`text | upper(1)`: in `upper(1)`, more is given than it takes",
            ),
            (
                "text | replace",
                "`text | replace`: in `replace`, it wants something in brackets that is not given",
            ),
            (
                "text | round",
                "`text | round`: in `round`, `round` wants a number, and this is text",
            ),
            (
                "range(1, 9, 0)",
                "`range(1, 9, 0)`: `range` cannot go in steps of 0",
            ),
        ] {
            let found = why(text);
            if found.as_deref() != Some(said) {
                wrong.push(found);
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn whatever_fails_nothing_is_told_in_words_that_no_author_knows_and_no_value_is_shown() {
        let foreign = regex::Regex::new(
            r"operation|undefined value|sequence|iterab|iterator|value of type|operator on|convert|arguments?\b|kwargs|callable|literal|engine|serializ|primitive|object|parse|\bbool\b|integer|float\b|Zq7xWv|748391|target type|utf|literal|mapping key",
        )
        .unwrap();
        let values: Vec<String> = names().into_keys().collect();
        let arguments = [
            "",
            "()",
            "(number)",
            "(text)",
            "(map)",
            "(nothing)",
            "(list, 0)",
            "(0)",
            "(x=1)",
            "(attribute='a')",
            "('upper')",
            "(1, 2, 3, 4)",
            "(-1)",
        ];
        let operators = ["+", "-", "*", "/", "//", "%", "**", "<", "in", "~", "and"];
        let mut tried = Vec::new();
        for value in &values {
            for argument in arguments {
                let filters = FILTERS.iter().chain(&[
                    "sum",
                    "unique",
                    "batch",
                    "slice",
                    "tojson",
                    "title",
                    "zip",
                    "chain",
                    "reject",
                    "selectattr",
                    "rejectattr",
                    "pprint",
                    "safe",
                    "escape",
                    "urlencode",
                ]);
                tried.extend(filters.map(|filter| format!("{value} | {filter}{argument}")));
                tried.extend(
                    TESTS
                        .iter()
                        .map(|test| format!("{value} is {test}{argument}")),
                );
            }
            for other in &values {
                tried.extend(
                    operators
                        .iter()
                        .map(|operator| format!("{value} {operator} {other}")),
                );
                tried.push(format!("{value}[{other}]"));
                tried.push(format!("{value}[{other}:]"));
                tried.push(format!("{value}[::{other}]"));
                tried.push(format!("range({value}, {other})"));
            }
            for form in [
                "-V",
                "V.x",
                "V.x.y",
                "V[0]",
                "V[9]",
                "V[::0]",
                "dict(V)",
                "{V: 1}",
                "not V",
                "range(V)",
                "'%d %s %q' | format(V)",
                "V | format(1, 2)",
                "V | map('nothing') | list",
                "V | join(V)",
            ] {
                tried.push(form.replace('V', value));
            }
        }
        let mut failed = 0;
        let mut wrong = std::collections::BTreeSet::new();
        for text in &tried {
            let Some(said) = why(text) else { continue };
            failed += 1;
            // What the author wrote is in backticks.
            let words: String = said.split('`').step_by(2).collect();
            if foreign.is_match(&words) {
                wrong.insert(format!("{words}    ({text})"));
            }
        }
        assert!(failed > 1_000, "{failed} of {}", tried.len());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
