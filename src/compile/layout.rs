//! Where everything of a flow goes: the ids of its atoms and scopes, and who stands in what.
//!
//! Declarations enter; members (tasks and groups) and bodies leave, with ids in file order: a scope's atoms are one
//! range, `[start gate, controller, members…, end gate]`. No name is looked up here.

use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::catalog::Surroundings;
use super::matrix::{self, Known};
use crate::model::{AtomId, Declared, IfInterrupted, Priority, ScopeId, Spanned, Value};
use crate::syntax::{
    Body as BodyDeclaration, FlowDeclaration, KindDeclaration, Order, Problem, RetryDeclaration,
    TaskDeclaration,
};

/// What a member is to its declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// The group of the copies that its matrix makes.
    Copies,
    /// One of those copies.
    Copy,
}

/// A task or a group, in its body.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// As declared.
    pub declaration: &'a TaskDeclaration,
    /// What it is to its declaration.
    pub part: Part,
    /// The values of a copy, by their names.
    pub values: Vec<(&'a str, Value)>,
    /// Its full name.
    pub path: String,
    /// The body that it stands in.
    pub body: usize,
    /// The atom that what comes before it leads to.
    pub entry: AtomId,
    /// The atom that leads to what comes after it.
    pub exit: AtomId,
    /// Its own scope: a group's, or a single task's with a retry of its own.
    pub scope: Option<ScopeId>,
    /// The controller of that scope.
    pub controller: Option<AtomId>,
    /// A group's body, or that of the copies of a matrix.
    pub inner: Option<usize>,
    /// The folder and the environment of what runs in it.
    pub surroundings: Rc<Surroundings<'a>>,
    /// What it does not say itself, from the groups around it.
    pub defaults: Defaults,
}

/// What the tasks of a group take from it where they do not say otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Defaults {
    /// Who goes first.
    pub priority: Priority,
    /// What an interruption means.
    pub if_interrupted: IfInterrupted,
    /// Whether unwinding stops it.
    pub stop_on_unwind: bool,
}

/// The tasks of the flow, or of a group.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    /// The group; `None` for the flow.
    pub owner: Option<usize>,
    /// The scope.
    pub scope: ScopeId,
    /// The scope's start gate (groups).
    pub start: Option<AtomId>,
    /// The scope's controller.
    pub controller: Option<AtomId>,
    /// The scope's retry.
    pub retry: Option<&'a RetryDeclaration>,
    /// The scope's end gate (groups).
    pub end: Option<AtomId>,
    /// In what order.
    pub order: Order,
    /// Its members, in file order.
    pub members: Vec<usize>,
    /// The members by their names.
    pub by_name: HashMap<&'a str, usize>,
}

/// The place of a scope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// The scope around it.
    pub parent: Option<ScopeId>,
    /// The member whose scope it is; `None` for the flow.
    pub member: Option<usize>,
    /// Its first atom.
    pub first: AtomId,
    /// The atom after its last.
    pub end: AtomId,
}

/// What an atom is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// A group's start gate.
    Start(ScopeId),
    /// A scope's controller.
    Controller(ScopeId),
    /// A task, in its scope.
    Task(usize, ScopeId),
    /// A group's end gate.
    End(ScopeId),
}

/// All places of a flow.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    /// The tasks and groups, in file order.
    pub members: Vec<Member<'a>>,
    /// The bodies, outer before inner; the first is the flow's.
    pub bodies: Vec<Body<'a>>,
    /// The scopes, outer before inner; the first is the flow.
    pub scopes: Vec<Range>,
    /// The atoms.
    pub seats: Vec<Seat>,
    /// Whether a matrix makes other copies if the flow is posted with other inputs.
    pub depends: bool,
    /// What is wrong with the matrices.
    pub problems: Vec<Problem>,
    /// The values of the store, as far as they are known.
    store: Store<'a>,
    /// The values of the copies around what is laid out now, inner ones last.
    around: Vec<(&'a str, Value)>,
    /// How many copies of the task that is laid out now there are.
    copies: usize,
}

/// What is known of the store.
#[derive(Debug)]
enum Store<'a> {
    /// The flow is not posted: its defaults.
    Declared(&'a [(Spanned<String>, Declared)]),
    /// The flow is posted: its inputs.
    Posted(&'a IndexMap<String, Value>),
}

impl<'a> Layout<'a> {
    /// The places of a flow; `inputs` are the values of its store if it is posted.
    pub fn new(flow: &'a FlowDeclaration, inputs: Option<&'a IndexMap<String, Value>>) -> Self {
        let mut layout = Self {
            members: Vec::new(),
            bodies: Vec::new(),
            scopes: Vec::new(),
            seats: Vec::new(),
            depends: false,
            problems: Vec::new(),
            store: match inputs {
                Some(inputs) => Store::Posted(inputs),
                None => Store::Declared(&flow.store),
            },
            around: Vec::new(),
            copies: 1,
        };
        let scope = layout.scope(None, None);
        let controller = flow
            .retry
            .is_some()
            .then(|| layout.seat(Seat::Controller(scope)));
        let body = Body {
            owner: None,
            scope,
            start: None,
            controller,
            retry: flow.retry.as_ref(),
            end: None,
            order: flow.body.order,
            members: Vec::new(),
            by_name: HashMap::new(),
        };
        let surroundings = Surroundings::default().with(flow.dir.as_ref(), &flow.env);
        layout.body(
            body,
            &flow.body,
            "",
            &Rc::new(surroundings),
            Defaults::default(),
        );
        layout.close(scope);
        layout
    }

    fn seat(&mut self, seat: Seat) -> AtomId {
        let id = AtomId(
            u32::try_from(self.seats.len()).expect("a file of text has fewer tasks than 2^32"),
        );
        self.seats.push(seat);
        id
    }

    fn next(&self) -> AtomId {
        AtomId(u32::try_from(self.seats.len()).expect("a file of text has fewer tasks than 2^32"))
    }

    fn scope(&mut self, parent: Option<ScopeId>, member: Option<usize>) -> ScopeId {
        let id =
            ScopeId(u32::try_from(self.scopes.len()).expect("there are fewer scopes than atoms"));
        let first = self.next();
        self.scopes.push(Range {
            parent,
            member,
            first,
            end: first,
        });
        id
    }

    fn close(&mut self, scope: ScopeId) {
        self.scopes[scope.index()].end = self.next();
    }

    fn body(
        &mut self,
        body: Body<'a>,
        declaration: &'a BodyDeclaration,
        prefix: &str,
        surroundings: &Rc<Surroundings<'a>>,
        defaults: Defaults,
    ) -> usize {
        let index = self.bodies.len();
        let scope = body.scope;
        self.bodies.push(body);
        for task in &declaration.tasks {
            let path = match prefix {
                "" => task.name.value.clone(),
                prefix => format!("{prefix}.{}", task.name.value),
            };
            let surroundings = match (&task.dir, task.env.as_slice()) {
                (None, []) => Rc::clone(surroundings),
                (dir, env) => Rc::new(surroundings.with(dir.as_ref(), env)),
            };
            let defaults = Defaults {
                priority: task.priority.unwrap_or(defaults.priority),
                if_interrupted: task
                    .if_interrupted
                    .as_ref()
                    .map_or(defaults.if_interrupted, |said| said.value),
                stop_on_unwind: task.stop_on_unwind || defaults.stop_on_unwind,
            };
            let id = self.member(task, path, index, surroundings, defaults);
            self.bodies[index].by_name.insert(&task.name.value, id);
            if task.matrix.is_some() {
                self.members[id].part = Part::Copies;
                self.copies(id, scope);
            } else {
                self.one(id, scope);
            }
        }
        index
    }

    fn member(
        &mut self,
        declaration: &'a TaskDeclaration,
        path: String,
        body: usize,
        surroundings: Rc<Surroundings<'a>>,
        defaults: Defaults,
    ) -> usize {
        let id = self.members.len();
        self.bodies[body].members.push(id);
        self.members.push(Member {
            declaration,
            part: Part::Whole,
            values: Vec::new(),
            path,
            body,
            entry: self.next(),
            exit: self.next(),
            scope: None,
            controller: None,
            inner: None,
            surroundings,
            defaults,
        });
        id
    }

    /// A task, a group, or one copy of either.
    fn one(&mut self, id: usize, scope: ScopeId) {
        match &self.members[id].declaration.kind {
            KindDeclaration::Call { .. } => self.task(id, scope),
            KindDeclaration::Group(inner) => self.group(id, scope, inner),
        }
    }

    fn task(&mut self, id: usize, scope: ScopeId) {
        if self.members[id].declaration.retry.is_none() {
            self.seat(Seat::Task(id, scope));
            return;
        }
        let own = self.scope(Some(scope), Some(id));
        let controller = self.seat(Seat::Controller(own));
        let task = self.seat(Seat::Task(id, own));
        self.close(own);
        let member = &mut self.members[id];
        (member.scope, member.controller, member.exit) = (Some(own), Some(controller), task);
    }

    fn group(&mut self, id: usize, scope: ScopeId, inner: &'a BodyDeclaration) {
        let task = self.members[id].declaration;
        let own = self.scope(Some(scope), Some(id));
        let start = self.seat(Seat::Start(own));
        let tries_once = task.timeout.is_some() || task.allow_failure;
        let controlled = task.retry.is_some() || tries_once;
        let controller = controlled.then(|| self.seat(Seat::Controller(own)));
        let body = Body {
            owner: Some(id),
            scope: own,
            start: Some(start),
            controller,
            retry: task.retry.as_ref(),
            end: None,
            order: inner.order,
            members: Vec::new(),
            by_name: HashMap::new(),
        };
        let (path, surroundings) = (
            self.members[id].path.clone(),
            Rc::clone(&self.members[id].surroundings),
        );
        let body = self.body(body, inner, &path, &surroundings, self.members[id].defaults);
        self.members[id].controller = controller;
        self.finish(id, own, body);
    }

    /// The copies that a matrix makes, side by side in a group of their own.
    fn copies(&mut self, id: usize, scope: ScopeId) {
        let declaration = self.members[id].declaration;
        let Some(matrix) = &declaration.matrix else {
            return;
        };
        let path = self.members[id].path.clone();
        let posted = matches!(self.store, Store::Posted(_));
        let made = matrix::copies(&path, matrix, self.copies, posted, &|name| self.known(name));
        self.depends |= made.depends;
        self.problems.extend(made.problem);
        let own = self.scope(Some(scope), Some(id));
        let start = self.seat(Seat::Start(own));
        let body = self.bodies.len();
        self.bodies.push(Body {
            owner: Some(id),
            scope: own,
            start: Some(start),
            controller: None,
            retry: None,
            end: None,
            order: Order::Graph,
            members: Vec::new(),
            by_name: HashMap::new(),
        });
        let outside = (self.copies, self.around.len());
        self.copies *= made.copies.len();
        for copy in made.copies {
            let path = format!("{path}[{}]", copy.label);
            let surroundings = Rc::clone(&self.members[id].surroundings);
            let defaults = self.members[id].defaults;
            let one = self.member(declaration, path, body, surroundings, defaults);
            self.members[one].part = Part::Copy;
            self.around.extend(copy.values.iter().cloned());
            self.members[one].values = copy.values;
            self.one(one, own);
            self.around.truncate(outside.1);
        }
        self.copies = outside.0;
        self.finish(id, own, body);
    }

    /// Ends a scope with gates.
    fn finish(&mut self, id: usize, own: ScopeId, body: usize) {
        let end = self.seat(Seat::End(own));
        self.bodies[body].end = Some(end);
        self.close(own);
        let member = &mut self.members[id];
        (member.scope, member.inner, member.exit) = (Some(own), Some(body), end);
    }

    /// What is known of a name where a matrix stands.
    fn known(&self, name: &str) -> Known {
        if let Some((_, value)) = self.around.iter().rev().find(|(known, _)| *known == name) {
            return Known::Value(value.clone());
        }
        match self.store {
            Store::Posted(inputs) => match inputs.get(name) {
                Some(value) => Known::Input(value.clone()),
                None => Known::Never,
            },
            Store::Declared(store) => {
                let declared = store.iter().find(|(known, _)| known.value == name);
                match declared.map(|(_, declared)| declared) {
                    Some(declared) if declared.secret => Known::Never,
                    Some(declared) => match &declared.default {
                        Some(value) => Known::Input(value.clone()),
                        None => Known::WhenPosted,
                    },
                    None => Known::Never,
                }
            }
        }
    }

    /// Whether a declaration is laid out more than once.
    pub fn repeats(&self) -> bool {
        self.members.iter().any(|member| member.part == Part::Copy)
    }

    /// The member around this one.
    pub fn around(&self, member: usize) -> Option<usize> {
        self.bodies[self.members[member].body].owner
    }
}
