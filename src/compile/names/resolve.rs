//! What a name stands for where it is used.

use indexmap::IndexMap;

use super::{Link, Meaning, Names, Provider, Why};
use crate::compile::expression::FUNCTIONS;
use crate::compile::uses::{Spot, Use};
use crate::compile::{Binding, Origin};
use crate::model::{SkipDepth, Span, Spanned};
use crate::syntax::{KindDeclaration, Problem};

/// From where names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A task, its own retry variable included.
    Inside(usize),
    /// A task or a group, before its own retry: its `when`, its `for_each`.
    Before(usize),
    /// The flow, before any task.
    Flow,
    /// The flow, after all tasks.
    End,
}

/// Names that the engine fills in, and their fields.
const ALWAYS: [(&str, &[&str]); 3] = [
    ("flow", &["name", "id"]),
    ("task", &["name", "attempt", "key"]),
    ("conductor", &["name"]),
];
const FAILURE: &[&str] = &["kind", "message", "task", "attempt", "exit_code", "status"];

impl<'a> Names<'a> {
    /// Looks up names. What is wrong is noted; the bindings are complete if nothing is.
    pub fn resolve(&mut self, uses: Vec<Use>, from: From) -> Vec<Binding> {
        let mut bindings: IndexMap<String, Origin> = IndexMap::new();
        for one in uses {
            if let Some(origin) = bindings.get(&one.name)
                && *origin != Origin::Secret
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
            if let Some((provider, consumer)) = meaning.link {
                self.link(&one, provider, consumer, from);
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
            (name, Spot::Value | Spot::Argument | Spot::Url | Spot::Check(_)) => {
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
            let help = match self.suggestions.meant(field, fields.iter().copied()) {
                Some(meant) => format!("did you mean `{}.{meant}`?", one.name),
                None => format!("it has {}", fields.join(", ")),
            };
            self.problems
                .push(Problem::error("unknown-name", one.span, what).help(help));
        }
        true
    }

    fn meaning(&mut self, one: &Use, from: From) -> Option<Meaning> {
        let layout = self.layout;
        let name = one.name.as_str();
        if matches!(one.spot, Spot::Result(_)) {
            return None;
        }
        let mut consumer = match from {
            From::Inside(member) => {
                let own = &layout.members[member];
                let retry = own
                    .declaration
                    .retry
                    .as_ref()
                    .filter(|_| own.inner.is_none());
                if let (Some(controller), Some(variable)) = (
                    own.controller,
                    retry.and_then(|retry| retry.variable.as_ref()),
                ) && variable.value == name
                {
                    self.used_controllers.insert(controller);
                    self.variables.push((controller, own.exit, &variable.value));
                    return Some(Meaning {
                        origin: Origin::Retry(controller),
                        link: None,
                    });
                }
                Some(member)
            }
            From::Before(member) => Some(member),
            From::Flow => return self.stored(name),
            From::End => None,
        };
        loop {
            let body = consumer.map_or(0, |member| layout.members[member].body);
            if let Some((&key, &provider)) = self.provided[body].get_key_value(name) {
                self.used_provided.insert((body, key));
                let task = layout.members[provider.task].exit;
                return Some(Meaning {
                    origin: Origin::Provided {
                        atom: task,
                        name: name.to_owned(),
                    },
                    link: consumer.map(|consumer| (provider, consumer)),
                });
            }
            let Some(member) = consumer else { break };
            let retry = layout.bodies[body].retry;
            if let (Some(controller), Some(variable)) = (
                layout.bodies[body].controller,
                retry.and_then(|retry| retry.variable.as_ref()),
            ) && variable.value == name
            {
                self.used_controllers.insert(controller);
                let entry = layout.members[member].entry;
                self.variables.push((controller, entry, &variable.value));
                return Some(Meaning {
                    origin: Origin::Retry(controller),
                    link: None,
                });
            }
            match layout.bodies[body].owner {
                Some(group) => consumer = Some(group),
                None => break,
            }
        }
        self.stored(name)
    }

    fn stored(&mut self, name: &str) -> Option<Meaning> {
        let (&key, &(index, _)) = self.store.get_key_value(name)?;
        self.used_store.insert(key);
        let secret = self.flow.store[index].1.secret;
        Some(Meaning {
            origin: if secret {
                Origin::Secret
            } else {
                Origin::Input
            },
            link: None,
        })
    }

    /// Whether a value may stand in a place; what must not be there is noted, and what should not be is warned of.
    fn may_stand(&mut self, one: &Use, meaning: &Meaning) -> bool {
        let name = &one.name;
        let secret = meaning.origin == Origin::Secret;
        let problem = match one.spot {
            Spot::Condition(key) if secret => Some(self.secret(one, key)),
            Spot::On if secret => Some(self.secret(one, "retry.on")),
            Spot::Check(_) if secret => Some(self.secret(one, "check")),
            Spot::Capability if secret => Some(self.secret(one, "capabilities")),
            Spot::Argument if secret => {
                let what = format!(
                    "the secret `{name}` is an argument of a process, which others can see"
                );
                let warning = Problem::warning("secret-in-argument", one.span, what);
                self.problems
                    .push(warning.help("hand it over in the environment: `env`"));
                None
            }
            Spot::Url if secret => {
                let what = format!(
                    "the secret `{name}` stands in a URL, which servers write to their logs"
                );
                let warning = Problem::warning("secret-in-url", one.span, what);
                self.problems
                    .push(warning.help("send it in a header, as with `bearer`"));
                None
            }
            Spot::Value
            | Spot::Argument
            | Spot::Url
            | Spot::Condition(_)
            | Spot::On
            | Spot::Check(_)
            | Spot::Result(_)
            | Spot::Capability => None,
        };
        let fine = problem.is_none();
        self.problems.extend(problem);
        fine
    }

    fn secret(&self, one: &Use, place: &str) -> Problem {
        let what = format!(
            "the secret `{}` stands in `{place}`, whose value is not kept secret",
            one.name
        );
        Problem::error("secret-in-expression", one.span, what)
            .help("a secret can be used in `env`, in a script, in headers and bodies")
    }

    /// A task uses what another one provides: that one comes before it.
    fn link(&mut self, one: &Use, provider: Provider, to: usize, from: From) {
        let layout = self.layout;
        let (From::Inside(consumer) | From::Before(consumer)) = from else {
            return;
        };
        if provider.member == to {
            if consumer == provider.task && one.revert {
                return;
            }
            let path = &layout.members[to].path;
            let what = format!("`{path}` uses `{}`, which it provides itself", one.name);
            self.problems.push(
                Problem::error("needs-itself", one.span, what)
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
    fn may_be_missing(&self, one: &Use, provider: Provider, to: usize) -> Option<Problem> {
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
                    let group = |member: usize| {
                        matches!(
                            layout.members[member].declaration.kind,
                            KindDeclaration::Group(_)
                        )
                    };
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
                    Problem::error("provider-may-be-skipped", one.span, what)
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
                    Problem::error("provider-may-fail", one.span, what)
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

    fn unknown(&mut self, one: &Use, from: From) {
        let layout = self.layout;
        let name = one.name.as_str();
        let always = || ALWAYS.iter().map(|(name, _)| *name);
        let problem = |what: String| Problem::error("unknown-name", one.span, what);
        let plain = problem(format!("nothing is called `{name}` here"));
        if always().any(|known| known == name) {
            let problem = problem(format!("`{name}` is not known here, before the task runs"));
            self.problems
                .push(problem.help("names of the store and of tasks can be used here"));
            return;
        }
        if let Spot::Result(fields) = one.spot {
            let known = || fields.iter().copied().chain(["result"]);
            let help = match self.suggestions.meant(name, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "`provides` sees the task's result alone: {}",
                    known().collect::<Vec<_>>().join(", ")
                ),
            };
            self.problems.push(plain.help(help));
            return;
        }
        if matches!(name, "result" | "failure") {
            let help = "`result` and `failure` are there in `revert`, `failure` in `retry.on` too";
            self.problems.push(plain.help(help));
            return;
        }
        let body = match from {
            From::Inside(member) | From::Before(member) => layout.members[member].body,
            From::Flow | From::End => 0,
        };
        let fields: &[&str] = match one.spot {
            Spot::Check(fields) => fields,
            Spot::Value
            | Spot::Argument
            | Spot::Url
            | Spot::Condition(_)
            | Spot::On
            | Spot::Result(_)
            | Spot::Capability => &[],
        };
        if let (From::Flow, Some(provider)) = (from, self.provider_anywhere(name)) {
            let problem = plain
                .related(provider.span, "provided by a task")
                .help("only names of the store are known before the first task");
            self.problems.push(problem);
            return;
        }
        let mut suggestions = std::mem::take(&mut self.suggestions);
        let visible: Box<dyn Iterator<Item = &str>> = match from {
            From::Flow => Box::new(self.flow.store.iter().map(|(name, _)| name.value.as_str())),
            From::Inside(_) | From::Before(_) | From::End => Box::new(self.visible(body)),
        };
        let known = visible.chain(fields.iter().copied()).chain(always());
        let meant = suggestions.meant(name, known).map(str::to_owned);
        self.suggestions = suggestions;
        let problem = if let Some(meant) = meant {
            // It is probably used, under a wrong name.
            let _ = self.meaning(
                &Use {
                    name: meant.clone(),
                    ..one.clone()
                },
                from,
            );
            plain.help(format!("did you mean `{meant}`?"))
        } else if let Some(provider) = self.provider_anywhere(name) {
            let task = &layout.members[provider.task].path;
            let group = layout
                .around(provider.task)
                .map_or("flow", |group| &layout.members[group].path);
            plain
                .related(
                    provider.span,
                    format!("`{task}` provides it, inside of `{group}`"),
                )
                .help(format!("add `provides: [{name}]` to `{group}`"))
        } else if self.find_task(name, body).is_some() {
            plain.help(format!("`{name}` is a task; use a name that it provides"))
        } else {
            plain.help("declare it in `store`, or let a task provide it")
        };
        self.problems.push(problem);
    }

    /// The task or group of a name that can be seen in a body, from the inside out, and the body that it stands in.
    fn find_task(&self, name: &str, body: usize) -> Option<(usize, usize)> {
        let mut body = body;
        loop {
            if let Some(&member) = self.layout.bodies[body].by_name.get(name) {
                return Some((member, body));
            }
            let group = self.layout.bodies[body].owner?;
            body = self.layout.members[group].body;
        }
    }

    /// Looks up what a task or a group `needs`.
    pub fn needs(&mut self, member: usize, needs: &[Spanned<String>]) {
        let layout = self.layout;
        for need in needs {
            let own = &layout.members[member];
            let Some((found, body)) = self.find_task(&need.value, own.body) else {
                let problem = self.unknown_task(member, need);
                self.problems.push(problem);
                continue;
            };
            let mut to = member;
            while layout.members[to].body != body {
                let Some(group) = layout.around(to) else {
                    break;
                };
                to = group;
            }
            if to == found {
                let what = match to == member {
                    true => format!("`{}` needs itself", own.path),
                    false => format!("`{}` needs `{}`, which it stands in", own.path, need.value),
                };
                let problem = Problem::error("needs-itself", need.span, what);
                self.problems.push(problem.help("leave it out"));
                continue;
            }
            self.links.push(Link {
                from: found,
                to,
                consumer: member,
                name: None,
                span: need.span,
                why: Why::Needs,
            });
        }
    }

    fn unknown_task(&mut self, member: usize, need: &Spanned<String>) -> Problem {
        let layout = self.layout;
        let name = need.value.as_str();
        let problem = Problem::error(
            "unknown-task",
            need.span,
            format!("there is no task `{name}` here"),
        );
        let mut body = Some(layout.members[member].body);
        let bodies = std::iter::from_fn(|| {
            let this = body?;
            body = layout.bodies[this]
                .owner
                .map(|group| layout.members[group].body);
            Some(this)
        });
        let tasks = bodies.flat_map(|body| &layout.bodies[body].members);
        let tasks = tasks.map(|member| layout.members[*member].declaration.name.value.as_str());
        let mut suggestions = std::mem::take(&mut self.suggestions);
        let meant = suggestions.meant(name, tasks);
        let last = name.rsplit('.').next().unwrap_or(name);
        let inside = suggestions.spend(layout.bodies.len()).then(|| {
            let mut bodies = layout.bodies.iter();
            bodies.find(|body| body.owner.is_some() && body.by_name.contains_key(last))
        });
        self.suggestions = suggestions;
        let group = inside.flatten().and_then(|body| body.owner);
        match (meant, self.provider_anywhere(name), group) {
            (Some(meant), _, _) => problem.help(format!("did you mean `{meant}`?")),
            (None, Some(provider), _) => {
                let task = &layout.members[provider.member].declaration.name.value;
                problem.help(format!(
                    "`{name}` is a name that `{task}` provides: write `needs: [{task}]`"
                ))
            }
            (None, None, Some(group)) => {
                let group = &layout.members[group].declaration.name.value;
                problem.help(format!(
                    "`{last}` stands inside of the group `{group}`: write `needs: [{group}]`"
                ))
            }
            (None, None, None) => {
                problem.help("`needs` names tasks and groups of the same body, or of one around it")
            }
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
                Some(meaning) if meaning.origin == Origin::Secret => {
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

    /// One member of a list comes before the next.
    pub fn in_turn(&mut self, from: usize, to: usize) {
        let span: Span = self.layout.members[to].declaration.name.span;
        self.links.push(Link {
            from,
            to,
            consumer: to,
            name: None,
            span,
            why: Why::List,
        });
    }
}
