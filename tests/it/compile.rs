//! Flows in, plans and problems out.

mod drawing;
mod inputs;
mod matrix;
mod plan;
mod size;

use std::fmt::Write as _;

use jobrunner::compile::{AtomKind, Binding, Origin, Plan, compile};
use jobrunner::model::Bundle;
use jobrunner::syntax::{Problem, Severity, arrange, parse};

use crate::kinds::KINDS;
use crate::suite::{KINDS as NAMES, bundle};

/// All that is wrong with a flow, and its plan if it can be run.
pub fn compiled(text: &str) -> (Option<Plan>, Vec<Problem>) {
    compiled_from(&bundle(text))
}

/// The same for a flow of either notation.
pub fn compiled_from(bundle: &Bundle) -> (Option<Plan>, Vec<Problem>) {
    let (flow, mut problems) = parse(bundle, &NAMES);
    let plan = flow.and_then(|flow| {
        let (plan, more) = compile(&flow, &KINDS);
        problems.extend(more);
        plan
    });
    let fine = problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    (plan.filter(|_| fine), arrange(problems))
}

/// The plan of a flow in which nothing is wrong.
pub fn plan(text: &str) -> Plan {
    match compiled(text) {
        (Some(plan), problems) if problems.is_empty() => plan,
        (_, problems) => panic!("{problems:#?}"),
    }
}

/// The codes of what is wrong with a flow, each with the text at its place.
fn codes(text: &str) -> Vec<String> {
    let (_, problems) = compiled(text);
    let shown = problems.iter().map(|problem| {
        let place = text.get(problem.span.range()).unwrap_or("?");
        format!("{} {place}", problem.code)
    });
    shown.collect()
}

/// The graph of a plan: its atoms in their scopes, and what each comes before.
fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    for (index, atom) in plan.atoms.iter().enumerate() {
        let node = petgraph::graph::NodeIndex::new(index);
        let mut after: Vec<_> = plan
            .graph
            .edges(node)
            .map(|edge| {
                let to = petgraph::visit::EdgeRef::target(&edge).index();
                let names = edge.weight().join(",");
                (
                    to,
                    format!(
                        "{}{}",
                        plan.atoms[to].name,
                        if names.is_empty() {
                            names
                        } else {
                            format!("({names})")
                        }
                    ),
                )
            })
            .collect();
        after.sort();
        let after: Vec<_> = after.into_iter().map(|(_, name)| name).collect();
        let needs = match &atom.kind {
            AtomKind::Task(task) => bindings(plan, &task.execute.needs),
            AtomKind::Retry(retry) => bindings(plan, &retry.needs),
            AtomKind::Start | AtomKind::End => String::new(),
        };
        let _ = writeln!(
            text,
            "{}@{} -> {}{needs}",
            atom.name,
            atom.scope.0,
            after.join(" ")
        );
    }
    text
}

fn bindings(plan: &Plan, needs: &[Binding]) -> String {
    let needs = needs.iter().map(|binding| {
        let from = match &binding.origin {
            Origin::Input => "input".to_owned(),
            Origin::Secret => "secret".to_owned(),
            Origin::Provided { atom, name } => format!("{}.{name}", plan.atom(*atom).name),
            Origin::Retry(atom) => plan.atom(*atom).name.clone(),
            Origin::Literal(value) => value.to_string(),
            Origin::List(list) => {
                let items = plan.lists[*list as usize].iter();
                let items = items.map(|origin| {
                    bindings(
                        plan,
                        &[Binding {
                            name: String::new(),
                            origin: origin.clone(),
                        }],
                    )
                });
                items.collect::<Vec<_>>().join(",")
            }
        };
        format!(" [{}: {from}]", binding.name)
    });
    needs.collect()
}
