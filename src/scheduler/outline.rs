//! The plan as every step asks for it: what each node is and what stands beside it, laid out so that a cache line
//! holds several. What a task says in full stays in the plan, and is read only where there is something to evaluate.

use petgraph::visit::EdgeRef;

use super::queue::Lane;
use crate::compile::{AtomKind, Plan, Task};
use crate::model::{AtomId, ScopeId};

/// The nodes of a plan, and their neighbours.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    nodes: Vec<Node>,
    after: Neighbours,
    before: Neighbours,
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The scope that it stands in.
    pub(super) scope: ScopeId,
    pub(super) role: Role,
    /// Where it queues up to be executed.
    pub(super) lane: Lane,
    /// Nothing is evaluated for it, forward or backward: no condition, no wait, no names.
    pub(super) plain: bool,
}

/// [`AtomKind`] without what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Task,
    Controller,
    Start,
    End,
}

impl Node {
    /// Runs nothing and has no row: a group's start or end.
    pub(super) fn is_gate(self) -> bool {
        match self.role {
            Role::Start | Role::End => true,
            Role::Task | Role::Controller => false,
        }
    }
}

impl Outline {
    pub(super) fn new(plan: &Plan) -> Self {
        let nodes = plan.atoms.iter().map(|atom| Node {
            scope: atom.scope,
            role: match atom.kind {
                AtomKind::Task(_) => Role::Task,
                AtomKind::Retry(_) => Role::Controller,
                AtomKind::Start => Role::Start,
                AtomKind::End => Role::End,
            },
            lane: Lane::of(&atom.kind),
            plain: match &atom.kind {
                AtomKind::Task(task) => is_plain(task),
                AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => false,
            },
        });
        let edges = plan.graph.edge_references();
        let edges = edges.map(|edge| (plan.graph[edge.source()], plan.graph[edge.target()]));
        let mut edges: Vec<(AtomId, AtomId)> = edges.collect();
        let count = plan.atoms.len();
        let after = Neighbours::new(count, &mut edges);
        for edge in &mut edges {
            *edge = (edge.1, edge.0);
        }
        Self {
            nodes: nodes.collect(),
            after,
            before: Neighbours::new(count, &mut edges),
        }
    }

    /// What `node` is.
    pub(super) fn node(&self, node: AtomId) -> Node {
        self.nodes[node.index()]
    }

    /// All nodes, in file order.
    pub(super) fn ids(&self) -> impl Iterator<Item = AtomId> + use<> {
        (0..self.nodes.len() as u32).map(AtomId)
    }

    /// The nodes directly after `node`, in file order.
    pub(super) fn after(&self, node: AtomId) -> &[AtomId] {
        self.after.of(node)
    }

    /// The nodes directly before `node`, in file order.
    pub(super) fn before(&self, node: AtomId) -> &[AtomId] {
        self.before.of(node)
    }
}

fn is_plain(task: &Task) -> bool {
    let reverted = task.revert.as_ref().map(|reversal| &reversal.action);
    task.when.is_none()
        && task.wait.is_none()
        && task.execute.needs.is_empty()
        && reverted.is_none_or(|action| action.needs.is_empty())
}

/// One direction of the graph: the neighbours of all nodes in one list, and where those of each begin in it.
#[derive(Debug, Clone)]
struct Neighbours {
    starts: Vec<u32>,
    nodes: Vec<AtomId>,
}

impl Neighbours {
    fn new(count: usize, edges: &mut Vec<(AtomId, AtomId)>) -> Self {
        edges.sort_unstable();
        edges.dedup();
        let mut starts = vec![0u32; count + 1];
        for (from, _) in &*edges {
            starts[from.index() + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let nodes = edges.iter().map(|(_, to)| *to).collect();
        Self { starts, nodes }
    }

    fn of(&self, node: AtomId) -> &[AtomId] {
        let from = self.starts[node.index()] as usize;
        let to = self.starts[node.index() + 1] as usize;
        &self.nodes[from..to]
    }
}
