//! Who provides what: the names of each body, and what is wrong with them.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::{Names, Provider, Suggestions};
use crate::compile::Origin;
use crate::compile::given::Store;
use crate::compile::layout::{Layout, MadeOf, Part};
use crate::model::{Span, Spanned};
use crate::syntax::{Code, FlowDeclaration, Problem, ProvidesDeclaration, code};

impl<'a> Names<'a> {
    /// The names of a flow.
    pub fn new(flow: &'a FlowDeclaration, layout: &'a Layout<'a>) -> Self {
        let mut names = Self {
            flow,
            layout,
            indexes: indexes(layout),
            args: vec![Vec::new(); layout.frames.all().len()],
            computed: Vec::new(),
            late: HashSet::new(),
            inner_secrets: IndexMap::new(),
            outer: HashMap::new(),
            provided: vec![IndexMap::new(); layout.bodies.len()],
            own: HashMap::new(),
            lists: Vec::new(),
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
            let (declared, all) = self.declared(member);
            for (name, inner) in declared {
                let Some(provider) = self.provider(member, name, inner) else {
                    continue;
                };
                match layout.members[member].part {
                    Part::Copy => {
                        self.own.insert((member, &name.value), provider);
                    }
                    Part::Whole | Part::Copies => self.provide(body, name, provider),
                }
                if all {
                    // Nobody asked for it.
                    self.used_provided.insert((body, &name.value));
                }
            }
        }
    }

    /// The names that a member provides, each with the one that it has inside; and whether they are all there are,
    /// without being asked for.
    fn declared(&mut self, member: usize) -> (Vec<(&'a Spanned<String>, &'a str)>, bool) {
        let layout = self.layout;
        let declaration = layout.members[member].declaration;
        let same = |name: &'a Spanned<String>| (name, name.value.as_str());
        let Some(flow) = layout.made_of(declaration).and_then(MadeOf::flow) else {
            let names = match &declaration.provides {
                ProvidesDeclaration::Nothing => Vec::new(),
                ProvidesDeclaration::Whole(name) => vec![same(name)],
                ProvidesDeclaration::Parts(parts) => {
                    parts.iter().map(|(name, _)| same(name)).collect()
                }
                ProvidesDeclaration::Inner(names) => names.iter().map(same).collect(),
            };
            return (names, false);
        };
        let mut names = Vec::new();
        match (&declaration.provides, flow.provides.as_slice()) {
            (ProvidesDeclaration::Nothing, all) => return (all.iter().map(same).collect(), true),
            (ProvidesDeclaration::Whole(name), [only]) => names.push((name, only.value.as_str())),
            (ProvidesDeclaration::Whole(name), _) => self.not_among(member, name, name, flow),
            (ProvidesDeclaration::Parts(parts), all) => {
                for (name, inner) in parts {
                    match all.iter().find(|known| known.value == inner.value.trim()) {
                        Some(known) => names.push((name, known.value.as_str())),
                        None => self.not_among(member, name, inner, flow),
                    }
                }
            }
            (ProvidesDeclaration::Inner(listed), all) => {
                for name in listed {
                    match all.iter().any(|known| known.value == name.value) {
                        true => names.push(same(name)),
                        false => self.not_among(member, name, name, flow),
                    }
                }
            }
        }
        (names, false)
    }

    /// A sub-flow does not hand out what is asked for.
    fn not_among(
        &mut self,
        member: usize,
        name: &Spanned<String>,
        inner: &Spanned<String>,
        flow: &FlowDeclaration,
    ) {
        let path = &self.layout.members[member].path;
        let what = format!("`{path}` does not provide `{}`", inner.value.trim());
        let known = || flow.provides.iter().map(|name| name.value.as_str());
        let problem = Problem::error(code::UNKNOWN_NAME, inner.span, what);
        let problem = match self.suggestions.meant(&inner.value, known()) {
            Some(meant) => problem.did_you_mean(&inner.value, meant),
            None if flow.provides.is_empty() => problem.help("it provides nothing"),
            None => {
                let known: Vec<_> = known().take(10).collect();
                let all = known.join(", ");
                problem.help(format!(
                    "it provides {all}; write a list of names, or `{}: name`",
                    name.value
                ))
            }
        };
        self.problems.push(problem);
    }

    /// Who gives a name that a member says it provides; `None` if nobody does, which is then noted.
    fn provider(
        &mut self,
        member: usize,
        name: &'a Spanned<String>,
        inside: &'a str,
    ) -> Option<Provider> {
        let layout = self.layout;
        let own = &layout.members[member];
        let provider = |task, origin| {
            Some(Provider {
                member,
                task,
                origin,
                span: name.span,
            })
        };
        match (own.part, own.inner) {
            (Part::Copies, Some(inner)) => {
                let copies = &layout.bodies[inner].members;
                let own = |copy: &usize| self.own.get(&(*copy, name.value.as_str()));
                let first = copies.first().and_then(own)?.task;
                let origins = copies.iter().filter_map(own);
                let origins = origins.map(|provider| provider.origin.clone()).collect();
                let list = u32::try_from(self.lists.len()).expect("there are fewer than tasks");
                self.lists.push(origins);
                provider(first, Origin::List(list))
            }
            (Part::Whole | Part::Copy, Some(inner)) => {
                let (task, origin) = self.handed_out_by(member, inner, name, inside)?;
                provider(task, origin)
            }
            (_, None) => provider(
                member,
                Origin::Provided {
                    atom: own.exit,
                    name: name.value.clone(),
                },
            ),
        }
    }

    /// A group hands out a name of its inside.
    fn handed_out_by(
        &mut self,
        member: usize,
        inner: usize,
        name: &'a Spanned<String>,
        inside: &'a str,
    ) -> Option<(usize, Origin)> {
        if let Some((&key, provider)) = self.provided[inner].get_key_value(inside) {
            self.used_provided.insert((inner, key));
            return Some((provider.task, provider.origin.clone()));
        }
        let group = &self.layout.members[member];
        let flow = group.made_of.and_then(|(made_of, _)| made_of.flow());
        // A sub-flow's own list is wrong, not what asks for it.
        let listed = flow.and_then(|flow| flow.provides.iter().find(|name| name.value == inside));
        let (name, group) = match (listed, flow) {
            (Some(listed), Some(flow)) => (listed, &flow.name.value),
            _ => (name, &group.path),
        };
        let what = format!("nothing in `{group}` provides `{inside}`");
        let known = || self.provided[inner].keys().copied();
        let problem = Problem::error(code::UNKNOWN_NAME, name.span, what);
        let problem = match self.suggestions.meant(inside, known()) {
            Some(meant) => problem.did_you_mean(inside, meant),
            None if self.provided[inner].is_empty() => {
                problem.help("nothing in it provides anything")
            }
            None => {
                let all = known().take(10).collect::<Vec<_>>().join(", ");
                problem.help(format!("it has {all}"))
            }
        };
        self.problems.push(problem);
        None
    }

    fn provide(&mut self, body: usize, name: &'a Spanned<String>, provider: Provider) {
        let layout = self.layout;
        if let Some(span) = self.declared_at(layout.bodies[body].frame, &name.value) {
            let what = format!("`{}` is a name of the store already", name.value);
            self.problems.push(
                Problem::error(code::HIDES_STORE, name.span, what)
                    .related(span, "declared here")
                    .help("give what is provided another name"),
            );
            return;
        }
        if let Some(first) = self.provided[body].get(name.value.as_str()) {
            let itself = first.member == provider.member;
            let (one, other) = (
                &layout.members[first.member].path,
                &layout.members[provider.member].path,
            );
            let (what, help) = match itself {
                true => (
                    format!("`{}` stands twice in what `{one}` provides", name.value),
                    "leave one of them out",
                ),
                false => (
                    format!("`{}` is provided by `{one}` and by `{other}`", name.value),
                    "give one of them another name",
                ),
            };
            self.problems.push(
                Problem::error(code::TWO_PROVIDERS, name.span, what)
                    .related(first.span, "provided here first")
                    .help(help),
            );
            return;
        }
        self.provided[body].insert(&name.value, provider);
    }

    /// The variable of a retry and the names of a matrix must not hide a name that can be used inside as well. What a
    /// group keeps to itself may have the name of something outside: the nearest one is meant.
    fn check_hidden(&mut self) {
        let layout = self.layout;
        let mut problems = Vec::new();
        let own = layout.members.iter().flat_map(|member| {
            let retry = member.declaration.retry.as_ref();
            let retry = retry.filter(|_| member.inner.is_none());
            let variable = retry.and_then(|retry| retry.variable.as_ref());
            let matrix = member.declaration.matrix.as_ref();
            let axes = matrix.filter(|_| member.part == Part::Copies);
            let axes = axes.into_iter().flat_map(|matrix| &matrix.axes);
            let names = variable.into_iter().chain(axes.map(|(name, _)| name));
            names.map(|name| (member.body, name))
        });
        let bodies = layout.bodies.iter().enumerate();
        let bodies = bodies.filter_map(|(index, body)| Some((index, body.variable?)));
        for (body, name) in bodies.chain(own) {
            let store = self.declared_at(layout.bodies[body].frame, &name.value);
            let outer = self.seen(&name.value, body, name.span);
            if let Some(outer) = store.or(outer) {
                problems.push(hidden(&name.value, name.span, outer));
            }
        }
        self.problems.append(&mut problems);
    }

    /// Where a name that can be seen in a body is written, from the inside out; not the one at `own`.
    fn seen(&self, name: &str, body: usize, own: Span) -> Option<Span> {
        let mut next = Some(body);
        while let Some(body) = next {
            if let Some(provider) = self.provided[body].get(name) {
                return Some(provider.span);
            }
            let variable = self.layout.bodies[body].variable;
            let outside = self.layout.outside(body);
            let owner = outside.map(|(group, _)| &self.layout.members[group]);
            let matrix = owner.and_then(|group| group.declaration.matrix.as_ref());
            let axes = matrix
                .into_iter()
                .flat_map(|m| m.axes.iter().map(|(name, _)| name));
            let mut names = variable.into_iter().chain(axes);
            if let Some(found) = names.find(|found| found.value == name && found.span != own) {
                return Some(found.span);
            }
            next = outside.map(|(_, outer)| outer);
        }
        None
    }

    /// What nothing uses: names of the store, of tasks, of retries.
    pub fn check_unused(&mut self) {
        // Where something could not be read, it cannot be told what it uses.
        if self
            .problems
            .iter()
            .any(|problem| UNREAD.contains(&problem.code))
        {
            return;
        }
        let layout = self.layout;
        let mut stores: IndexMap<usize, &Store> = IndexMap::new();
        // What only a revert of a kind uses is not looked for where the kind is used with another one.
        for frame in layout
            .frames
            .all()
            .iter()
            .filter(|frame| frame.what == "store")
        {
            stores.insert(place_of(frame.store), frame.store);
        }
        let names = stores.iter().flat_map(|(place, store)| {
            let names = store.iter().enumerate();
            names.map(|(at, (name, _))| ((*place, at), name))
        });
        for (key, name) in names {
            if !self.used_store.contains(&key) {
                let what = format!("nothing uses `{}`", name.value);
                self.problems.push(
                    Problem::warning(code::UNUSED_NAME, name.span, what)
                        .help("use it in a task, or leave it out of the store"),
                );
            }
        }
        for (body, provided) in self.provided.iter().enumerate() {
            for (name, provider) in provided {
                if !self.used_provided.contains(&(body, *name)) {
                    let what = format!("nothing uses `{name}`");
                    self.problems
                        .push(Problem::warning(code::UNUSED_NAME, provider.span, what).help(
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
                    Problem::warning(code::AS_UNUSED, variable.span, what)
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
            next = layout.outside(body).map(|(_, outer)| outer);
            Some(body)
        });
        let inner = bodies.flat_map(move |body| {
            let variable = layout.bodies[body].variable;
            let variable = variable.map(|variable| variable.value.as_str());
            let owner = layout.outside(body);
            let matrix =
                owner.and_then(|(group, _)| layout.members[group].declaration.matrix.as_ref());
            let axes = matrix.into_iter().flat_map(|matrix| &matrix.axes);
            variable
                .into_iter()
                .chain(axes.map(|(name, _)| name.value.as_str()))
                .chain(self.provided[body].keys().copied())
        });
        let frame = layout.frames.at(layout.bodies[body].frame);
        let store = frame.store.iter().map(|(name, _)| name.value.as_str());
        store.chain(inner)
    }

    /// Who provides a name anywhere in a frame; for messages. It then counts as used.
    pub(super) fn provider_anywhere(&mut self, name: &str, frame: usize) -> Option<Provider> {
        self.suggestions.spend(self.provided.len()).then_some(())?;
        let layout = self.layout;
        let bodies = self.provided.iter().enumerate();
        let mut bodies = bodies.filter(|(body, _)| layout.bodies[*body].frame == frame);
        let (body, (&key, provider)) =
            bodies.find_map(|(body, provided)| Some((body, provided.get_key_value(name)?)))?;
        self.used_provided.insert((body, key));
        Some(provider.clone())
    }
}

/// Where a store is in memory, which tells it from others.
pub(super) fn place_of(store: &Store) -> usize {
    store.as_ptr() as usize
}

/// The places of names in stores that are too large to be searched.
fn indexes<'a>(layout: &Layout<'a>) -> HashMap<usize, HashMap<&'a str, usize>> {
    let mut indexes = HashMap::new();
    for frame in layout
        .frames
        .all()
        .iter()
        .filter(|frame| frame.store.len() > 16)
    {
        indexes.entry(place_of(frame.store)).or_insert_with(|| {
            let names = frame.store.iter().enumerate();
            names
                .map(|(at, (name, _))| (name.value.as_str(), at))
                .collect()
        });
    }
    indexes
}

/// Problems of places whose names are not known.
const UNREAD: [Code; 8] = [
    code::BAD_EXPRESSION,
    code::STATEMENT_IN_TEMPLATE,
    code::TEMPLATE_NOT_CLOSED,
    code::UNKNOWN_FILTER,
    code::UNKNOWN_FUNCTION,
    code::UNKNOWN_KIND,
    code::UNKNOWN_PARAMETER,
    code::UNKNOWN_TEST,
];

fn hidden(name: &str, span: Span, outer: Span) -> Problem {
    let what = format!("`{name}` would hide a name that can be used here already");
    Problem::error(code::HIDDEN_NAME, span, what)
        .related(outer, "the other one")
        .help("give one of them another name")
}
