//! The digest of a plan: SHA-256 over a canonical form of all that decides what the plan does.
//!
//! A plan enters, a digest leaves. Places in the source are no part of it.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use petgraph::visit::EdgeRef;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Plan;
use crate::model::Digest;

/// The version of the canonical form.
const VERSION: u32 = 1;

/// The digest of a plan.
pub(crate) fn of(plan: &Plan) -> Digest {
    let edges: Vec<_> = plan
        .graph
        .edge_references()
        .map(|edge| {
            (
                plan.graph[edge.source()],
                plan.graph[edge.target()],
                edge.weight(),
            )
        })
        .collect();
    digest(&[
        &VERSION,
        &plan.name,
        &plan.atoms,
        &plan.scopes,
        &edges,
        &plan.store,
        &plan.inputs,
        &plan.secrets,
        &plan.lists,
        &plan.provides,
        &plan.timeout,
        &plan.capabilities,
        &plan.priority,
    ])
}

impl Plan {
    /// A digest of all that the flow says, whatever its inputs: two texts that have the same mean the same.
    #[must_use]
    pub fn outline(&self) -> Digest {
        digest(&[&of(self).0, &self.about, &self.requirements])
    }
}

fn digest(parts: &[&dyn Part]) -> Digest {
    let mut hasher = BufWriter::with_capacity(1 << 16, Hasher(Sha256::new()));
    for part in parts {
        part.write(&mut hasher);
    }
    let hasher = hasher
        .into_inner()
        .unwrap_or_else(|_| unreachable!("hashing cannot fail"));
    let mut text = String::with_capacity(64);
    for byte in hasher.0.finalize() {
        write!(text, "{byte:02x}").expect("writing to memory cannot fail");
    }
    Digest(text)
}

trait Part {
    fn write(&self, to: &mut dyn Write);
}

impl<T: Serialize> Part for T {
    fn write(&self, to: &mut dyn Write) {
        serde_json::to_writer(&mut *to, self)
            .expect("a plan has only text as keys, and hashing cannot fail");
        to.write_all(b"\n").expect("hashing cannot fail");
    }
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
