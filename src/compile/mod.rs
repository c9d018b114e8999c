//! From declarations to a plan.
//!
//! A flow's declaration and the schemas of the task kinds enter; a [`Plan`] leaves, or every [`Problem`] with its
//! place. A plan becomes complete with the inputs of a job ([`Plan::with_inputs`]). Nothing here does I/O, and what
//! comes out is a pure function of what went in.

mod bind;
mod capability;
mod catalog;
mod digest;
mod dot;
mod expression;
mod frame;
mod given;
mod graph;
mod inputs;
mod layout;
mod matrix;
mod names;
mod plan;
mod template;
mod tree;
mod uses;
mod values;

pub use capability::CAPABILITIES;
pub use dot::dot;
pub use expression::{Expression, ExpressionError, Reference};
pub(crate) use expression::{FILTERS, TESTS};
pub use inputs::InputProblem;
pub use plan::{
    Action, Atom, AtomKind, Binding, Computed, Form, Input, Origin, Plan, Requirement, Reshaped,
    Retry, RetryTries, Reversal, Scope, Task, Wait,
};
pub use template::{Piece, Place, Template, TemplateError};
pub use tree::{last_part, tree};
pub use values::Leaf;

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{Digest, KindSchema, Value};
use crate::syntax::{
    FlowDeclaration, Problem, ProvidesDeclaration, Severity, TaskDeclaration, code,
};

/// Compiles a flow. The plan has no inputs yet, which is enough to check, draw and describe the flow; it is there if
/// none of the problems is an error.
#[must_use]
pub fn compile(flow: &FlowDeclaration, kinds: &[&KindSchema]) -> (Option<Plan>, Vec<Problem>) {
    compile_with(flow, kinds, None)
}

/// What a plan is compiled from, kept by those that other inputs make another plan of.
#[derive(Debug)]
struct Origins {
    flow: FlowDeclaration,
    kinds: Vec<KindSchema>,
}

impl Origins {
    /// The plan as these inputs make it.
    fn expanded(&self, inputs: &IndexMap<String, Value>) -> (Option<Plan>, Vec<Problem>) {
        let kinds: Vec<_> = self.kinds.iter().collect();
        compile_with(&self.flow, &kinds, Some(inputs))
    }
}

fn compile_with(
    flow: &FlowDeclaration,
    kinds: &[&KindSchema],
    inputs: Option<&IndexMap<String, Value>>,
) -> (Option<Plan>, Vec<Problem>) {
    let layout = layout::Layout::new(flow, inputs);
    let catalog = catalog::Catalog::new(kinds);
    let mut names = names::Names::new(flow, &layout);
    let (atoms, scopes) = bind::bind(flow, &layout, &catalog, &mut names);
    let mut requirements = capability::read(&flow.capabilities, 0, &mut names);
    for member in &layout.members {
        if let Some((made_of, frame)) = member.made_of
            && let Some(flow) = made_of.flow()
        {
            requirements.extend(capability::read(&flow.capabilities, frame, &mut names));
        }
    }
    let provides = names.handed_out();
    if flow.body.tasks.is_empty() {
        let problem = Problem::error(code::NO_TASKS, flow.name.span, "the flow has no tasks");
        names.problems.push(problem);
    }
    names.check_unused();
    let mut problems = std::mem::take(&mut names.problems);
    problems.extend(layout.problems.iter().cloned());
    problems.extend(graph::cycles(&layout, &names.links));
    for problem in &mut problems {
        *problem = flow.library.spoken(problem.clone());
    }
    problems.sort_by_key(|problem| (problem.span.file, problem.span.start));
    if layout.repeats() {
        // What is wrong with one copy is wrong with all of them.
        let mut seen = HashSet::new();
        problems.retain(|problem| seen.insert((problem.code, problem.span)));
    }
    let declarations = layout.members.iter().map(|member| member.declaration);
    let missing: Vec<_> = declarations
        .filter(|declaration| layout.is_missing(declaration))
        .collect();
    if !missing.is_empty() {
        // What such a sub-flow is given, and what it hands out by itself, is not known.
        let by_itself = |task: &&TaskDeclaration| task.provides == ProvidesDeclaration::Nothing;
        let unclear = missing.iter().any(by_itself);
        problems.retain(|problem| match problem.code {
            code::UNUSED_NAME => false,
            code::UNKNOWN_NAME => !unclear,
            _ => true,
        });
    }
    let wrong = |problem: &Problem| problem.severity == Severity::Error;
    if !missing.is_empty() || problems.iter().any(wrong) {
        return (None, problems);
    }
    let origins = layout.depends && inputs.is_none();
    let plan = Plan {
        name: flow.name.value.clone(),
        about: flow.about.clone(),
        atoms,
        scopes,
        graph: graph::build(&layout, &names.links, &names.variables),
        store: flow
            .store
            .iter()
            .map(|(name, declared)| (name.value.clone(), declared.clone()))
            .collect(),
        inputs: IndexMap::new(),
        secrets: IndexMap::new(),
        lists: names.lists,
        computed: names.computed,
        inner_secrets: names.inner_secrets,
        provides,
        timeout: flow.timeout.as_ref().map(|said| said.value),
        requirements,
        capabilities: Vec::new(),
        priority: flow.priority,
        digest: Digest(String::new()),
        origins: origins.then(|| {
            Arc::new(Origins {
                flow: flow.clone(),
                kinds: kinds.iter().map(|kind| **kind).collect(),
            })
        }),
    };
    (Some(plan), problems)
}
