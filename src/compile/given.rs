//! What a sub-flow or a task kind is given: a value for each name of its store or its parameters.
//!
//! What is written where it is used enters; a template for each name leaves, or what is wrong with it. A literal
//! value is read as the declared type says; a template is checked when its value is known.

use indexmap::IndexMap;

use super::Template;
use super::catalog::{Reading, node_text, read_shape};
use super::expression::check_text;
use super::template::{Source, read_url};
use super::uses::{Found, Spot};
use crate::model::{Declared, Shape, Spanned, Type, TypeError, Value};
use crate::syntax::{Node, NodeValue, Problem, Style, code};

/// What is written for each name of a store, by its place in it.
pub(crate) type Given<'a> = Vec<Option<&'a Node>>;

/// A store, or the parameters of a task kind.
pub(crate) type Store = [(Spanned<String>, Declared)];

/// Sorts what is written by the names of the store.
pub(crate) fn by_name<'a>(
    store: &Store,
    written: impl Iterator<Item = (&'a str, &'a Node)>,
) -> Given<'a> {
    let mut given = vec![None; store.len()];
    for (name, node) in written {
        if let Some(at) = store.iter().position(|(known, _)| known.value == name) {
            given[at] = Some(node);
        }
    }
    given
}

/// What is written under the key of a task kind: a mapping of parameters, or the value of one.
pub(crate) fn written<'a>(
    params: &'a Node,
    shorthand: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a Node)> {
    let entries = match &params.value {
        NodeValue::Map(entries) => entries.as_slice(),
        NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => &[],
    };
    let bare = match &params.value {
        NodeValue::Scalar { .. } | NodeValue::List(_) => shorthand.map(|name| (name, params)),
        NodeValue::Null | NodeValue::Map(_) => None,
    };
    let entries = entries.iter().map(|(key, node)| (key.text.as_str(), node));
    entries.chain(bare)
}

/// Reads what is written for a name.
pub(crate) fn read(
    name: &str,
    declared: &Declared,
    node: &Node,
    found: &mut Found,
) -> Option<Template> {
    let before = found.problems.len();
    let template = tree(name, &declared.ty, node, found)?;
    if found.problems.len() > before {
        return None;
    }
    let Template::Literal(value) = template else {
        return Some(template);
    };
    match declared.check(value) {
        Ok(value) => Some(Template::Literal(value)),
        Err(error) => {
            found.wrong(mistyped(name, &declared.ty, &error, node));
            None
        }
    }
}

fn tree(name: &str, ty: &Type, node: &Node, found: &mut Found) -> Option<Template> {
    match (&node.value, ty) {
        (NodeValue::Null, _) => {
            let what = format!("`{name}` has nothing behind it");
            let help = format!("write {}", ty.hint());
            found.wrong(Problem::error(code::MISSING_VALUE, node.span, what).help(help));
            None
        }
        (
            NodeValue::Scalar {
                text,
                style: Style::File,
            },
            _,
        ) => {
            if *ty == Type::Template
                && let Err(why) = check_text(text)
            {
                let what = format!("`{name}` is no template: {why}");
                let help = "expressions stand in `{{ … }}`, statements in `{% … %}`";
                found.wrong(Problem::error(code::BAD_EXPRESSION, node.span, what).help(help));
                return None;
            }
            Some(Template::Literal(Value::from(text.as_str())))
        }
        (NodeValue::Scalar { text, style }, _) => {
            let source = Source::new(text, node.span);
            if *ty == Type::Url && text.contains("{{") {
                return Some(read_url(source, found));
            }
            let before = found.problems.len();
            let text = match source.value(Spot::Given, found) {
                Template::Literal(Value::String(text)) => text,
                template => return Some(template),
            };
            if found.problems.len() > before {
                return None;
            }
            if matches!(ty, Type::List(_))
                && let Some(problem) = no_list(name, &text, node)
            {
                found.wrong(problem);
                return None;
            }
            let value = match (ty, style) {
                (Type::Any, Style::Plain) => Ok(node.to_value()),
                (Type::Any, Style::Text) => Ok(Value::String(text)),
                _ => ty.read(&text),
            };
            match value {
                Ok(value) => Some(Template::Literal(value)),
                Err(error) => {
                    found.wrong(mistyped(name, ty, &error, node));
                    None
                }
            }
        }
        (NodeValue::List(items), Type::List(item)) => {
            let items = items.iter().map(|one| tree(name, item, one, found));
            let items: Vec<_> = items.collect::<Option<_>>()?;
            let literal = |item: &Template| match item {
                Template::Literal(value) => Some(value.clone()),
                _ => None,
            };
            Some(match items.iter().map(literal).collect() {
                Some(values) => Template::Literal(Value::Array(values)),
                None => Template::List(items),
            })
        }
        (NodeValue::List(_) | NodeValue::Map(_), _) => {
            let reading = Reading {
                name,
                spot: Spot::Given,
                dialect: None,
            };
            read_shape(Shape::Json, node, reading, found)
        }
    }
}

/// What is wrong with a text in the place of a list. One word is a list of one item; what has commas or spaces in it was
/// meant to be several, or one line of a shell.
fn no_list(name: &str, text: &str, node: &Node) -> Option<Problem> {
    let text = text.trim();
    let commas = text.contains(',');
    if text.starts_with('[') || !(commas || text.contains(char::is_whitespace)) {
        return None;
    }
    let items: Vec<&str> = match commas {
        true => text.split(',').map(str::trim).collect(),
        false => text.split_whitespace().collect(),
    };
    let in_quotes: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    let (plain, in_quotes) = (items.join(", "), in_quotes.join(", "));
    let plain = match plain.contains([
        '"', '\'', ':', '#', '[', ']', '{', '}', '*', '&', '!', '|', '>', '%', '@',
    ]) {
        true => &in_quotes,
        false => &plain,
    };
    let what = format!("`{name}` is a list, and this is one text");
    let problem = Problem::error(code::WRONG_TYPE, node.span, what);
    Some(problem.help_in(
        format!("write each item for itself: {name}: [{plain}]"),
        format!("write each item for itself: {name} = [{in_quotes}]"),
    ))
}

fn mistyped(name: &str, ty: &Type, error: &TypeError, node: &Node) -> Problem {
    let help = match error {
        TypeError::Mismatch { hint, .. } => match ty.is_file() {
            true => format!("write {hint}"),
            false => format!("write {hint}, or a template whose value is that"),
        },
        TypeError::NotOneOf { .. } => "write one of those".to_owned(),
        TypeError::OutOfRange { bound, side, .. } => {
            let least = side.starts_with("below") || side.starts_with("shorter");
            let wanted = if least { "at least" } else { "at most" };
            format!("write {wanted} {bound}, or change what is allowed where it is declared")
        }
        TypeError::Pattern { .. } => {
            "change the value, or what is allowed where it is declared".to_owned()
        }
    };
    let what = format!("`{name}`: {error}");
    Problem::error(code::WRONG_TYPE, node.span, what).help(help)
}

/// The name of a secret, if a node is one template that is nothing but a name.
pub(crate) fn bare_name(node: &Node) -> Option<String> {
    let text = node_text(node)?.trim();
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

/// The value of what is written, with these names.
pub(crate) fn value(
    template: &Template,
    declared: &Declared,
    names: &IndexMap<String, Value>,
) -> Option<Value> {
    declared.fit(template.render(names).ok()?).ok()
}
