//! The graph of atoms: what must be done before what.
//!
//! Links between the members of each body enter; a graph leaves, or every cycle with the whole path of it. What
//! crosses the border of a group goes from gate to gate, so a wide list of groups stays a list.

use std::collections::VecDeque;

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::layout::{Layout, Seat};
use super::names::{Link, Why};
use crate::model::AtomId;
use crate::syntax::{Problem, code};

/// How many places of a cycle are shown; all of them are named.
const SHOWN: usize = 12;

/// The graph: node `n` is atom `n`.
pub(crate) fn build(
    layout: &Layout<'_>,
    links: &[Link],
    variables: &[(AtomId, AtomId, &str)],
) -> DiGraph<AtomId, Vec<String>> {
    let members = &layout.members;
    let mut before = vec![false; members.len()];
    let mut after = vec![false; members.len()];
    let mut edges: Vec<(AtomId, AtomId, Option<&str>)> = Vec::new();
    for link in links {
        before[link.to] = true;
        after[link.from] = true;
        edges.push((
            members[link.from].exit,
            members[link.to].entry,
            link.name.as_deref(),
        ));
    }
    edges.extend(
        variables
            .iter()
            .map(|(from, to, name)| (*from, *to, Some(*name))),
    );
    for body in &layout.bodies {
        if let (Some(start), Some(controller)) = (body.start, body.controller) {
            edges.push((start, controller, None));
        }
        for &member in &body.members {
            if let (Some(first), false) = (body.controller.or(body.start), before[member]) {
                edges.push((first, members[member].entry, None));
            }
            if let (Some(end), false) = (body.end, after[member]) {
                edges.push((members[member].exit, end, None));
            }
        }
    }
    for member in members {
        if let (Some(controller), None) = (member.controller, member.inner) {
            edges.push((controller, member.exit, None));
        }
    }
    edges.sort_unstable();
    let mut graph = DiGraph::with_capacity(layout.seats.len(), edges.len());
    for index in 0..layout.seats.len() {
        graph.add_node(AtomId(index as u32));
    }
    for same in edges.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let mut names: Vec<String> = same
            .iter()
            .filter_map(|edge| edge.2.map(str::to_owned))
            .collect();
        names.dedup();
        let node = |atom: AtomId| NodeIndex::new(atom.index());
        graph.add_edge(node(same[0].0), node(same[0].1), names);
    }
    graph
}

/// Every cycle among the members.
pub(crate) fn cycles(layout: &Layout<'_>, links: &[Link]) -> Vec<Problem> {
    let mut graph: DiGraph<usize, &Link> =
        DiGraph::with_capacity(layout.members.len(), links.len());
    for member in 0..layout.members.len() {
        graph.add_node(member);
    }
    for link in links {
        graph.add_edge(NodeIndex::new(link.from), NodeIndex::new(link.to), link);
    }
    if toposort(&graph, None).is_ok() {
        return Vec::new();
    }
    let mut components = kosaraju_scc(&graph);
    components.retain(|component| component.len() > 1);
    for component in &mut components {
        component.sort_unstable();
    }
    components.sort_unstable();
    let mut inside = vec![usize::MAX; layout.members.len()];
    for (index, component) in components.iter().enumerate() {
        for node in component {
            inside[node.index()] = index;
        }
    }
    components
        .iter()
        .filter_map(|component| shortest(&graph, component[0], &inside))
        .map(|path| told(layout, &path))
        .collect()
}

/// A shortest way from a node back to itself, as the links along it.
fn shortest<'g>(
    graph: &DiGraph<usize, &'g Link>,
    start: NodeIndex,
    inside: &[usize],
) -> Option<Vec<&'g Link>> {
    let mut came: Vec<Option<(NodeIndex, &Link)>> = vec![None; graph.node_count()];
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for edge in graph.edges(node) {
            let next = edge.target();
            if inside[next.index()] != inside[start.index()] || came[next.index()].is_some() {
                continue;
            }
            came[next.index()] = Some((node, *edge.weight()));
            if next == start {
                let mut path = Vec::new();
                let mut at = start;
                loop {
                    let (from, link) = came[at.index()]?;
                    path.push(link);
                    at = from;
                    if at == start {
                        return Some(path);
                    }
                }
            }
            open.push_back(next);
        }
    }
    None
}

/// The cycle in words, beginning at the task that stands first in the file: each needs the next.
fn told(layout: &Layout<'_>, path: &[&Link]) -> Problem {
    let name = |member: usize| layout.members[member].path.as_str();
    let because = |link: &Link| {
        let (consumer, from) = (name(link.consumer), name(link.from));
        match (link.why, &link.name) {
            (Why::Needs, _) | (_, None) if link.why != Why::List => {
                format!("`{consumer}` needs `{from}`")
            }
            (Why::List, _) => format!("`{consumer}` stands after `{from}`"),
            (Why::RevertUses, Some(used)) => {
                format!("the revert of `{consumer}` uses `{used}` of `{from}`")
            }
            (_, Some(used)) if used == from => {
                format!("`{consumer}` uses what `{from}` provides")
            }
            (_, Some(used)) => format!("`{consumer}` uses `{used}` of `{from}`"),
            (_, None) => format!("`{consumer}` needs `{from}`"),
        }
    };
    let revert = path.iter().find(|link| link.why == Why::RevertUses);
    let mut tasks: Vec<&str> = path.iter().map(|link| name(link.to)).collect();
    tasks.push(name(path[path.len() - 1].from));
    let way = tasks
        .iter()
        .map(|task| format!("`{task}`"))
        .collect::<Vec<_>>()
        .join(" → ");
    let mut problem = match revert {
        Some(link) => Problem::error(
            code::REVERT_NEEDS_LATER,
            link.span,
            format!(
                "the revert of `{}` needs what comes after it: {way}",
                name(link.consumer)
            ),
        )
        .label(because(link))
        .help("a revert can use what comes before its task, and what the task itself provides"),
        None => Problem::error(
            code::CYCLE,
            path[0].span,
            format!("these wait for each other: {way}"),
        )
        .label(because(path[0]))
        .help("take one of these needs away"),
    };
    for link in path
        .iter()
        .filter(|link| link.span != problem.span)
        .take(SHOWN)
    {
        problem.related.push((link.span, because(link)));
    }
    problem
}

/// The scope in which an atom stands.
pub(crate) fn scope_of(seat: Seat) -> crate::model::ScopeId {
    match seat {
        Seat::Start(scope) | Seat::Controller(scope) | Seat::Task(_, scope) | Seat::End(scope) => {
            scope
        }
    }
}
