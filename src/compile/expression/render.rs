//! The filter `render`: a whole text with templates in it, filled in with values.
//!
//! A text and a mapping of values enter, a text leaves. The text sees these values alone, and does no I/O: no include,
//! no import. What the values hold is never read as a template.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::{shorten, trouble};

/// How much work one text may be, in minijinja's units (one instruction, or 64 bytes of data).
const FUEL: u64 = 1_000_000;

/// How many texts one evaluation may fill in.
const MOST: i64 = 20;

/// Where the number of texts is kept that an evaluation has filled in.
const COUNT: &str = "rendered";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(write);
    environment.remove_global("debug");
    environment.remove_global("namespace");
    environment
});

/// Whether a text is a template; if not, why.
pub(crate) fn check(text: &str) -> Result<(), String> {
    match ENVIRONMENT.template_from_str(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(in_line(text, &error)),
    }
}

/// The filter.
pub(super) fn render(state: &mut State, text: &str, values: Value) -> Result<String, Error> {
    if values.kind() != ValueKind::Map {
        let what = "`render` wants a mapping of values";
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    let count = state.get_temp(COUNT).and_then(|count| count.as_i64());
    let count = count.unwrap_or(0) + 1;
    if count > MOST {
        let what = format!("more than {MOST} texts are filled in");
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    state.set_temp(COUNT, Value::from(count));
    let template = ENVIRONMENT.template_from_str(text);
    template
        .and_then(|template| template.render(values))
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, in_line(text, &error)))
}

/// Writes a value as a template of a flow does: lists and mappings as JSON, and `none` not at all.
fn write(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => {
            let what = "`none` has no text: write `or \"\"` if nothing may stand there";
            return Err(Error::new(ErrorKind::InvalidOperation, what));
        }
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => serde_json::to_string(value)
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?,
        _ => value.to_string(),
    };
    out.write_str(&text).map_err(Error::from)
}

/// What is wrong with a template, and in which line.
fn in_line(text: &str, error: &Error) -> String {
    let part = trouble::part(text, error).map(shorten);
    let what = match (error.kind(), part) {
        (ErrorKind::UndefinedError, Some(part)) => format!("`{part}` is not defined"),
        (ErrorKind::SyntaxError, part) => {
            let part = part.map_or_else(String::new, |part| format!(" at `{part}`"));
            match error.detail() {
                Some(detail) => format!("it does not parse{part}: {detail}"),
                None => format!("it does not parse{part}"),
            }
        }
        (ErrorKind::TemplateNotFound, _) => "no other template can be used here".to_owned(),
        (_, Some(part)) => format!("in `{part}`, {}", trouble::why(error)),
        (_, None) => trouble::why(error),
    };
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::json;

    use crate::compile::Expression;
    use crate::model::Span;

    fn rendered(text: &str) -> Result<String, String> {
        let names = IndexMap::from([
            ("text".to_owned(), json!(text)),
            (
                "values".to_owned(),
                json!({"a": "{{ b }}", "list": [1, "x"], "no": null}),
            ),
        ]);
        let expression = Expression::parse("text | render(values)", Span::default());
        let value = expression.unwrap().evaluate(&names);
        value
            .map(|value| value.as_str().unwrap().to_owned())
            .map_err(|error| error.0)
    }

    #[test]
    fn a_text_is_filled_in_with_the_values_and_nothing_else() {
        for (text, filled_in) in [
            ("x\n", "x\n"),
            ("{{ a }} {{ list }}\n\n", "{{ b }} [1,\"x\"]\n\n"),
            ("{% for one in list %}<{{ one }}>{% endfor %}", "<1><x>"),
            ("{% if no %}1{% else %}2{% endif %}{# no #}", "2"),
            ("{{ a | upper }}", "{{ B }}"),
            ("<&>'\"", "<&>'\""),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(filled_in));
        }
        for (text, why) in [
            ("\n{{ b }}", "line 2: `b` is not defined"),
            ("{{ text }}", "line 1: `text` is not defined"),
            ("{{ no }}", "`none` has no text"),
            ("{{ a", "line 1: it does not parse"),
            ("{% include 'x' %}", "line 1"),
        ] {
            let error = rendered(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn runaways_are_stopped() {
        let many =
            "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxx{% endfor %}{% endfor %}";
        assert!(rendered(many).is_err());
        let long = "{% for a in range(9999) %}".to_owned() + &"x".repeat(100_000) + "{% endfor %}";
        assert!(rendered(&long).is_err());
        let names = IndexMap::new();
        let often = "range(99) | map('string') | map('render', {}) | list";
        let often = Expression::parse(often, Span::default()).unwrap();
        assert!(often.evaluate(&names).is_err());
    }
}
