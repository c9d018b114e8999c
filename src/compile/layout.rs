//! Where everything of a flow goes: the ids of its atoms and scopes, and who stands in what.
//!
//! Declarations enter; members (tasks and groups) and bodies leave, with ids in file order: a scope's atoms are one
//! range, `[start gate, controller, members…, end gate]`. No name is looked up here.

use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::catalog::Surroundings;
use super::frame::{Frame, Frames};
use super::{given, matrix};
use crate::model::{AtomId, IfInterrupted, Priority, ScopeId, Spanned, Value};
use crate::syntax::{
    Body as BodyDeclaration, FlowDeclaration, KindDeclaration, Library, Order, Problem,
    RetryDeclaration, TaskDeclaration, TaskKindDeclaration, TaskKindForm, code,
};

/// How many tasks and groups there may be, if sub-flows, task kinds or matrices multiply them.
const MOST: usize = 500_000;

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

/// What a member is made of that is declared elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MadeOf<'a> {
    /// A sub-flow.
    Flow(&'a FlowDeclaration),
    /// A task kind of one task.
    Task(&'a TaskKindDeclaration),
    /// A task kind of several tasks, and these.
    Tasks(&'a TaskKindDeclaration, &'a FlowDeclaration),
}

impl<'a> MadeOf<'a> {
    /// The sub-flow that it is.
    pub fn flow(self) -> Option<&'a FlowDeclaration> {
        match self {
            Self::Flow(flow) | Self::Tasks(_, flow) => Some(flow),
            Self::Task(_) => None,
        }
    }
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
    /// A group's body, or that of the copies of a matrix, or of a sub-flow.
    pub inner: Option<usize>,
    /// What it is made of, if that stands elsewhere, and its frame.
    pub made_of: Option<(MadeOf<'a>, usize)>,
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
    /// Where its names end.
    pub frame: usize,
    /// The scope.
    pub scope: ScopeId,
    /// The scope's start gate (groups).
    pub start: Option<AtomId>,
    /// The scope's controller.
    pub controller: Option<AtomId>,
    /// The scope's retry.
    pub retry: Option<&'a RetryDeclaration>,
    /// What the value or the number of its attempt is called, if that can be seen inside.
    pub variable: Option<&'a Spanned<String>>,
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
    /// Where names end.
    pub frames: Frames<'a>,
    library: &'a Library,
    /// The values of the copies around what is laid out now, inner ones last.
    around: Vec<(&'a str, Value)>,
    /// How many copies of the task that is laid out now there are.
    copies: usize,
    full: bool,
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
            frames: Frames::new(&flow.name.value, &flow.store, inputs),
            library: &flow.library,
            around: Vec::new(),
            copies: 1,
            full: false,
        };
        let scope = layout.scope(None, None);
        let controller = flow
            .retry
            .is_some()
            .then(|| layout.seat(Seat::Controller(scope)));
        let body = Body {
            owner: None,
            frame: 0,
            scope,
            start: None,
            controller,
            retry: flow.retry.as_ref(),
            variable: variable(flow.retry.as_ref()),
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
            let defaults = defaults.with(task);
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
            made_of: None,
            surroundings,
            defaults,
        });
        id
    }

    /// A task, a group, or one copy of either.
    fn one(&mut self, id: usize, scope: ScopeId) {
        let declaration = self.members[id].declaration;
        if self.is_full(declaration) {
            self.task(id, scope);
            return;
        }
        match &declaration.kind {
            KindDeclaration::Group(inner) => self.group(id, scope, inner),
            KindDeclaration::Flow { with, .. } => {
                let Some(made_of @ MadeOf::Flow(flow)) = self.made_of(declaration) else {
                    self.task(id, scope);
                    return;
                };
                let written = with.iter().map(|(name, node)| (name.value.as_str(), node));
                let given = given::by_name(&flow.store, written);
                self.sub_flow(id, scope, flow, made_of, given);
            }
            KindDeclaration::Call { params, .. } => {
                let (kind, flow) = match self.made_of(declaration) {
                    Some(MadeOf::Task(kind)) => (kind, None),
                    Some(MadeOf::Tasks(kind, flow)) => (kind, Some(flow)),
                    Some(MadeOf::Flow(_)) | None => {
                        self.task(id, scope);
                        return;
                    }
                };
                let shorthand = kind.shorthand.as_ref().map(|name| name.value.as_str());
                let given = given::by_name(&kind.params, given::written(params, shorthand));
                if let Some(flow) = flow {
                    self.sub_flow(id, scope, flow, MadeOf::Tasks(kind, flow), given);
                    return;
                }
                let frame = self.frame(id, &kind.name.value, "params", &kind.params, given);
                let member = &mut self.members[id];
                member.made_of = Some((MadeOf::Task(kind), frame));
                if let TaskKindForm::Task { task, .. } = &kind.form
                    && declaration.if_interrupted.is_none()
                {
                    member.defaults = member.defaults.with(task);
                }
                self.task(id, scope);
            }
        }
    }

    /// Whether a task is a sub-flow that was not found.
    pub fn is_missing(&self, declaration: &TaskDeclaration) -> bool {
        match &declaration.kind {
            KindDeclaration::Flow { reference, .. } => self.library.flow(reference).is_none(),
            KindDeclaration::Group(_) | KindDeclaration::Call { .. } => false,
        }
    }

    /// What a task is made of, if that is declared elsewhere.
    pub fn made_of(&self, declaration: &TaskDeclaration) -> Option<MadeOf<'a>> {
        match &declaration.kind {
            KindDeclaration::Group(_) => None,
            KindDeclaration::Flow { reference, .. } => {
                self.library.flow(reference).map(MadeOf::Flow)
            }
            KindDeclaration::Call { kind, .. } => {
                let kind = self.library.kind(kind)?;
                Some(match &kind.form {
                    TaskKindForm::Task { .. } => MadeOf::Task(kind),
                    TaskKindForm::Tasks(flow) => MadeOf::Tasks(kind, flow),
                })
            }
        }
    }

    /// Whether a kind is written in the language.
    pub fn is_written(&self, kind: &Spanned<String>) -> bool {
        self.library.kind(kind).is_some()
    }

    fn frame(
        &mut self,
        id: usize,
        name: &'a str,
        what: &'static str,
        store: &'a given::Store,
        given: given::Given<'a>,
    ) -> usize {
        let outer = self.bodies[self.members[id].body].frame;
        self.frames.add(Frame {
            name,
            what,
            store,
            given,
            outer: Some((outer, self.around.clone())),
        })
    }

    /// Whether there are so many tasks that nothing more is opened up.
    fn is_full(&mut self, declaration: &TaskDeclaration) -> bool {
        let multiplied = self.copies > 1 || self.frames.all().len() > 1;
        if self.members.len() < MOST || !multiplied {
            return false;
        }
        if !std::mem::replace(&mut self.full, true) {
            let what =
                format!("there are more than {MOST} tasks, with those of sub-flows and matrices");
            let help = "one of the sub-flows or matrices around it multiplies more than was meant";
            let problem = Problem::error(code::TOO_MANY_TASKS, declaration.name.span, what);
            self.problems.push(problem.help(help));
        }
        true
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
            frame: self.bodies[self.members[id].body].frame,
            scope: own,
            start: Some(start),
            controller,
            retry: task.retry.as_ref(),
            variable: variable(task.retry.as_ref()),
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

    /// A sub-flow: a group in a frame of its own. What is said where it is used goes before what it says itself.
    fn sub_flow(
        &mut self,
        id: usize,
        scope: ScopeId,
        flow: &'a FlowDeclaration,
        made_of: MadeOf<'a>,
        given: given::Given<'a>,
    ) {
        let task = self.members[id].declaration;
        let what = match made_of {
            MadeOf::Flow(_) => "store",
            MadeOf::Task(_) | MadeOf::Tasks(..) => "params",
        };
        let frame = self.frame(id, &flow.name.value, what, &flow.store, given);
        let own = self.scope(Some(scope), Some(id));
        let start = self.seat(Seat::Start(own));
        let retry = task.retry.as_ref().or(flow.retry.as_ref());
        let timeout = task.timeout.is_some() || flow.timeout.is_some();
        let controlled = retry.is_some() || timeout || task.allow_failure;
        let controller = controlled.then(|| self.seat(Seat::Controller(own)));
        let body = Body {
            owner: Some(id),
            frame,
            scope: own,
            start: Some(start),
            controller,
            retry,
            variable: variable(flow.retry.as_ref().filter(|_| task.retry.is_none())),
            end: None,
            order: flow.body.order,
            members: Vec::new(),
            by_name: HashMap::new(),
        };
        let member = &mut self.members[id];
        (member.controller, member.made_of) = (controller, Some((made_of, frame)));
        let (path, defaults) = (member.path.clone(), member.defaults);
        let surroundings = member.surroundings.inside(id);
        let surroundings = Rc::new(surroundings.with(flow.dir.as_ref(), &flow.env));
        let around = std::mem::take(&mut self.around);
        let body = self.body(body, &flow.body, &path, &surroundings, defaults);
        self.around = around;
        self.finish(id, own, body);
    }

    /// The copies that a matrix makes, side by side in a group of their own.
    fn copies(&mut self, id: usize, scope: ScopeId) {
        let declaration = self.members[id].declaration;
        let Some(matrix) = &declaration.matrix else {
            return;
        };
        let path = self.members[id].path.clone();
        let (posted, frame) = (
            self.frames.posted(),
            self.bodies[self.members[id].body].frame,
        );
        let made = matrix::copies(&path, matrix, self.copies, posted, &|name| {
            self.frames.known(frame, &self.around, name)
        });
        self.depends |= made.depends;
        self.problems.extend(made.problem);
        let own = self.scope(Some(scope), Some(id));
        let start = self.seat(Seat::Start(own));
        let body = self.bodies.len();
        self.bodies.push(Body {
            owner: Some(id),
            frame,
            scope: own,
            start: Some(start),
            controller: None,
            retry: None,
            variable: None,
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

    /// Whether a declaration is laid out more than once.
    pub fn repeats(&self) -> bool {
        self.frames.all().len() > 1 || self.members.iter().any(|member| member.part == Part::Copy)
    }

    /// The member around this one.
    pub fn around(&self, member: usize) -> Option<usize> {
        self.bodies[self.members[member].body].owner
    }

    /// The frame in which a member stands.
    pub fn frame_of(&self, member: usize) -> usize {
        self.bodies[self.members[member].body].frame
    }

    /// The group around a body and the body that it stands in, if their names can be seen.
    pub fn outside(&self, body: usize) -> Option<(usize, usize)> {
        let group = self.bodies[body].owner?;
        let outer = self.members[group].body;
        (self.bodies[outer].frame == self.bodies[body].frame).then_some((group, outer))
    }
}

impl Defaults {
    /// These, with what a task or a group says itself.
    fn with(self, task: &TaskDeclaration) -> Self {
        Self {
            priority: task.priority.unwrap_or(self.priority),
            if_interrupted: task
                .if_interrupted
                .as_ref()
                .map_or(self.if_interrupted, |said| said.value),
            stop_on_unwind: task.stop_on_unwind || self.stop_on_unwind,
        }
    }
}

fn variable(retry: Option<&RetryDeclaration>) -> Option<&Spanned<String>> {
    retry.and_then(|retry| retry.variable.as_ref())
}
