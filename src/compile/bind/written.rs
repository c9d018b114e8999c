//! Sub-flows and task kinds that are written in the language, where they are used.
//!
//! What they are given is bound with the names of that place, what they consist of with their own.

use indexmap::IndexMap;

use super::{Binder, Opened, finish, provides};
use crate::compile::catalog::read_call;
use crate::compile::layout::{MadeOf, Member, Part};
use crate::compile::names::{From, Names};
use crate::compile::uses::{Found, Spot};
use crate::compile::{Action, Expression, Reshaped, Reversal, Task, Template};
use crate::model::{KindSchema, SkipDepth, Spanned, Value};
use crate::syntax::{
    KindDeclaration, NodeValue, Problem, ProvidesDeclaration, ResultDeclaration, RevertDeclaration,
    TaskDeclaration, TaskKindDeclaration, TaskKindForm, code,
};

/// The parameter by which processes are told which programs they need.
const REQUIRES: &str = "requires";

impl<'a> Binder<'_, 'a> {
    /// Binds what a member that is made of something else is given.
    pub(super) fn open(&self, index: usize, member: &Member<'a>, names: &mut Names<'a>) {
        let Some((made_of, frame)) = member.made_of else {
            return;
        };
        let from = match made_of {
            MadeOf::Task(_) => From::Inside(index),
            MadeOf::Flow(_) | MadeOf::Tasks(..) => From::Within(index),
        };
        names.hold(index, member, from);
        match &member.declaration.kind {
            KindDeclaration::Group(_) => {}
            KindDeclaration::Flow { reference, with } => {
                let written = with
                    .iter()
                    .map(|(name, _)| (name.value.as_str(), name.span));
                names.open(frame, from, reference.span, written);
            }
            KindDeclaration::Call { kind, params } => {
                let entries = match &params.value {
                    NodeValue::Map(entries) => entries.as_slice(),
                    NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => &[],
                };
                let written = entries.iter().map(|(key, _)| (key.text.as_str(), key.span));
                let (MadeOf::Task(declared) | MadeOf::Tasks(declared, _)) = made_of else {
                    names.open(frame, from, kind.span, written);
                    return;
                };
                let bare = matches!(params.value, NodeValue::Scalar { .. } | NodeValue::List(_));
                if bare && declared.shorthand.is_none() {
                    // What else is missing is no news then.
                    let before = names.problems.len();
                    names.open(frame, from, kind.span, written);
                    names.problems.truncate(before);
                    let what = format!("`{}` wants a mapping of its parameters", kind.value);
                    let known = declared.params.iter().map(|(name, _)| name.value.as_str());
                    let help = format!("it has {}", known.collect::<Vec<_>>().join(", "));
                    let problem = Problem::error(code::WRONG_SHAPE, params.span, what).help(help);
                    names.problems.push(problem);
                } else {
                    names.open(frame, from, kind.span, written);
                }
            }
        }
    }

    /// What is found in a member, with the texts around it at hand.
    pub(super) fn found(&self, member: &Member<'a>, names: &Names<'a>) -> Found {
        let outer = member.surroundings.all().filter_map(|said| said.outer());
        Found {
            outer: names.held(outer),
            ..Found::default()
        }
    }

    /// What does not go together with several tasks.
    pub(super) fn is_group(&self, task: &TaskDeclaration, names: &mut Names<'a>) {
        if let Some(revert) = &task.revert {
            let what = "it consists of several tasks, which are undone one by one; it has no `revert` of its own";
            let problem = Problem::error(code::WRONG_LEVEL, revert.params.span, what);
            names.problems.push(problem.help("leave it out"));
        }
    }

    /// A task of a kind that is written in the language.
    pub(super) fn written(
        &self,
        kind: &'a TaskKindDeclaration,
        opened: Opened<'_, 'a>,
        names: &mut Names<'a>,
    ) -> Option<Task> {
        let Opened {
            index,
            member,
            frame,
        } = opened;
        let task = member.declaration;
        let TaskKindForm::Task {
            task: inner,
            result,
        } = &kind.form
        else {
            return None;
        };
        let KindDeclaration::Call {
            kind: key,
            params: node,
        } = &inner.kind
        else {
            return None;
        };
        if let (Some(limit), Part::Whole) = (&task.max_parallel, member.part) {
            let what = "`max_parallel` is for flows, groups and matrices, and means nothing on a single task";
            let problem = Problem::error(code::WRONG_LEVEL, limit.span, what);
            names
                .problems
                .push(problem.help("put it on the flow, or on the group that the task stands in"));
        }
        let surroundings = member.surroundings.inside(index);
        let surroundings = surroundings.with(inner.dir.as_ref(), &inner.env);
        let outer = || surroundings.all().filter_map(|said| said.outer());
        let mut found = Found {
            outer: names.held(outer()),
            ..Found::default()
        };
        let schema = self.catalog.kind(key, &mut found)?;
        self.own_surroundings(schema, inner.dir.as_ref(), &inner.env, &mut found);
        self.own_surroundings(schema, task.dir.as_ref(), &task.env, &mut found);
        let call = read_call(schema, key.span, node, &surroundings, &mut found);
        let reshaped = result
            .as_ref()
            .and_then(|result| reshaped(result, schema, &mut found));
        let call_provides = match (&call, result) {
            (Some(call), None) => provides(
                schema,
                key.span,
                call,
                &task.provides,
                &mut Found::default(),
            ),
            _ => IndexMap::new(),
        };
        let needs = finish(found, From::Frame(frame), names);
        let provides = match result {
            None => self.provided_as_it_is(schema, kind, call_provides, task, names),
            Some(result) => provided(result, kind, &task.provides, names),
        };
        let revert = match (&task.revert, &inner.revert) {
            (Some(own), _) => self.own_revert(own, schema, index, member, names),
            (None, Some(declared)) => {
                let mut found = Found {
                    revert: true,
                    outer: names.held(outer()),
                    ..Found::default()
                };
                let (revert_schema, place) = match &declared.kind {
                    Some(key) => (self.catalog.kind(key, &mut found), key.span),
                    None => (Some(schema), declared.params.span),
                };
                let call = revert_schema.and_then(|schema| {
                    self.own_surroundings(schema, declared.dir.as_ref(), &declared.env, &mut found);
                    let surroundings = surroundings.with(declared.dir.as_ref(), &declared.env);
                    read_call(schema, place, &declared.params, &surroundings, &mut found)
                });
                let needs = finish(found, From::Frame(frame), names);
                let retry = declared.retry.as_ref();
                let retry =
                    retry.and_then(|retry| self.retry(retry, From::Frame(frame), true, names));
                match (revert_schema, call) {
                    (Some(schema), Some(call)) => Some(Reversal {
                        action: Action {
                            kind: schema.name.to_owned(),
                            params: requiring(call.params, schema, kind),
                            check: call.check,
                            result: None,
                            needs,
                        },
                        retry: retry.map(|retry| *retry),
                        timeout: declared.timeout.as_ref().map(|said| said.value),
                    }),
                    _ => None,
                }
            }
            (None, None) => None,
        };
        let call = call?;
        let timeout = task.timeout.as_ref().or(inner.timeout.as_ref());
        Some(Task {
            about: task.about.clone().or_else(|| kind.about.clone()),
            written: Some(kind.name.value.clone()),
            execute: Action {
                kind: schema.name.to_owned(),
                params: requiring(call.params, schema, kind),
                check: call.check,
                result: reshaped,
                needs,
            },
            revert,
            wait: call.wait,
            when: None,
            when_needs: Vec::new(),
            skips: task
                .skips
                .as_ref()
                .map_or(SkipDepth::All, |said| said.value),
            timeout: timeout.map(|said| said.value),
            provides,
            if_interrupted: member.defaults.if_interrupted,
            allow_failure: task.allow_failure,
            stop_on_unwind: member.defaults.stop_on_unwind,
            priority: member.defaults.priority,
        })
    }

    /// What undoes a task is said where it is used, in place of what its kind would do.
    fn own_revert(
        &self,
        own: &'a RevertDeclaration,
        schema: &'a KindSchema,
        index: usize,
        member: &Member<'a>,
        names: &mut Names<'a>,
    ) -> Option<Reversal> {
        if own.kind.is_none() {
            let what = "this `revert` does not say what it does";
            let problem = Problem::error(code::NO_KIND, own.params.span, what);
            names.problems.push(
                problem.help_in("write it with its kind, such as `revert: { shell: … }`, or leave it out: the kind knows what undoes it", "write it with its kind, such as `revert { shell = … }`, or leave it out: the kind knows what undoes it"),
            );
            return None;
        }
        self.revert(own, schema, own.params.span, index, member, names)
    }

    /// What a task provides whose result is that of the kind that it is made of.
    fn provided_as_it_is(
        &self,
        schema: &KindSchema,
        kind: &TaskKindDeclaration,
        read: IndexMap<String, Option<Expression>>,
        task: &TaskDeclaration,
        names: &mut Names<'a>,
    ) -> IndexMap<String, Option<Expression>> {
        let fields: Vec<&str> = schema.result.to_vec();
        match &task.provides {
            ProvidesDeclaration::Parts(parts) => of_fields(&fields, kind, parts, names),
            ProvidesDeclaration::Whole(_) => read,
            ProvidesDeclaration::Nothing => IndexMap::new(),
            ProvidesDeclaration::Inner(listed) => {
                no_list(listed, kind, names);
                IndexMap::new()
            }
        }
    }
}

/// The parameters of a process, with the programs that the kind needs.
fn requiring(params: Template, schema: &KindSchema, kind: &TaskKindDeclaration) -> Template {
    let takes = schema.params.iter().any(|param| param.name == REQUIRES);
    match params {
        Template::Map(mut params) if takes && !kind.requires.is_empty() => {
            let tools = kind.requires.iter();
            let tools = tools.map(|tool| Value::from(tool.value.as_str()));
            // What its process names besides comes behind them.
            let tools = match params.shift_remove(REQUIRES) {
                None => Template::Literal(tools.collect()),
                Some(more) => {
                    let tools = tools.map(Template::Literal);
                    Template::Argv(match more {
                        Template::Literal(Value::Array(more)) => tools
                            .chain(more.into_iter().map(Template::Literal))
                            .collect(),
                        Template::List(more) => tools.chain(more).collect(),
                        one => tools.chain([one]).collect(),
                    })
                }
            };
            params.insert(REQUIRES.to_owned(), tools);
            Template::Map(params)
        }
        params => params,
    }
}

/// What a kind makes of a result.
fn reshaped(
    result: &ResultDeclaration,
    schema: &KindSchema,
    found: &mut Found,
) -> Option<Reshaped> {
    let spot = Spot::Check(schema.result);
    let mut read = |text: &Spanned<String>| found.expression(&text.value, text.span, spot);
    Some(match result {
        ResultDeclaration::Value(text) => Reshaped::Value(read(text)?),
        ResultDeclaration::Fields(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, text)| Some((name.value.clone(), read(text)?)));
            Reshaped::Fields(fields.collect::<Option<_>>()?)
        }
    })
}

/// What a task provides of the result that its kind declares.
fn provided(
    result: &ResultDeclaration,
    kind: &TaskKindDeclaration,
    declared: &ProvidesDeclaration,
    names: &mut Names<'_>,
) -> IndexMap<String, Option<Expression>> {
    let fields: Vec<&str> = match result {
        ResultDeclaration::Value(_) => Vec::new(),
        ResultDeclaration::Fields(fields) => {
            fields.iter().map(|(name, _)| name.value.as_str()).collect()
        }
    };
    match declared {
        ProvidesDeclaration::Nothing => IndexMap::new(),
        ProvidesDeclaration::Whole(name) => IndexMap::from([(name.value.clone(), None)]),
        ProvidesDeclaration::Parts(parts) => of_fields(&fields, kind, parts, names),
        ProvidesDeclaration::Inner(listed) => {
            no_list(listed, kind, names);
            IndexMap::new()
        }
    }
}

fn of_fields(
    fields: &[&str],
    kind: &TaskKindDeclaration,
    parts: &[(Spanned<String>, Spanned<String>)],
    names: &mut Names<'_>,
) -> IndexMap<String, Option<Expression>> {
    let mut provides = IndexMap::new();
    for (name, text) in parts {
        match Expression::parse(&text.value, text.span) {
            Err(problem) => names.problems.push(problem),
            Ok(expression) => {
                for reference in expression.references() {
                    let known = fields.contains(&reference.name.as_str())
                        || reference.name == "result"
                        || crate::compile::expression::FUNCTIONS.contains(&reference.name.as_str());
                    if known {
                        continue;
                    }
                    let what = format!(
                        "the result of `{}` has no `{}`",
                        kind.name.value, reference.name
                    );
                    let known = fields.iter().copied().chain(["result"]);
                    let help = format!("it has {}", known.collect::<Vec<_>>().join(", "));
                    names
                        .problems
                        .push(Problem::error(code::UNKNOWN_NAME, text.span, what).help(help));
                }
                provides.insert(name.value.clone(), Some(expression));
            }
        }
    }
    provides
}

fn no_list(listed: &[Spanned<String>], kind: &TaskKindDeclaration, names: &mut Names<'_>) {
    let Some(first) = listed.first() else { return };
    let what = format!(
        "a list under `provides` is for groups, and `{}` is one task",
        kind.name.value
    );
    let yaml = format!(
        "write `provides: {0}` for the whole result, or `provides: {{ {0}: expression }}` for parts",
        first.value
    );
    let text = format!(
        "write `provides = {0}` for the whole result, or `provides {{ {0} = expression }}` for parts",
        first.value
    );
    names
        .problems
        .push(Problem::error(code::WRONG_SHAPE, first.span, what).help_in(yaml, text));
}
