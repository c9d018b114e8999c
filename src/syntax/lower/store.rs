//! `store`: names, types, defaults.

use super::keys::list;
use super::read::first_line;
use super::value::is_yes;
use super::{Lower, entries};
use crate::model::{Declared, SecretSource, Span, Spanned, Type, Value, parse_duration};
use crate::syntax::Level;
use crate::syntax::{
    Ambiguity, Key, Node, NodeValue, Problem, Style, ambiguity, code, did_you_mean, plain_value,
    quoted_text, shown,
};

/// Words for types in other tools.
const FOREIGN_TYPES: [(&str, &str); 12] = [
    ("str", "string"),
    ("text", "string"),
    ("integer", "int"),
    ("number", "float"),
    ("double", "float"),
    ("boolean", "bool"),
    ("array", "list"),
    ("object", "map"),
    ("dict", "map"),
    ("uri", "url"),
    ("file", "path"),
    ("bytes", "size"),
];

impl Lower<'_> {
    /// What stands under `store`.
    pub(super) fn store(&mut self, node: Node) -> Vec<(Spanned<String>, Declared)> {
        let entries = match entries(node) {
            Ok(entries) => entries,
            Err(other) if other.value == NodeValue::Null => return Vec::new(),
            Err(other) => {
                self.complete = false;
                self.wrong_shape(
                    &other,
                    "store",
                    "a mapping of names and types, such as { port: port }",
                );
                return Vec::new();
            }
        };
        let mut store = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let name = Spanned::new(key.text, key.span);
            self.check_name(&name, "a name in `store`");
            let declared = self.declared(&name, node);
            store.push((name, declared));
        }
        store
    }

    fn declared(&mut self, name: &Spanned<String>, node: Node) -> Declared {
        let span = node.span;
        match node.value {
            NodeValue::Map(entries) => self.long_form(name, entries),
            NodeValue::List(_) => {
                self.check_template(&node);
                if let NodeValue::List(items) = &node.value {
                    items.iter().for_each(|item| self.check_ambiguous(item));
                }
                with_default(node.to_value())
            }
            NodeValue::Scalar { ref text, style } => {
                if let Some(ty) = type_named(text).filter(|_| style == Style::Plain) {
                    return Declared::of(ty);
                }
                let value = match style {
                    Style::Plain => plain_value(text),
                    Style::Text | Style::Bare | Style::File => Value::String(text.clone()),
                };
                if !value.is_string() {
                    if style == Style::Plain && ambiguity(text).is_some() {
                        self.ambiguous_default(text, span);
                    }
                    return with_default(value);
                }
                self.no_type_name(name, text, style, span);
                Declared::of(Type::Any)
            }
            NodeValue::Null => {
                self.report(
                    Problem::error(
                        code::NO_TYPE,
                        name.span,
                        format!("`{}` has neither a type nor a default", shown(&name.value)),
                    )
                    .help(format!(
                        "write a type, such as `{}: string`, or a default",
                        shown(&name.value)
                    )),
                );
                Declared::of(Type::Any)
            }
        }
    }

    /// Text in the short form that is no type.
    fn no_type_name(&mut self, name: &Spanned<String>, text: &str, style: Style, span: Span) {
        let plain = style == Style::Plain;
        if plain && ambiguity(text).is_some() {
            self.ambiguous_default(text, span);
            return;
        }
        let problem = Problem::error(
            code::UNKNOWN_TYPE,
            first_line(span, self.written(span)),
            if plain {
                format!("`{}` is no type", shown(text))
            } else {
                format!(
                    "`{}` cannot have a text as default in the short form",
                    shown(&name.value)
                )
            },
        );
        let written = self.written(span);
        let quantity = match (parse_duration(text), Type::Size.read(text)) {
            (Some(_), _) => Some("duration"),
            (None, Ok(_)) => Some("size"),
            (None, Err(_)) => None,
        };
        let quantity = quantity.filter(|_| plain);
        let (meaning, long_form) = match quantity {
            Some(ty) => (ty, format!("{{ type: {ty}, default: {written} }}")),
            None => ("default text", format!("{{ default: {written} }}")),
        };
        let yaml = self.advice(&format!("for a {meaning}, write"), span, &long_form);
        let (name, text) = (shown(&name.value), shown(text));
        let in_text = match quantity {
            Some(ty) => format!("for a {ty}, write: {name}: {ty} = {text}"),
            None => format!("for a {meaning}, write: {name} = {}", quoted_text(&text)),
        };
        let meant = meant_type(&text).filter(|_| plain);
        let help = |default: String| match meant {
            Some(meant) => format!(
                "{}; {default}",
                self.advice(&format!("did you mean `{meant}`? write"), span, meant)
            ),
            None => default,
        };
        let (yaml, in_text) = (help(yaml), help(in_text));
        self.report(problem.help_in(yaml, in_text));
    }

    /// A default in the short form that readers of YAML take for different things.
    fn ambiguous_default(&mut self, text: &str, span: Span) {
        let Some(why) = ambiguity(text) else {
            return;
        };
        let long_form = format!("{{ default: \"{text}\" }}");
        let text_help = self.advice("if text is meant", span, &long_form);
        let (message, help) = match why {
            Ambiguity::Bool => {
                let bool = if is_yes(text) { "true" } else { "false" };
                let help = self.advice("for a bool", span, bool);
                (
                    format!("`{text}` is text here; other readers of YAML take it for a bool"),
                    help,
                )
            }
            Ambiguity::Number => (
                format!("`{text}` is text here; other readers of YAML take it for a number"),
                text_help,
            ),
            Ambiguity::Lossy => (
                format!("`{text}` without quotes is a number, and is not kept as it is written"),
                text_help,
            ),
        };
        self.report(Problem::error(code::AMBIGUOUS_TEXT, span, message).help(help));
    }

    fn long_form(&mut self, name: &Spanned<String>, entries: Vec<(Key, Node)>) -> Declared {
        let before = self.problems.count();
        let mut ty = None;
        let mut default = None;
        let mut one_of = None;
        let mut bounds = [None, None];
        let mut pattern = None;
        let mut secret = None;
        let mut from = false;
        let mut declared = Declared::of(Type::Any);
        for (key, node) in self.known(Level::Store, entries) {
            match key.value.as_str() {
                "type" => ty = self.type_name(node),
                "default" => default = Some(node),
                "about" => declared.about = self.about(node),
                "one_of" => one_of = self.choices_of(node),
                "min" => bounds[0] = Some((key, node)),
                "max" => bounds[1] = Some((key, node)),
                "pattern" => pattern = Some((key.span, node)),
                "secret" => {
                    declared.secret = self.bool(node, "secret");
                    secret = Some(key.span);
                }
                "from" => {
                    from = true;
                    declared.from = self.source(node);
                }
                other => super::flow::unreachable_key(other),
            }
        }
        let typed = ty.is_some();
        declared.ty = match (ty, &one_of, &default) {
            (Some(ty), _, _) => ty,
            (None, Some(items), _) => type_of_items(items),
            (None, None, Some(node)) => Type::of(&node.to_value()),
            (None, None, None) if declared.secret || declared.from.is_some() => Type::String,
            // If something is wrong with it already, what it lacks is probably that.
            (None, None, None) if self.problems.count() > before => Type::Any,
            (None, None, None) => {
                self.report(
                    Problem::error(
                        code::NO_TYPE,
                        name.span,
                        format!("`{}` has neither a type nor a default", shown(&name.value)),
                    )
                    .help_in(
                        format!(
                            "add `type:`, with one of {}",
                            list(Type::NAMES.into_iter(), "or")
                        ),
                        format!(
                            "write `{}: TYPE`, with one of {}",
                            shown(&name.value),
                            list(Type::NAMES.into_iter(), "or")
                        ),
                    ),
                );
                Type::Any
            }
        };
        for item in one_of.into_iter().flatten() {
            if !typed {
                self.check_ambiguous(&item);
            }
            declared
                .one_of
                .extend(self.value(&declared.ty, &item, typed));
        }
        let [min, max] = bounds;
        declared.min = min.and_then(|(key, node)| self.bound(&declared.ty, &key, node));
        let max_place = max.as_ref().map(|(_, node)| node.span);
        declared.max = max.and_then(|(key, node)| self.bound(&declared.ty, &key, node));
        self.check_bounds(&declared, max_place);
        declared.pattern =
            pattern.and_then(|(place, node)| self.pattern(&declared.ty, place, node));
        if let Some(place) = secret.filter(|_| declared.secret) {
            self.check_secret(name, place, default.as_ref(), from);
        } else if let Some(node) = &default {
            self.check_template(node);
            if declared.ty.is_file() {
                let what = format!("`{}` is a file, and has a default", shown(&name.value));
                let problem = Problem::error(code::WRONG_TYPE, node.span, what);
                self.report(problem.help("leave it out: the path is written where this is used"));
                return declared;
            }
            if !typed {
                self.check_ambiguous(node);
            }
            declared.default = self.default(&declared, node, typed);
        }
        declared
    }

    fn type_name(&mut self, node: Node) -> Option<Type> {
        let text = self.text(node, "type")?;
        if let Some(ty) = type_named(&text.value) {
            return Some(ty);
        }
        let help = match meant_type(&text.value) {
            Some(meant) => self.advice(&format!("did you mean `{meant}`? write"), text.span, meant),
            None => format!("the types are {}", list(Type::NAMES.into_iter(), "and")),
        };
        self.report(
            Problem::error(
                code::UNKNOWN_TYPE,
                text.span,
                format!("`{}` is no type", shown(&text.value)),
            )
            .help(help),
        );
        Some(Type::Any)
    }

    fn choices_of(&mut self, node: Node) -> Option<Vec<Node>> {
        const WANTED: (&str, &str) = (
            "a list of the values that are allowed, such as [stage, prod]",
            "a list of the values that are allowed, such as [\"stage\", \"prod\"]",
        );
        match node.value {
            NodeValue::List(items) if !items.is_empty() => Some(items),
            value @ (NodeValue::Null
            | NodeValue::Scalar { .. }
            | NodeValue::List(_)
            | NodeValue::Map(_)) => {
                let span = node.span;
                let empty = matches!(value, NodeValue::List(_));
                if empty {
                    self.report(
                        Problem::error(code::WRONG_SHAPE, span, "`one_of` allows nothing")
                            .help_in(format!("write {}", WANTED.0), format!("write {}", WANTED.1)),
                    );
                } else {
                    self.wrong_shape(&Node { value, span }, "one_of", WANTED);
                }
                None
            }
        }
    }

    fn source(&mut self, node: Node) -> Option<SecretSource> {
        let text = self.text(node, "from")?;
        let source = SecretSource::parse(&text.value);
        if source.is_none() {
            self.report(
                Problem::error(
                    code::BAD_SOURCE,
                    text.span,
                    format!("`{}` is no place to read from", shown(&text.value)),
                )
                .help(
                    "write `env:NAME` for an environment variable of the conductor, or `file:PATH`",
                ),
            );
        }
        source
    }
}

/// The type of that name. Types of types of types are no deeper than anyone needs.
fn type_named(text: &str) -> Option<Type> {
    const LONGEST: usize = 64;
    (text.len() <= LONGEST).then(|| Type::parse(text)).flatten()
}

/// The type that a word was probably meant to be.
fn meant_type(text: &str) -> Option<&'static str> {
    let foreign = FOREIGN_TYPES
        .iter()
        .find(|(word, _)| text.eq_ignore_ascii_case(word));
    foreign
        .map(|(_, meant)| *meant)
        .or_else(|| did_you_mean(text, Type::NAMES))
}

fn with_default(value: Value) -> Declared {
    Declared {
        default: Some(value.clone()),
        ..Declared::of(Type::of(&value))
    }
}

/// The type that all the values of a list have.
fn type_of_items(items: &[Node]) -> Type {
    match Type::of(&items.iter().map(Node::to_value).collect()) {
        Type::List(item) => *item,
        other => other,
    }
}
