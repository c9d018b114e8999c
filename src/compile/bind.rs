//! Tasks, retries and scopes as the plan has them: each call read, each name bound.
//!
//! Declarations and their places enter; the plan's atoms and scopes leave, or what is wrong. The graph is built from
//! the links that come of it.

use indexmap::IndexMap;

use super::catalog::{Call, Catalog, Reading, node_text, read_call, read_shape};
use super::graph::scope_of;
use super::layout::{Layout, MadeOf, Member, Part, Seat};
use super::names::{From, Names};
use super::uses::{Found, Spot, Use};
use super::{
    Action, Atom, AtomKind, Expression, Form, Retry, RetryTries, Reversal, Scope, Task, Template,
    matrix,
};
use crate::model::{KindSchema, Shape, SkipDepth, Span, Spanned};
use crate::syntax::{
    FlowDeclaration, KindDeclaration, Node, NodeValue, Problem, ProvidesDeclaration,
    RetryDeclaration, RevertDeclaration, TriesDeclaration, code,
};

mod written;

/// A task of a kind that is written in the language, with its frame.
#[derive(Clone, Copy)]
struct Opened<'m, 'a> {
    index: usize,
    member: &'m Member<'a>,
    frame: usize,
}

/// What is made of a member.
#[derive(Debug, Default)]
struct Bound {
    task: Option<Box<Task>>,
    retry: Option<Box<Retry>>,
    when: Option<Expression>,
    when_needs: Vec<super::Binding>,
}

/// Binds every task: the atoms and the scopes of the plan. They are complete if nothing is wrong.
pub(crate) fn bind<'a>(
    flow: &'a FlowDeclaration,
    layout: &'a Layout<'a>,
    catalog: &Catalog<'a>,
    names: &mut Names<'a>,
) -> (Vec<Atom>, Vec<Scope>) {
    let binder = Binder { catalog };
    let retry = flow.retry.as_ref();
    let flow_retry = retry.and_then(|retry| binder.retry(retry, From::Frame(0), false, names));
    let mut bound = Vec::with_capacity(layout.members.len());
    for body in &layout.bodies {
        if body.order == crate::syntax::Order::List {
            for pair in body.members.windows(2) {
                names.in_turn(pair[0], pair[1]);
            }
        }
    }
    for (index, member) in layout.members.iter().enumerate() {
        if member.part != Part::Copy {
            names.needs(index, &member.declaration.needs);
        }
        bound.push(match member.part {
            Part::Copies => {
                binder.matrix(index, member, names);
                Bound::default()
            }
            Part::Whole | Part::Copy => binder.member(index, member, names),
        });
    }
    let scopes = scopes(flow, layout, &mut bound);
    let mut flow_retry = flow_retry;
    let atoms = layout.seats.iter().map(|seat| {
        let scope = scope_of(*seat);
        let member = layout.scopes[scope.index()].member;
        let name = member.map_or("", |member| &layout.members[member].path);
        let marked = |what: &str| format!("{name}[{what}]");
        let (name, kind) = match *seat {
            Seat::Start(_) => (marked("start"), AtomKind::Start),
            Seat::End(_) => (marked("end"), AtomKind::End),
            Seat::Controller(_) => {
                let retry = match member {
                    Some(member) => bound[member].retry.take(),
                    None => flow_retry.take(),
                };
                (marked("retry"), AtomKind::Retry(retry.unwrap_or_else(once)))
            }
            Seat::Task(member, _) => {
                let task = bound[member].task.take();
                let kind = AtomKind::Task(task.unwrap_or_else(nothing));
                (layout.members[member].path.clone(), kind)
            }
        };
        Atom { name, scope, kind }
    });
    (atoms.collect(), scopes)
}

fn scopes(flow: &FlowDeclaration, layout: &Layout<'_>, bound: &mut [Bound]) -> Vec<Scope> {
    let controllers = |index: usize| {
        let mut seats = layout.scopes[index].first.index()..;
        let own = |seat: &Seat| *seat == Seat::Controller(crate::model::ScopeId(index as u32));
        seats
            .by_ref()
            .take(2)
            .find(|at| layout.seats.get(*at).is_some_and(own))
            .map(|at| crate::model::AtomId(at as u32))
    };
    let scopes = layout.scopes.iter().enumerate().map(|(index, range)| {
        let mut scope = Scope {
            name: flow.name.value.clone(),
            parent: range.parent,
            first: range.first,
            end: range.end,
            controller: controllers(index),
            group: true,
            max_parallel: flow.max_parallel.as_ref().map(|said| said.value),
            timeout: None,
            allow_failure: false,
            when: None,
            skips: SkipDepth::All,
            needs: Vec::new(),
            about: flow.about.clone(),
            form: Form::Tasks,
        };
        if let Some(member) = range.member {
            let place = &layout.members[member];
            let task = place.declaration;
            scope.name.clone_from(&place.path);
            scope.group = place.inner.is_some();
            scope.about.clone_from(&task.about);
            let limit = task.max_parallel.as_ref().map(|said| said.value);
            // A matrix's limit is for all its copies together.
            scope.max_parallel = limit.filter(|_| place.part != Part::Copy);
            if place.part == Part::Copies {
                scope.form = Form::Matrix;
                return scope;
            }
            scope.allow_failure = task.allow_failure;
            let flow = place.made_of.and_then(|(made_of, _)| made_of.flow());
            if let Some(flow) = flow {
                scope.form = match place.made_of {
                    Some((MadeOf::Tasks(kind, _), _)) => Form::Kind(kind.name.value.clone()),
                    Some((MadeOf::Flow(_) | MadeOf::Task(_), _)) | None => {
                        Form::Flow(flow.name.value.clone())
                    }
                };
                scope.about = scope.about.or_else(|| flow.about.clone());
                let limit = flow.max_parallel.as_ref().map(|said| said.value);
                scope.max_parallel = scope.max_parallel.or(limit);
            }
            if scope.group {
                let timeout = flow.and_then(|flow| flow.timeout.as_ref());
                let timeout = task.timeout.as_ref().or(timeout);
                scope.timeout = timeout.map(|said| said.value);
                scope.when = bound[member].when.take();
                scope.skips = depth(task.skips.as_ref());
                scope.needs = std::mem::take(&mut bound[member].when_needs);
            }
        }
        scope
    });
    scopes.collect()
}

fn depth(skips: Option<&Spanned<SkipDepth>>) -> SkipDepth {
    skips.map_or(SkipDepth::All, |said| said.value)
}

/// The retry of a group that has a controller without one.
fn once() -> Box<Retry> {
    Box::new(Retry {
        tries: RetryTries::Times(1),
        variable: None,
        delay: crate::model::Duration::ZERO,
        backoff: 1.0,
        max_delay: None,
        jitter: 0.0,
        on: None,
        revert_all: false,
        needs: Vec::new(),
    })
}

/// The place of a task in which something is wrong; such a plan is never handed out.
fn nothing() -> Box<Task> {
    Box::new(Task {
        about: None,
        written: None,
        execute: Action {
            kind: String::new(),
            params: Template::Literal(crate::model::Value::Null),
            check: None,
            result: None,
            needs: Vec::new(),
        },
        revert: None,
        wait: None,
        when: None,
        when_needs: Vec::new(),
        skips: SkipDepth::All,
        timeout: None,
        provides: IndexMap::new(),
        if_interrupted: crate::model::IfInterrupted::Rerun,
        allow_failure: false,
        stop_on_unwind: false,
        priority: crate::model::Priority::Normal,
    })
}

struct Binder<'c, 'a> {
    catalog: &'c Catalog<'a>,
}

impl<'a> Binder<'_, 'a> {
    /// The names that the values of a matrix use.
    fn matrix(&self, index: usize, member: &Member<'a>, names: &mut Names<'a>) {
        let mut found = Found::default();
        let matrix = member.declaration.matrix.as_ref();
        for (name, node) in matrix.into_iter().flat_map(|matrix| &matrix.axes) {
            matrix::axis(&name.value, node, &mut found);
        }
        finish(found, From::Before(index), names);
    }

    fn member(&self, index: usize, member: &Member<'a>, names: &mut Names<'a>) -> Bound {
        let task = member.declaration;
        let mut bound = Bound::default();
        self.open(index, member, names);
        if let Some(retry) = &task.retry {
            bound.retry = self.retry(retry, From::Before(index), false, names);
        } else if let Some((made_of, frame)) = member.made_of
            && let Some(retry) = made_of.flow().and_then(|flow| flow.retry.as_ref())
        {
            bound.retry = self.retry(retry, From::Frame(frame), false, names);
        }
        let from = match member.inner {
            None => From::Inside(index),
            Some(_) => From::Before(index),
        };
        if let Some(when) = &task.when {
            let mut found = Found::default();
            bound.when = self.condition(when, &mut found);
            bound.when_needs = finish(found, from, names);
        }
        if let (Some(skips), None) = (&task.skips, &task.when) {
            names.problems.push(
                Problem::error(
                    code::SKIPS_WITHOUT_WHEN,
                    skips.span,
                    "`skips` says how far a skip goes, and there is no `when`",
                )
                .help("add `when`, or leave `skips` out"),
            );
        }
        let KindDeclaration::Call { kind, params } = &task.kind else {
            return bound;
        };
        match member.made_of {
            None => {}
            Some((MadeOf::Task(written), frame)) => {
                let opened = Opened {
                    index,
                    member,
                    frame,
                };
                bound.task = self.written(written, opened, names).map(|mut made| {
                    made.when = bound.when.take();
                    made.when_needs = std::mem::take(&mut bound.when_needs);
                    Box::new(made)
                });
                return bound;
            }
            Some((MadeOf::Flow(_) | MadeOf::Tasks(..), _)) => {
                self.is_group(task, names);
                return bound;
            }
        }
        let mut found = self.found(member, names);
        let schema = self.catalog.kind(kind, &mut found);
        let call = schema.and_then(|schema| {
            self.own_surroundings(schema, task.dir.as_ref(), &task.env, &mut found);
            read_call(schema, kind.span, params, &member.surroundings, &mut found)
        });
        let provides = match (schema, &call) {
            (Some(schema), Some(call)) => {
                provides(schema, kind.span, call, &task.provides, &mut found)
            }
            _ => IndexMap::new(),
        };
        let needs = finish(found, from, names);
        let revert = match (&task.revert, schema) {
            (Some(revert), Some(schema)) => {
                self.revert(revert, schema, kind.span, index, member, names)
            }
            _ => None,
        };
        if let Some(Call {
            params,
            check,
            wait,
            ..
        }) = call
        {
            bound.task = Some(Box::new(Task {
                about: task.about.clone(),
                written: None,
                execute: Action {
                    kind: kind.value.clone(),
                    params,
                    check,
                    result: None,
                    needs,
                },
                revert,
                wait,
                when: bound.when.take(),
                when_needs: std::mem::take(&mut bound.when_needs),
                skips: depth(task.skips.as_ref()),
                timeout: task.timeout.as_ref().map(|said| said.value),
                provides,
                if_interrupted: member.defaults.if_interrupted,
                allow_failure: task.allow_failure,
                stop_on_unwind: member.defaults.stop_on_unwind,
                priority: member.defaults.priority,
            }));
        }
        bound
    }

    /// `env` and `dir` on what runs no process.
    fn own_surroundings(
        &self,
        schema: &KindSchema,
        dir: Option<&Node>,
        env: &[(Spanned<String>, Node)],
        found: &mut Found,
    ) {
        if schema.process {
            return;
        }
        let env = env.first().map(|(name, _)| ("env", name.span));
        let dir = dir.map(|node| ("dir", node.span));
        for (key, span) in env.into_iter().chain(dir) {
            let what = format!("`{key}` is for processes, and `{}` runs none", schema.name);
            found.wrong(Problem::error(code::NO_PROCESS, span, what).help("leave it out"));
        }
    }

    fn condition(&self, when: &Spanned<String>, found: &mut Found) -> Option<Expression> {
        let expression = found.expression(&when.value, when.span, Spot::Condition("when"))?;
        if expression.is_constant() {
            let what = format!("`when` is always the same: `{}`", when.value.trim());
            found.wrong(
                Problem::error(code::CONSTANT_WHEN, when.span, what)
                    .help("name a value of the store or of a task in it, or leave it out"),
            );
        }
        Some(expression)
    }

    fn revert(
        &self,
        revert: &'a RevertDeclaration,
        own: &'a KindSchema,
        key: Span,
        index: usize,
        member: &Member<'a>,
        names: &mut Names<'a>,
    ) -> Option<Reversal> {
        let mut found = Found {
            revert: true,
            ..self.found(member, names)
        };
        let (schema, key) = match &revert.kind {
            Some(kind) if names.layout.is_written(kind) => {
                let what = format!(
                    "`{}` is written in the language itself, and what undoes a task is one step",
                    kind.value
                );
                let help = "use a kind that is built in, such as `shell` or `exec`";
                found.wrong(Problem::error(code::WRONG_LEVEL, kind.span, what).help(help));
                (None, kind.span)
            }
            Some(kind) => (self.catalog.kind(kind, &mut found), kind.span),
            None => (Some(own), key),
        };
        let call = schema.and_then(|schema| {
            self.own_surroundings(schema, revert.dir.as_ref(), &revert.env, &mut found);
            let surroundings = member.surroundings.with(revert.dir.as_ref(), &revert.env);
            // A bare value stands where the key of the task's own kind would.
            let key = match revert.kind {
                Some(_) => key,
                None => revert.params.span,
            };
            read_call(schema, key, &revert.params, &surroundings, &mut found)
        });
        let needs = finish(found, From::Inside(index), names);
        let declared = revert.retry.as_ref();
        let retry = declared.and_then(|retry| self.retry(retry, From::Inside(index), true, names));
        Some(Reversal {
            action: Action {
                kind: schema?.name.to_owned(),
                params: call.as_ref()?.params.clone(),
                check: call.and_then(|call| call.check),
                result: None,
                needs,
            },
            retry: retry.map(|retry| *retry),
            timeout: revert.timeout.as_ref().map(|said| said.value),
        })
    }

    fn retry(
        &self,
        retry: &RetryDeclaration,
        from: From,
        revert: bool,
        names: &mut Names<'a>,
    ) -> Option<Box<Retry>> {
        let mut found = Found {
            revert,
            ..Found::default()
        };
        let variable = retry.variable.as_ref();
        let tries = match &retry.tries {
            TriesDeclaration::Times(times) => Some(RetryTries::Times(*times)),
            TriesDeclaration::ForEach(node) => {
                if revert {
                    let what = "a revert is tried again as it is: `for_each` has no meaning for it";
                    found.wrong(
                        Problem::error(code::FOR_EACH_IN_REVERT, node.span, what).help_in(
                            "write `times`, such as `retry: { times: 3, delay: 1s }`",
                            "write `times`, such as `retry { times = 3, delay = 1s }`",
                        ),
                    );
                }
                for_each(node, &mut found).map(RetryTries::ForEach)
            }
        };
        let times = matches!(retry.tries, TriesDeclaration::Times(_));
        if let (true, true, Some(variable)) = (revert, times, variable) {
            let what = format!("`{}` cannot be used in a revert", variable.value);
            found
                .wrong(Problem::error(code::AS_UNUSED, variable.span, what).help("leave `as` out"));
        }
        let on = retry
            .on
            .as_ref()
            .and_then(|on| found.expression(&on.value, on.span, Spot::On));
        Some(Box::new(Retry {
            tries: tries.unwrap_or(RetryTries::Times(1)),
            variable: variable.map(|variable| variable.value.clone()),
            delay: retry.delay,
            backoff: retry.backoff,
            max_delay: retry.max_delay,
            jitter: retry.jitter,
            on,
            revert_all: retry.revert_all,
            needs: finish(found, from, names),
        }))
    }
}

/// The values of a `for_each`: a list, or one template.
fn for_each(node: &Node, found: &mut Found) -> Option<Template> {
    let reading = Reading {
        name: "for_each",
        spot: Spot::Condition("for_each"),
        dialect: None,
    };
    let template = read_shape(Shape::Json, node, reading, found)?;
    let fits = match (&node.value, &template) {
        (NodeValue::List(items), _) => !items.is_empty(),
        (_, Template::Value(_)) => true,
        _ => false,
    };
    if !fits && found.problems.is_empty() {
        let what = match &node.value {
            NodeValue::List(_) => "`for_each` has nothing to try".to_owned(),
            _ => format!("`{}` is no list", node_text(node).unwrap_or("this")),
        };
        found.wrong(
            Problem::error(code::FOR_EACH_NO_LIST, node.span, what)
                .help("write a list of values, or one template whose value is a list"),
        );
    }
    Some(template)
}

/// What a task provides: each name with the expression over the result that gives it.
fn provides(
    kind: &KindSchema,
    key: Span,
    call: &Call,
    declared: &ProvidesDeclaration,
    found: &mut Found,
) -> IndexMap<String, Option<Expression>> {
    let mut provides = IndexMap::new();
    match declared {
        ProvidesDeclaration::Nothing | ProvidesDeclaration::Inner(_) => {}
        ProvidesDeclaration::Whole(name) => {
            if kind.result.is_empty() && kind.whole.is_none() {
                let what = format!(
                    "`{}` gives nothing that could be called `{}`",
                    kind.name, name.value
                );
                found.wrong(
                    Problem::error(code::NOTHING_TO_PROVIDE, name.span, what)
                        .help("leave `provides` out"),
                );
            }
            let field = match (call.json, kind.whole) {
                (true, Some(_)) => Some("json"),
                (_, whole) => whole,
            };
            let expression = field.map(|field| Expression {
                text: field.to_owned(),
            });
            provides.insert(name.value.clone(), expression);
        }
        ProvidesDeclaration::Parts(parts) => {
            for (name, text) in parts {
                let spot = Spot::Result(kind.result);
                if let Some(expression) = found.expression(&text.value, text.span, spot) {
                    provides.insert(name.value.clone(), Some(expression));
                }
            }
        }
    }
    let switch = |kind: &KindSchema| {
        kind.params
            .iter()
            .any(|param| param.name == "json" && param.shape == Shape::Bool)
    };
    let json =
        |one: &&Use| one.name == "json" && matches!(one.spot, Spot::Result(_) | Spot::Check(_));
    if let (true, false, Some(one)) = (switch(kind), call.json, found.uses.iter().find(json)) {
        let what = "`json` is not there: the output is not read as JSON";
        let problem = Problem::error(code::JSON_NOT_READ, one.span, what)
            .related(key, "this gives its output as text")
            .help_in(
                format!(
                    "write `{}: {{ {}: …, json: true }}`",
                    kind.name,
                    kind.shorthand.unwrap_or("…")
                ),
                format!(
                    "write `{} {{ {} = …, json = true }}`",
                    kind.name,
                    kind.shorthand.unwrap_or("…")
                ),
            );
        found.wrong(problem);
    }
    provides
}

fn finish<'a>(found: Found, from: From, names: &mut Names<'a>) -> Vec<super::Binding> {
    names.problems.extend(found.problems);
    let mut needs = names.resolve(found.uses, from);
    needs.extend(found.held);
    needs
}
