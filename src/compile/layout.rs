//! Where everything of a flow goes: the ids of its atoms and scopes, and who stands in what.
//!
//! Declarations enter; members (tasks and groups) and bodies leave, with ids in file order: a scope's atoms are one
//! range, `[start gate, controller, members…, end gate]`. No name is looked up here.

use std::collections::HashMap;
use std::rc::Rc;

use super::catalog::Surroundings;
use crate::model::{AtomId, IfInterrupted, Priority, ScopeId};
use crate::syntax::{
    Body as BodyDeclaration, FlowDeclaration, KindDeclaration, Order, RetryDeclaration,
    TaskDeclaration,
};

/// A task or a group, in its body.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// As declared.
    pub declaration: &'a TaskDeclaration,
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
    /// A group's body.
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
}

impl<'a> Layout<'a> {
    /// The places of a flow.
    pub fn new(flow: &'a FlowDeclaration) -> Self {
        let mut layout = Self {
            members: Vec::new(),
            bodies: Vec::new(),
            scopes: Vec::new(),
            seats: Vec::new(),
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
            let id = self.members.len();
            let body = &mut self.bodies[index];
            body.members.push(id);
            body.by_name.insert(&task.name.value, id);
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
            self.members.push(Member {
                declaration: task,
                path,
                body: index,
                entry: self.next(),
                exit: self.next(),
                scope: None,
                controller: None,
                inner: None,
                surroundings,
                defaults,
            });
            match &task.kind {
                KindDeclaration::Call { .. } => self.task(id, scope),
                KindDeclaration::Group(inner) => self.group(id, scope, inner),
            }
        }
        index
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
        let end = self.seat(Seat::End(own));
        self.bodies[body].end = Some(end);
        self.close(own);
        let member = &mut self.members[id];
        (member.scope, member.controller, member.inner) = (Some(own), controller, Some(body));
        member.exit = end;
    }

    /// The member around this one.
    pub fn around(&self, member: usize) -> Option<usize> {
        self.bodies[self.members[member].body].owner
    }
}
