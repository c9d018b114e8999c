//! The catalog of task kinds, and how a call of one is read.
//!
//! A kind key and what stands under it enter; an action with its parameters as templates leaves, and every name that
//! it uses. What a kind does is not known here.

mod shape;

use indexmap::IndexMap;

pub(crate) use shape::{Reading, node_text, read as read_shape};

use super::plan::Wait;
use super::template::{Dialect, Source};
use super::uses::{Found, Outer, Spot};
use super::{Expression, Template};
use crate::model::{KindSchema, Param, Shape, Span, Spanned, Value, Waits};
use crate::syntax::{Key, Level, Node, NodeValue, Problem, code, did_you_mean};

/// The task kinds that there are.
#[derive(Debug)]
pub(crate) struct Catalog<'a> {
    kinds: IndexMap<&'a str, &'a KindSchema>,
}

/// The folder and the environment of a process, from the outside in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings<'a> {
    /// The innermost folder that is said.
    pub dir: Option<Said<'a>>,
    /// The variables, inner ones in the place of outer ones.
    pub env: IndexMap<&'a str, Said<'a>>,
}

/// A text of the surroundings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The text.
    pub node: &'a Node,
    /// The sub-flow or the task of a kind around which it stands, if its names are those outside of that.
    pub outside: Option<usize>,
}

impl Said<'_> {
    /// What tells it from others.
    pub fn outer(&self) -> Option<Outer> {
        Some((std::ptr::from_ref(self.node) as usize, self.outside?))
    }
}

impl<'a> Surroundings<'a> {
    /// These, with what stands further in.
    #[must_use]
    pub fn with(&self, dir: Option<&'a Node>, env: &'a [(Spanned<String>, Node)]) -> Self {
        let said = |node| Said {
            node,
            outside: None,
        };
        let mut inner = self.clone();
        inner.dir = dir.map(said).or(self.dir);
        for (name, node) in env {
            inner.env.insert(&name.value, said(node));
        }
        inner
    }

    /// These, seen from inside of a sub-flow or a task of a kind.
    #[must_use]
    pub fn inside(&self, border: usize) -> Self {
        let mut inner = self.clone();
        for said in inner.dir.iter_mut().chain(inner.env.values_mut()) {
            said.outside = said.outside.or(Some(border));
        }
        inner
    }

    /// All texts.
    pub fn all(&self) -> impl Iterator<Item = Said<'a>> {
        self.dir.iter().chain(self.env.values()).copied()
    }
}

/// A call of a kind, read.
#[derive(Debug)]
pub(crate) struct Call {
    /// Its parameters, a mapping.
    pub params: Template,
    /// `check`: what must hold of the result.
    pub check: Option<Expression>,
    /// For a kind that only waits: what for.
    pub wait: Option<Wait>,
    /// `json: true`: the result is read as JSON.
    pub json: bool,
}

impl<'a> Catalog<'a> {
    /// A catalog of these kinds.
    pub fn new(kinds: &[&'a KindSchema]) -> Self {
        Self {
            kinds: kinds.iter().map(|kind| (kind.name, *kind)).collect(),
        }
    }

    /// The kind of that name; `None` if there is none, which is then noted.
    pub fn kind(&self, name: &Spanned<String>, found: &mut Found) -> Option<&'a KindSchema> {
        let kind = self.kinds.get(name.value.as_str()).copied();
        if kind.is_none() {
            let what = format!("there is no task kind `{}`", name.value);
            let names = || self.kinds.keys().copied();
            let problem = Problem::error(code::UNKNOWN_KIND, name.span, what);
            found.wrong(match did_you_mean(&name.value, names()) {
                Some(meant) => problem.did_you_mean(&name.value, meant),
                None => {
                    let all = names().collect::<Vec<_>>().join(", ");
                    problem.help(format!("there are {all}"))
                }
            });
        }
        kind
    }
}

/// Reads what stands under a kind key, with the folder and environment around it.
pub(crate) fn read_call(
    kind: &KindSchema,
    key: Span,
    node: &Node,
    surroundings: &Surroundings<'_>,
    found: &mut Found,
) -> Option<Call> {
    let given = given(kind, key, node, found)?;
    let mut call = Call {
        params: Template::Literal(Value::Null),
        check: None,
        wait: (kind.waits == Waits::Person).then_some(Wait::Person),
        json: false,
    };
    let dialect = dialect(&given, found);
    let mut params = IndexMap::new();
    let mut times = Vec::new();
    for (param, place, node) in given.values() {
        if param.shape == Shape::Expression {
            let Some(text) = node.word() else {
                let what = format!("`{}` wants an expression", param.name);
                found.wrong(Problem::error(code::WRONG_SHAPE, node.span, what).help_in(
                    format!(
                        "write an expression over the result, such as `{}: json.ready`",
                        param.name
                    ),
                    format!(
                        "write an expression over the result, such as `{} = json.ready`",
                        param.name
                    ),
                ));
                continue;
            };
            if text.trim_start().starts_with("{{") {
                let what = format!(
                    "`{}` is an expression: it stands without braces",
                    param.name
                );
                found.wrong(
                    Problem::error(code::TEMPLATE_IN_EXPRESSION, node.span, what).help_in(
                        format!(
                            "write `{}: {}`",
                            param.name,
                            text.trim().trim_matches(['{', '}', ' '])
                        ),
                        format!(
                            "write `{} = {}`",
                            param.name,
                            text.trim().trim_matches(['{', '}', ' '])
                        ),
                    ),
                );
                continue;
            }
            call.check = found.expression(text, node.span, Spot::Check(kind.result));
            continue;
        }
        let time =
            kind.waits == Waits::Instant && matches!(param.shape, Shape::Duration | Shape::Instant);
        let reading = Reading {
            name: param.name,
            spot: if time {
                Spot::Condition(param.name)
            } else {
                Spot::Value
            },
            dialect,
        };
        let Some(template) = read_shape(param.shape, node, reading, found) else {
            continue;
        };
        if time {
            times.push((param.name, *place));
            call.wait = Some(Wait::Instant(template.clone()));
        }
        if param.shape == Shape::Bool && param.name == "json" {
            match &template {
                Template::Literal(value) => call.json = value == &Value::Bool(true),
                _ => found.wrong(
                    Problem::error(
                        code::WRONG_TYPE,
                        node.span,
                        "`json` must be known beforehand",
                    )
                    .help_in("write `json: true`", "write `json = true`"),
                ),
            }
        }
        params.insert(param.name.to_owned(), template);
    }
    if let [first, second, ..] = times.as_slice() {
        let what = format!("`{}` and `{}` say two different times", first.0, second.0);
        found.wrong(Problem::error(code::TWO_TIMES, second.1, what).help("leave one of them out"));
    } else if kind.waits == Waits::Instant && times.is_empty() {
        let known = kind
            .params
            .iter()
            .filter(|p| matches!(p.shape, Shape::Duration | Shape::Instant));
        let known: Vec<_> = known.map(|p| format!("`{}`", p.name)).collect();
        if !given
            .values()
            .any(|(param, ..)| known.contains(&format!("`{}`", param.name)))
        {
            let what = format!("`{}` does not say how long", kind.name);
            found.wrong(
                Problem::error(code::MISSING_PARAMETER, key, what)
                    .help(format!("write {}", known.join(" or "))),
            );
        }
    }
    if kind.process {
        process(surroundings, &mut params, found);
    }
    call.params = Template::Map(params);
    Some(call)
}

/// What to do with a key of tasks that stands among the parameters of a kind; nothing if it is none.
pub(crate) fn beside(key: &str, kind: &str) -> Option<String> {
    Level::Task
        .key(key)
        .map(|_| format!("`{key}` is a key of the task: it stands beside `{kind}`, not under it"))
}

type Given<'n> = IndexMap<&'static str, (&'static Param, Span, &'n Node)>;

/// The parameters that are written, by their names, each with its place. Unknown and missing ones are noted.
fn given<'n>(kind: &KindSchema, key: Span, node: &'n Node, found: &mut Found) -> Option<Given<'n>> {
    let mut given = Given::new();
    let param = |name: &str| kind.params.iter().find(|param| param.name == name);
    let names = || kind.params.iter().map(|param| param.name);
    match (&node.value, kind.shorthand.and_then(param)) {
        (NodeValue::Map(entries), _) => {
            for (Key { text, span }, value) in entries {
                if let Some(param) = param(text) {
                    given.insert(param.name, (param, *span, value));
                    continue;
                }
                let what = format!("`{}` has no parameter `{text}`", kind.name);
                let problem = Problem::error(code::UNKNOWN_PARAMETER, *span, what);
                let given = |name: &&str| entries.iter().all(|(key, _)| key.text != **name);
                let meant = did_you_mean(text, names().filter(given));
                found.wrong(match (beside(text, kind.name), meant) {
                    (Some(help), _) => problem.help(help),
                    (None, Some(meant)) => problem.did_you_mean(text, meant),
                    (None, None) => {
                        let all = names().collect::<Vec<_>>().join(", ");
                        problem.help(format!("it has {all}"))
                    }
                });
            }
        }
        // That nothing is written was noted when the file was read.
        (NodeValue::Null, _) => return None,
        (NodeValue::Scalar { .. } | NodeValue::List(_), Some(param)) => {
            given.insert(param.name, (param, key, node));
        }
        (NodeValue::Scalar { .. } | NodeValue::List(_), None) => {
            let what = format!("`{}` wants a mapping of its parameters", kind.name);
            found.wrong(
                Problem::error(code::WRONG_SHAPE, node.span, what)
                    .help(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
            );
            return None;
        }
    }
    let missing = |param: &&Param| param.required && !given.contains_key(param.name);
    for param in kind.params.iter().filter(missing) {
        let what = format!("`{}` misses `{}`", kind.name, param.name);
        found.wrong(
            Problem::error(code::MISSING_PARAMETER, key, what)
                .help(format!("add `{}`: {}", param.name, param.about)),
        );
    }
    Some(given)
}

/// The dialect of a call's script: by its `interpreter`, `sh` without one.
fn dialect(given: &Given<'_>, found: &mut Found) -> Option<Dialect> {
    let Some((_, _, node)) = given.get("interpreter") else {
        return Some(Dialect::Sh);
    };
    let first = match &node.value {
        NodeValue::List(items) => items.first(),
        NodeValue::Scalar { .. } | NodeValue::Null | NodeValue::Map(_) => Some(*node),
    };
    let program = first.and_then(node_text)?;
    if program.contains("{{") {
        let what = "the interpreter must be known beforehand";
        found.wrong(
            Problem::error(code::TEMPLATE_IN_INTERPRETER, node.span, what).help("write it out"),
        );
    }
    // `[/usr/bin/env, bash]` is bash.
    match (&node.value, program.rsplit('/').next()) {
        (NodeValue::List(items), Some("env")) => Dialect::of(items.get(1).and_then(node_text)?),
        _ => Dialect::of(program),
    }
}

/// The folder and the environment, among the parameters.
fn process(
    surroundings: &Surroundings<'_>,
    params: &mut IndexMap<String, Template>,
    found: &mut Found,
) {
    if let Some(dir) = surroundings.dir.and_then(|dir| said(dir, "dir", found)) {
        params.insert("dir".to_owned(), dir);
    }
    let env = surroundings.env.iter();
    let env: IndexMap<_, _> = env
        .filter_map(|(name, text)| Some(((*name).to_owned(), said(*text, name, found)?)))
        .collect();
    if !env.is_empty() {
        params.insert("env".to_owned(), Template::Map(env));
    }
}

fn said(said: Said<'_>, name: &str, found: &mut Found) -> Option<Template> {
    if let Some(outer) = said.outer() {
        let mut known = found.outer.iter();
        let (_, binding) = known.find(|(known, _)| *known == outer)?;
        let binding = binding.clone();
        let template = Template::Value(Expression {
            text: binding.name.clone(),
        });
        if !found.held.contains(&binding) {
            found.held.push(binding);
        }
        return Some(template);
    }
    match node_text(said.node) {
        Some(text) => Some(Source::new(text, said.node.span).text(Spot::Value, found)),
        None => {
            let what = format!("`{name}` wants text");
            found.wrong(Problem::error(code::WRONG_SHAPE, said.node.span, what).help("write text"));
            None
        }
    }
}
