//! From declarations to a plan.
//!
//! A flow's declaration and the schemas of the task kinds enter; a [`Plan`] leaves, or every [`Problem`] with its
//! place. A plan becomes complete with the inputs of a job ([`Plan::with_inputs`]). Nothing here does I/O, and what
//! comes out is a pure function of what went in.

mod bind;
mod capability;
mod catalog;
mod code;
mod digest;
mod dot;
mod expression;
mod graph;
mod inputs;
mod layout;
mod names;
mod plan;
mod template;
mod tree;
mod uses;

pub use capability::CAPABILITIES;
pub use code::CODES;
pub use dot::dot;
pub use expression::{Expression, ExpressionError, Reference};
pub use inputs::InputProblem;
pub use plan::{
    Action, Atom, AtomKind, Binding, Input, Origin, Plan, Requirement, Retry, RetryTries, Reversal,
    Scope, Task,
};
pub use template::{Piece, Place, Template, TemplateError};
pub use tree::tree;

use crate::model::{Digest, KindSchema};
use crate::syntax::{FlowDeclaration, Problem, Severity};

/// Compiles a flow. The plan has no inputs yet, which is enough to check, draw and describe the flow; it is there if
/// none of the problems is an error.
#[must_use]
pub fn compile(flow: &FlowDeclaration, kinds: &[&KindSchema]) -> (Option<Plan>, Vec<Problem>) {
    let layout = layout::Layout::new(flow);
    let catalog = catalog::Catalog::new(kinds);
    let mut names = names::Names::new(flow, &layout);
    let (atoms, scopes) = bind::bind(flow, &layout, &catalog, &mut names);
    let requirements = capability::read(&flow.capabilities, &mut names);
    let provides = names.handed_out();
    if flow.body.tasks.is_empty() {
        let problem = Problem::error("no-tasks", flow.name.span, "the flow has no tasks");
        names.problems.push(problem);
    }
    names.check_unused();
    let mut problems = std::mem::take(&mut names.problems);
    problems.extend(graph::cycles(&layout, &names.links));
    problems.sort_by_key(|problem| (problem.span.file, problem.span.start));
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return (None, problems);
    }
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
        inputs: indexmap::IndexMap::new(),
        secrets: indexmap::IndexMap::new(),
        provides,
        timeout: flow.timeout.as_ref().map(|said| said.value),
        requirements,
        capabilities: Vec::new(),
        priority: flow.priority,
        digest: Digest(String::new()),
    };
    (Some(plan), problems)
}
