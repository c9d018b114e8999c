//! What a name stands for where it is used.

use indexmap::IndexMap;

use super::provide::place_of;
use super::{Link, Meaning, Names, Provider, Why};
use crate::compile::expression::FUNCTIONS;
use crate::compile::uses::{Spot, Use};
use crate::compile::{Binding, Origin, matrix};
use crate::model::{SkipDepth, Span, Value};
use crate::syntax::{Problem, code};

/// From where names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A task, its own retry variable included.
    Inside(usize),
    /// A task or a group, before its own retry: its `when`, its `for_each`.
    Before(usize),
    /// A sub-flow or a group of a kind, its own retry variable included: what it is given.
    Within(usize),
    /// The store of a frame alone: a flow before any task, or a task kind.
    Frame(usize),
    /// The flow, after all tasks.
    End,
}

/// Names that the engine fills in, and their fields.
pub(crate) const ALWAYS: [(&str, &[&str]); 3] = [
    ("flow", &["name", "id"]),
    ("task", &["name", "attempt", "key", "state"]),
    ("conductor", &["name"]),
];
const FAILURE: &[&str] = &["kind", "message", "task", "attempt", "exit_code", "status"];

impl<'a> Names<'a> {
    /// Looks up names. What is wrong is noted; the bindings are complete if nothing is.
    pub fn resolve(&mut self, uses: Vec<Use>, from: From) -> Vec<Binding> {
        let mut bindings: IndexMap<String, Origin> = IndexMap::new();
        for one in uses {
            if let Some(origin) = bindings.get(&one.name)
                && !matches!(origin, Origin::Secret(_))
            {
                continue;
            }
            if self.is_there(&one) {
                continue;
            }
            let Some(meaning) = self.meaning(&one, from) else {
                if !FUNCTIONS.contains(&one.name.as_str()) {
                    self.unknown(&one, from);
                }
                continue;
            };
            if !self.may_stand(&one, &meaning) {
                continue;
            }
            if let Some((provider, consumer)) = &meaning.link {
                self.link(&one, provider, *consumer, from);
            }
            bindings.insert(one.name, meaning.origin);
        }
        let bindings = bindings.into_iter();
        bindings
            .map(|(name, origin)| Binding { name, origin })
            .collect()
    }

    /// Whether a name is one that the engine fills in at this place. One that is asked for a wrong field is noted.
    fn is_there(&mut self, one: &Use) -> bool {
        let fields = match (one.name.as_str(), one.spot) {
            ("failure", Spot::On) => FAILURE,
            ("failure", _) if one.revert => FAILURE,
            ("result", Spot::Check(_) | Spot::Result(_)) => return true,
            ("result", _) if one.revert && one.spot != Spot::On => return true,
            (name, Spot::Check(fields) | Spot::Result(fields)) if fields.contains(&name) => {
                return true;
            }
            (_, Spot::Condition(_) | Spot::On | Spot::Result(_) | Spot::Capability) => {
                return false;
            }
            (name, Spot::Value | Spot::Given | Spot::Argument | Spot::Url | Spot::Check(_)) => {
                match ALWAYS.iter().find(|(always, _)| *always == name) {
                    Some((_, fields)) => fields,
                    None => return false,
                }
            }
        };
        if let Some(field) = &one.field
            && !fields.contains(&field.as_str())
        {
            let what = format!("`{}` has no `{field}`", one.name);
            let problem = Problem::error(code::UNKNOWN_NAME, one.span, what);
            let problem = match self.suggestions.meant(field, fields.iter().copied()) {
                Some(meant) => {
                    let whole = |field: &str| format!("{}.{field}", one.name);
                    problem.did_you_mean(&whole(field), &whole(meant))
                }
                None => problem.help(format!("it has {}", fields.join(", "))),
            };
            self.problems.push(problem);
        }
        true
    }

    pub(super) fn meaning(&mut self, one: &Use, from: From) -> Option<Meaning> {
        let layout = self.layout;
        let name = one.name.as_str();
        if matches!(one.spot, Spot::Result(_)) {
            return None;
        }
        let (mut consumer, frame) = match from {
            From::Inside(member) | From::Within(member) => {
                let own = &layout.members[member];
                let retry = own.declaration.retry.as_ref();
                let retry =
                    retry.filter(|_| own.inner.is_none() || matches!(from, From::Within(_)));
                if let (Some(controller), Some(variable)) = (
                    own.controller,
                    retry.and_then(|retry| retry.variable.as_ref()),
                ) && variable.value == name
                {
                    self.used_controllers.insert(controller);
                    if own.inner.is_none() {
                        self.variables.push((controller, own.exit, &variable.value));
                    }
                    return Some(Meaning {
                        origin: Origin::Retry(controller),
                        link: None,
                        given: None,
                    });
                }
                (Some(member), layout.frame_of(member))
            }
            From::Before(member) => (Some(member), layout.frame_of(member)),
            From::Frame(frame) => return self.stored(name, frame),
            From::End => (None, 0),
        };
        loop {
            if let Some(member) = consumer {
                let values = &layout.members[member].values;
                if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
                    return Some(Meaning {
                        origin: Origin::Literal(value.clone()),
                        link: None,
                        given: None,
                    });
                }
                if let Some(provider) = self.own.get(&(member, name)) {
                    return Some(Meaning {
                        origin: provider.origin.clone(),
                        link: Some((provider.clone(), member)),
                        given: None,
                    });
                }
            }
            let body = consumer.map_or(0, |member| layout.members[member].body);
            if let Some((&key, provider)) = self.provided[body].get_key_value(name) {
                self.used_provided.insert((body, key));
                return Some(Meaning {
                    origin: provider.origin.clone(),
                    link: consumer.map(|consumer| (provider.clone(), consumer)),
                    given: None,
                });
            }
            let Some(member) = consumer else { break };
            if let (Some(controller), Some(variable)) =
                (layout.bodies[body].controller, layout.bodies[body].variable)
                && variable.value == name
            {
                self.used_controllers.insert(controller);
                let entry = layout.members[member].entry;
                self.variables.push((controller, entry, &variable.value));
                return Some(Meaning {
                    origin: Origin::Retry(controller),
                    link: None,
                    given: None,
                });
            }
            match layout.outside(body) {
                Some((group, _)) => consumer = Some(group),
                None => break,
            }
        }
        self.stored(name, frame)
    }

    fn stored(&mut self, name: &str, frame: usize) -> Option<Meaning> {
        let store = self.layout.frames.at(frame).store;
        let at = self.place_in(frame, name)?;
        self.used_store.insert((place_of(store), at));
        let secret = store[at].1.secret;
        let origin = match frame {
            0 if secret => Origin::Secret(name.to_owned()),
            0 => Origin::Input,
            // What is wrong with what it is given was told; it then stands for anything.
            _ => self.args[frame]
                .get(at)
                .cloned()
                .flatten()
                .unwrap_or(Origin::Literal(Value::Null)),
        };
        let given = self
            .layout
            .frames
            .at(frame)
            .given
            .get(at)
            .copied()
            .flatten();
        Some(Meaning {
            origin,
            link: None,
            given: given.map(|node| node.span),
        })
    }

    fn place_in(&self, frame: usize, name: &str) -> Option<usize> {
        let store = self.layout.frames.at(frame).store;
        match self.indexes.get(&place_of(store)) {
            Some(index) => index.get(name).copied(),
            None => store.iter().position(|(known, _)| known.value == name),
        }
    }

    /// Where the store of a frame declares a name.
    pub(super) fn declared_at(&self, frame: usize, name: &str) -> Option<Span> {
        let at = self.place_in(frame, name)?;
        Some(self.layout.frames.at(frame).store[at].0.span)
    }

    /// Whether a value may stand in a place; what must not be there is noted, and what should not be is warned of.
    fn may_stand(&mut self, one: &Use, meaning: &Meaning) -> bool {
        let name = &one.name;
        let secret = matches!(meaning.origin, Origin::Secret(_));
        let told_by = self.told_by(&meaning.origin);
        let late = self.is_made_late(&meaning.origin);
        let problem = match one.spot {
            Spot::Condition(_) | Spot::On | Spot::Capability if late => {
                let what = format!("`{name}` is not known here, before the task runs");
                let problem = Problem::error(code::UNKNOWN_NAME, one.span, what);
                Some(problem.help(
                    "it is given as something with `flow`, `task` or `conductor` in it: give it without",
                ))
            }
            Spot::Capability if let Some(who) = told_by => {
                let what = format!(
                    "`{name}` is told by {who}, and capabilities are asked for before that"
                );
                Some(
                    Problem::error(code::UNKNOWN_NAME, one.span, what)
                        .help("use values of the store"),
                )
            }
            Spot::Given if secret => {
                let what =
                    format!("the secret `{name}` is given as something that is not kept secret");
                let problem = Problem::error(code::SECRET_IN_EXPRESSION, one.span, what);
                Some(problem.help_in(
                    "declare what takes it as `secret: true`, and give it nothing but the name of the secret",
                    "declare what takes it as `secret = true`, and give it nothing but the name of the secret",
                ))
            }
            Spot::Condition(matrix::KEY) if let Some(who) = told_by => {
                let what = format!(
                    "`{name}` is told by {who}, and the copies of a matrix are made before that"
                );
                let problem = Problem::error(code::MATRIX_NEEDS_RESULT, one.span, what);
                Some(
                    problem.help("take values of the store; or let one task work through the list"),
                )
            }
            Spot::Condition(key) if secret => Some(self.secret(one, key)),
            Spot::On if secret => Some(self.secret(one, "retry.on")),
            Spot::Check(_) if secret => Some(self.secret(one, "check")),
            Spot::Capability if secret => Some(self.secret(one, "capabilities")),
            Spot::Argument if secret => {
                let what = format!(
                    "the secret `{name}` is an argument of a process, which others can see"
                );
                let warning = Problem::warning(code::SECRET_IN_ARGUMENT, one.span, what);
                self.problems
                    .push(warning.help("hand it over in the environment: `env`"));
                None
            }
            Spot::Url if secret => {
                let what = format!(
                    "the secret `{name}` stands in a URL, which servers write to their logs"
                );
                let warning = Problem::warning(code::SECRET_IN_URL, one.span, what);
                self.problems
                    .push(warning.help("send it in a header, as with `bearer`"));
                None
            }
            Spot::Value
            | Spot::Given
            | Spot::Argument
            | Spot::Url
            | Spot::Condition(_)
            | Spot::On
            | Spot::Check(_)
            | Spot::Result(_)
            | Spot::Capability => None,
        };
        let fine = problem.is_none();
        let problem = problem.map(|problem| match meaning.given {
            Some(given) => problem.related(given, "given here"),
            None => problem,
        });
        self.problems.extend(problem);
        fine
    }

    fn secret(&self, one: &Use, place: &str) -> Problem {
        let what = format!(
            "the secret `{}` stands in `{place}`, whose value is not kept secret",
            one.name
        );
        Problem::error(code::SECRET_IN_EXPRESSION, one.span, what)
            .help("a secret can be used in `env`, in a script, in headers and bodies")
    }

    /// A task uses what another one provides: that one comes before it.
    fn link(&mut self, one: &Use, provider: &Provider, to: usize, from: From) {
        let layout = self.layout;
        let (From::Inside(consumer) | From::Before(consumer) | From::Within(consumer)) = from
        else {
            return;
        };
        if provider.member == to {
            if consumer == provider.task && one.revert {
                return;
            }
            let path = &layout.members[to].path;
            let what = format!("`{path}` uses `{}`, which it provides itself", one.name);
            self.problems.push(
                Problem::error(code::NEEDS_ITSELF, one.span, what)
                    .related(provider.span, "provided here")
                    .help("what a task provides can be used by others, and in its own `revert`"),
            );
            return;
        }
        if let Some(problem) = self.may_be_missing(one, provider, to) {
            self.problems.push(problem);
        }
        self.links.push(Link {
            from: provider.member,
            to,
            consumer,
            name: Some(one.name.clone()),
            span: one.span,
            why: if one.revert {
                Why::RevertUses
            } else {
                Why::Uses
            },
        });
    }

    /// A provider that may be skipped, or may fail while the flow goes on, without its consumer being skipped along.
    fn may_be_missing(&self, one: &Use, provider: &Provider, to: usize) -> Option<Problem> {
        let layout = self.layout;
        let mut unit = provider.task;
        loop {
            let declaration = layout.members[unit].declaration;
            let path = &layout.members[unit].path;
            let outermost = unit == provider.member;
            let skips = declaration
                .skips
                .as_ref()
                .map_or(SkipDepth::All, |skips| skips.value);
            let along = match skips {
                SkipDepth::All => true,
                SkipDepth::Flow => outermost,
                SkipDepth::Neighbors => {
                    let group = |member: usize| layout.members[member].inner.is_some();
                    outermost && !group(to)
                }
                SkipDepth::Task => false,
            };
            if let (Some(when), false) = (&declaration.when, along) {
                let what = format!(
                    "`{}` may be missing: `{path}` may be skipped, and this is not skipped with it",
                    one.name
                );
                return Some(
                    Problem::error(code::PROVIDER_MAY_BE_SKIPPED, one.span, what)
                        .related(when.span, "the condition")
                        .help("leave `skips` out, so that what comes after is skipped as well"),
                );
            }
            if declaration.allow_failure {
                let what = format!(
                    "`{}` may be missing: `{path}` may fail, and the flow goes on",
                    one.name
                );
                return Some(
                    Problem::error(code::PROVIDER_MAY_FAIL, one.span, what)
                        .related(declaration.name.span, "`allow_failure` stands here")
                        .help(
                            "leave `allow_failure` out, or put both into one group that may fail",
                        ),
                );
            }
            if outermost {
                return None;
            }
            unit = layout.around(unit)?;
        }
    }

    /// What the flow hands out.
    pub fn handed_out(&mut self) -> Vec<Binding> {
        let mut bindings = Vec::new();
        for name in &self.flow.provides {
            let one = Use {
                name: name.value.clone(),
                field: None,
                span: name.span,
                spot: Spot::Value,
                revert: false,
            };
            match self.meaning(&one, From::End) {
                Some(meaning) if matches!(meaning.origin, Origin::Secret(_)) => {
                    let problem = self.secret(&one, "provides");
                    self.problems.push(problem);
                }
                Some(meaning) => bindings.push(Binding {
                    name: one.name,
                    origin: meaning.origin,
                }),
                None => self.unknown(&one, From::End),
            }
        }
        bindings
    }
}
