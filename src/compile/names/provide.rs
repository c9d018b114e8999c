//! Who provides what: the names of each body, and what is wrong with them.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{Names, Provider, Suggestions};
use crate::compile::layout::Layout;
use crate::model::{Span, Spanned};
use crate::syntax::{FlowDeclaration, Problem, ProvidesDeclaration};

impl<'a> Names<'a> {
    /// The names of a flow.
    pub fn new(flow: &'a FlowDeclaration, layout: &'a Layout<'a>) -> Self {
        let store = flow.store.iter().enumerate();
        let mut names = Self {
            flow,
            layout,
            store: store
                .map(|(index, (name, _))| (name.value.as_str(), (index, name.span)))
                .collect(),
            provided: vec![IndexMap::new(); layout.bodies.len()],
            links: Vec::new(),
            variables: Vec::new(),
            problems: Vec::new(),
            used_store: HashSet::new(),
            used_provided: HashSet::new(),
            used_controllers: HashSet::new(),
            suggestions: Suggestions::default(),
        };
        for body in (0..layout.bodies.len()).rev() {
            names.fill(body);
        }
        names.check_hidden();
        names
    }

    /// What the members of a body provide. Inner bodies are filled already.
    fn fill(&mut self, body: usize) {
        let layout = self.layout;
        for &member in &layout.bodies[body].members {
            match &layout.members[member].declaration.provides {
                ProvidesDeclaration::Nothing => {}
                ProvidesDeclaration::Whole(name) => self.provide(body, member, member, name),
                ProvidesDeclaration::Parts(parts) => {
                    for (name, _) in parts {
                        self.provide(body, member, member, name);
                    }
                }
                ProvidesDeclaration::Inner(inner) => {
                    for name in inner {
                        self.hand_out(body, member, name);
                    }
                }
            }
        }
    }

    /// A group hands out a name of its inside.
    fn hand_out(&mut self, body: usize, member: usize, name: &'a Spanned<String>) {
        let Some(inner) = self.layout.members[member].inner else {
            return;
        };
        if let Some((&key, provider)) = self.provided[inner].get_key_value(name.value.as_str()) {
            let task = provider.task;
            self.used_provided.insert((inner, key));
            self.provide(body, member, task, name);
            return;
        }
        let group = &self.layout.members[member].path;
        let what = format!("nothing in `{group}` provides `{}`", name.value);
        let known = || self.provided[inner].keys().copied();
        let help = match self.suggestions.meant(&name.value, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if self.provided[inner].is_empty() => "nothing in it provides anything".to_owned(),
            None => format!("it has {}", known().take(10).collect::<Vec<_>>().join(", ")),
        };
        self.problems
            .push(Problem::error("unknown-name", name.span, what).help(help));
    }

    fn provide(&mut self, body: usize, member: usize, task: usize, name: &'a Spanned<String>) {
        let layout = self.layout;
        if let Some((_, span)) = self.store.get(name.value.as_str()) {
            let what = format!("`{}` is a name of the store already", name.value);
            self.problems.push(
                Problem::error("hides-store", name.span, what)
                    .related(*span, "declared here")
                    .help("give what is provided another name"),
            );
            return;
        }
        if let Some(first) = self.provided[body].get(name.value.as_str()) {
            let what = format!(
                "`{}` is provided by `{}` and by `{}`",
                name.value, layout.members[first.member].path, layout.members[member].path
            );
            self.problems.push(
                Problem::error("two-providers", name.span, what)
                    .related(first.span, "provided here first")
                    .help("give one of them another name"),
            );
            return;
        }
        let provider = Provider {
            member,
            task,
            span: name.span,
        };
        self.provided[body].insert(&name.value, provider);
    }

    /// Names of groups and of retries must not hide names that can be used inside as well.
    fn check_hidden(&mut self) {
        let layout = self.layout;
        let mut problems = Vec::new();
        for (index, body) in layout.bodies.iter().enumerate() {
            let around = body.owner.map(|group| layout.members[group].body);
            for (name, provider) in &self.provided[index] {
                // What a group hands out has the same name inside and outside of it.
                if let Some(outer) = self.seen(name, around, |task, _| task == Some(provider.task))
                {
                    problems.push(hidden(name, provider.span, outer));
                }
            }
        }
        let own = layout
            .members
            .iter()
            .filter(|member| member.inner.is_none());
        let own = own.map(|member| (member.body, member.declaration.retry.as_ref()));
        let bodies = layout.bodies.iter().enumerate();
        let bodies = bodies.map(|(index, body)| (index, body.retry));
        for (body, retry) in bodies.chain(own) {
            let Some(variable) = retry.and_then(|retry| retry.variable.as_ref()) else {
                continue;
            };
            let name = variable.value.as_str();
            let store = self.store.get(name).map(|(_, span)| *span);
            let outer = self.seen(name, Some(body), |_, span| span == variable.span);
            if let Some(outer) = store.or(outer) {
                problems.push(hidden(name, variable.span, outer));
            }
        }
        self.problems.append(&mut problems);
    }

    /// Where a name that can be seen in a body is written, from the inside out; those that `skip` tells are passed
    /// over, by the task that provides it and its place.
    fn seen(
        &self,
        name: &str,
        body: Option<usize>,
        skip: impl Fn(Option<usize>, Span) -> bool,
    ) -> Option<Span> {
        let mut next = body;
        while let Some(body) = next {
            let provider = self.provided[body].get(name);
            if let Some(provider) = provider.filter(|p| !skip(Some(p.task), p.span)) {
                return Some(provider.span);
            }
            let body = &self.layout.bodies[body];
            let variable = body.retry.and_then(|retry| retry.variable.as_ref());
            if let Some(variable) = variable.filter(|v| v.value == name && !skip(None, v.span)) {
                return Some(variable.span);
            }
            next = body.owner.map(|group| self.layout.members[group].body);
        }
        None
    }

    /// What nothing uses: names of the store, of tasks, of retries.
    pub fn check_unused(&mut self) {
        let layout = self.layout;
        for (name, _) in &self.flow.store {
            if !self.used_store.contains(name.value.as_str()) {
                let what = format!("nothing uses `{}`", name.value);
                self.problems.push(
                    Problem::warning("unused-name", name.span, what)
                        .help("use it in a task, or leave it out of the store"),
                );
            }
        }
        for (body, provided) in self.provided.iter().enumerate() {
            for (name, provider) in provided {
                if !self.used_provided.contains(&(body, *name)) {
                    let what = format!("nothing uses `{name}`");
                    self.problems
                        .push(Problem::warning("unused-name", provider.span, what).help(
                        "use it in a task, hand it out with the flow's `provides`, or leave it out",
                    ));
                }
            }
        }
        let own = layout
            .members
            .iter()
            .filter(|member| member.inner.is_none());
        let own = own.map(|member| (member.controller, member.declaration.retry.as_ref()));
        let bodies = layout
            .bodies
            .iter()
            .map(|body| (body.controller, body.retry));
        let mut problems = Vec::new();
        for (controller, retry) in bodies.chain(own) {
            if let (Some(controller), Some(retry)) = (controller, retry)
                && let Some(variable) = &retry.variable
                && !self.used_controllers.contains(&controller)
            {
                let what = format!("nothing that is retried uses `{}`", variable.value);
                problems.push(
                    Problem::error("as-unused", variable.span, what)
                        .help("use it in a task of the scope, or leave `as` out"),
                );
            }
        }
        self.problems.append(&mut problems);
    }

    /// The names that can be seen in a body, from the inside out; for "did you mean".
    pub(super) fn visible(&self, body: usize) -> impl Iterator<Item = &'a str> + use<'a, '_> {
        let layout = self.layout;
        let mut next = Some(body);
        let bodies = std::iter::from_fn(move || {
            let body = next?;
            next = layout.bodies[body]
                .owner
                .map(|group| layout.members[group].body);
            Some(body)
        });
        let inner = bodies.flat_map(move |body| {
            let variable = layout.bodies[body]
                .retry
                .and_then(|retry| retry.variable.as_ref());
            let variable = variable.map(|variable| variable.value.as_str());
            variable
                .into_iter()
                .chain(self.provided[body].keys().copied())
        });
        let store = self.flow.store.iter().map(|(name, _)| name.value.as_str());
        store.chain(inner)
    }

    /// Who provides a name anywhere in the flow; for messages.
    pub(super) fn provider_anywhere(&mut self, name: &str) -> Option<Provider> {
        self.suggestions.spend(self.provided.len()).then_some(())?;
        self.provided
            .iter()
            .find_map(|provided| provided.get(name).copied())
    }
}

fn hidden(name: &str, span: Span, outer: Span) -> Problem {
    let what = format!("`{name}` would hide a name that can be used here already");
    Problem::error("hidden-name", span, what)
        .related(outer, "the other one")
        .help("give one of them another name")
}
