//! A plan as a tree of text: what stands in what, what each task is, and what it waits for.

use std::collections::HashMap;
use std::fmt::Write as _;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::expression::shorten;
use super::{AtomKind, Form, Plan, Retry, RetryTries, Task};
use crate::model::{AtomId, ScopeId, SkipDepth, format_duration};

/// How wide names may become before they push the rest of their line to the right.
const WIDEST: usize = 32;

/// How many names of one kind are told.
const TOLD: usize = 4;

/// The hierarchy of a plan.
#[must_use]
pub fn tree(plan: &Plan) -> String {
    let outline = Outline::new(plan);
    let mut text = plan.name.clone();
    if let Some(about) = &plan.about {
        write!(text, ": {about}").expect("writing to memory cannot fail");
    }
    text.push('\n');
    let mut notes = Vec::new();
    let flow = plan.scope(ScopeId::FLOW);
    notes.extend(
        flow.controller
            .and_then(|id| retry_of(plan, id))
            .map(describe),
    );
    notes.extend(
        plan.timeout
            .map(|timeout| format!("timeout {}", format_duration(timeout))),
    );
    notes.extend(
        flow.max_parallel
            .map(|limit| format!("at most {limit} at once")),
    );
    if !notes.is_empty() {
        text.push_str(&format!("({})\n", notes.join(", ")));
    }
    outline.lines(ScopeId::FLOW, "", &mut text);
    text
}

/// What stands in a scope: a task of its own, or a scope.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// A task.
    Task(AtomId),
    /// A group, or a task with a retry of its own.
    Scope(ScopeId),
}

/// The items of each scope, in file order.
pub(super) fn items(plan: &Plan) -> Vec<Vec<Item>> {
    let mut items: Vec<Vec<Item>> = vec![Vec::new(); plan.scopes.len()];
    let mut opened = 1;
    for (index, atom) in plan.atoms.iter().enumerate() {
        let id = AtomId(index as u32);
        while plan
            .scopes
            .get(opened)
            .is_some_and(|scope| scope.first == id)
        {
            if let Some(parent) = plan.scopes[opened].parent {
                items[parent.index()].push(Item::Scope(ScopeId(opened as u32)));
            }
            opened += 1;
        }
        if let AtomKind::Task(_) = atom.kind {
            items[atom.scope.index()].push(Item::Task(id));
        }
    }
    items
}

/// The last part of a full name: `compile` of `build.compile`, `test[rust=1.80]` of `ci.test[rust=1.80]`.
#[must_use]
pub fn last_part(name: &str) -> &str {
    let mut depth = 0;
    let dot = name.bytes().rposition(|byte| {
        match byte {
            b']' => depth += 1,
            b'[' => depth -= 1,
            _ => {}
        }
        byte == b'.' && depth == 0
    });
    dot.map_or(name, |dot| &name[dot + 1..])
}

/// The retry of a controller, if it is one that a flow wrote.
pub(super) fn retry_of(plan: &Plan, controller: AtomId) -> Option<&Retry> {
    match &plan.atom(controller).kind {
        AtomKind::Retry(retry) if retry.tries != RetryTries::Times(1) => Some(retry),
        AtomKind::Retry(_) | AtomKind::Task(_) | AtomKind::Start | AtomKind::End => None,
    }
}

/// A retry in a few words.
pub(super) fn describe(retry: &Retry) -> String {
    let mut text = match &retry.tries {
        RetryTries::Times(times) => format!("retry times {times}"),
        RetryTries::ForEach(values) => match values.expressions().first() {
            Some(expression) => format!("retry for_each {}", shorten(&expression.text)),
            None => match values.render(&indexmap::IndexMap::new()) {
                Ok(serde_json::Value::Array(values)) => {
                    format!("retry for_each of {} values", values.len())
                }
                Ok(_) | Err(_) => "retry for_each".to_owned(),
            },
        },
    };
    if let Some(variable) = &retry.variable {
        write!(text, " as {variable}").expect("writing to memory cannot fail");
    }
    if !retry.delay.is_zero() {
        write!(text, " after {}", format_duration(retry.delay))
            .expect("writing to memory cannot fail");
    }
    text
}

struct Outline<'p> {
    plan: &'p Plan,
    items: Vec<Vec<Item>>,
    /// By its last atom, the name of each item.
    names: HashMap<AtomId, &'p str>,
}

impl<'p> Outline<'p> {
    fn new(plan: &'p Plan) -> Self {
        let mut names = HashMap::new();
        for (index, atom) in plan.atoms.iter().enumerate() {
            if let AtomKind::Task(_) = atom.kind {
                names.insert(AtomId(index as u32), last_part(&atom.name));
            }
        }
        for scope in plan.scopes.iter().skip(1) {
            names.insert(AtomId(scope.end.0 - 1), last_part(&scope.name));
        }
        Self {
            plan,
            items: items(plan),
            names,
        }
    }

    fn lines(&self, scope: ScopeId, indent: &str, text: &mut String) {
        let items = &self.items[scope.index()];
        // A task with a retry of its own stands in a scope of one: they are one line.
        let lines: Vec<_> = items.iter().map(|item| self.line(*item)).collect();
        let width = lines.iter().map(|(name, _, _)| name.chars().count()).max();
        let width = width.unwrap_or(0).min(WIDEST);
        for (index, (name, notes, inner)) in lines.iter().enumerate() {
            let last = index + 1 == lines.len();
            let (branch, below) = if last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            let line = format!("{indent}{branch}{name:width$}  {notes}");
            text.push_str(line.trim_end());
            text.push('\n');
            if let Some(inner) = inner {
                self.lines(*inner, &format!("{indent}{below}"), text);
            }
        }
    }

    fn line(&self, item: Item) -> (&'p str, String, Option<ScopeId>) {
        let plan = self.plan;
        let mut notes = Vec::new();
        let (name, kind, first, inner) = match item {
            Item::Task(id) => (last_part(&plan.atom(id).name), self.kind(id), id, None),
            Item::Scope(id) if plan.scope(id).group => {
                let scope = plan.scope(id);
                if let Some(when) = &scope.when {
                    notes.push(condition(&when.text, scope.skips));
                }
                notes.extend(
                    scope
                        .controller
                        .and_then(|id| retry_of(plan, id))
                        .map(describe),
                );
                notes.extend(
                    scope
                        .timeout
                        .map(|timeout| format!("timeout {}", format_duration(timeout))),
                );
                notes.extend(
                    scope
                        .max_parallel
                        .map(|limit| format!("at most {limit} at once")),
                );
                notes.extend(scope.allow_failure.then(|| "may fail".to_owned()));
                let what = match &scope.form {
                    Form::Tasks => "group",
                    Form::Matrix => "matrix",
                    Form::Flow(_) => "flow",
                    Form::Kind(kind) => kind.as_str(),
                };
                (last_part(&scope.name), what, scope.first, Some(id))
            }
            Item::Scope(id) => {
                let scope = plan.scope(id);
                let task = AtomId(scope.end.0 - 1);
                notes.extend(
                    scope
                        .controller
                        .and_then(|id| retry_of(plan, id))
                        .map(describe),
                );
                self.task_notes(task, &mut notes);
                (last_part(&scope.name), self.kind(task), scope.first, None)
            }
        };
        if let Item::Task(id) = item {
            self.task_notes(id, &mut notes);
        }
        notes.extend(self.before(first));
        let notes = match notes.is_empty() {
            true => kind.to_owned(),
            false => format!("{kind:6} {}", notes.join(", ")),
        };
        (name, notes, inner)
    }

    fn kind(&self, id: AtomId) -> &'p str {
        self.plan.task(id).map_or("", Task::kind)
    }

    fn task_notes(&self, id: AtomId, notes: &mut Vec<String>) {
        let Some(task) = self.plan.task(id) else {
            return;
        };
        if let Some(when) = &task.when {
            notes.push(condition(&when.text, task.skips));
        }
        notes.extend(
            task.timeout
                .map(|timeout| format!("timeout {}", format_duration(timeout))),
        );
        notes.extend(task.allow_failure.then(|| "may fail".to_owned()));
        if !task.provides.is_empty() {
            notes.push(format!(
                "provides {}",
                several(task.provides.keys().map(String::as_str))
            ));
        }
        notes.extend(task.revert.is_some().then(|| "with revert".to_owned()));
    }

    /// What an item waits for, of what stands beside it.
    fn before(&self, first: AtomId) -> Option<String> {
        let node = NodeIndex::new(first.index());
        let mut before: Vec<_> = self
            .plan
            .graph
            .neighbors_directed(node, Direction::Incoming)
            .filter_map(|node| {
                let id = self.plan.graph[node];
                Some((id, *self.names.get(&id)?))
            })
            .collect();
        before.sort_unstable();
        (!before.is_empty()).then(|| {
            format!(
                "after {}",
                several(before.into_iter().map(|(_, name)| name))
            )
        })
    }
}

fn several<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    match names.len() {
        0..=TOLD => names.join(" "),
        more => format!("{} and {} more", names[..TOLD].join(" "), more - TOLD),
    }
}

fn condition(when: &str, skips: SkipDepth) -> String {
    let skips = match skips {
        SkipDepth::All => "",
        SkipDepth::Flow => " (else skips what comes after in its group)",
        SkipDepth::Neighbors => " (else skips what comes next)",
        SkipDepth::Task => " (else skips it alone)",
    };
    format!("when {}{skips}", shorten(when))
}
