//! The plan's graph, laid out so that the neighbours of a node stand side by side.

use petgraph::visit::EdgeRef;

use crate::compile::Plan;
use crate::model::AtomId;

/// What comes before and after each node.
#[derive(Debug, Clone)]
pub(super) struct Links {
    after: Side,
    before: Side,
}

#[derive(Debug, Clone)]
struct Side {
    starts: Vec<u32>,
    nodes: Vec<AtomId>,
}

impl Side {
    fn new(count: usize, mut edges: Vec<(AtomId, AtomId)>) -> Self {
        edges.sort_unstable();
        edges.dedup();
        let mut starts = vec![0u32; count + 1];
        for (from, _) in &edges {
            starts[from.index() + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let nodes = edges.into_iter().map(|(_, to)| to).collect();
        Self { starts, nodes }
    }

    fn of(&self, node: AtomId) -> &[AtomId] {
        let from = self.starts[node.index()] as usize;
        let to = self.starts[node.index() + 1] as usize;
        &self.nodes[from..to]
    }
}

impl Links {
    pub(super) fn new(plan: &Plan) -> Self {
        let count = plan.atoms.len();
        let edges = |turned: bool| {
            plan.graph
                .edge_references()
                .map(|edge| {
                    let (from, to) = (plan.graph[edge.source()], plan.graph[edge.target()]);
                    if turned { (to, from) } else { (from, to) }
                })
                .collect()
        };
        Self {
            after: Side::new(count, edges(false)),
            before: Side::new(count, edges(true)),
        }
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
