//! The spanned tree to a declaration.
//!
//! A [`Node`] enters, a [`FlowDeclaration`] and problems leave. Whatever can still be understood is taken as it was
//! probably meant, so that one mistake is reported once and everything else is reported too. Expressions and
//! templates stay text. Nothing is looked up.

mod body;
mod flow;
mod keys;
mod matrix;
mod name;
mod read;
mod retry;
mod revert;
mod store;
mod task;
mod value;

pub use name::{RESERVED, is_name};

use super::problem::{Problems, corrected};
use super::{FlowDeclaration, Node, NodeValue, Problem};
use crate::model::{SourceFile, Span};

/// Makes a declaration of the tree of `source`.
///
/// `None` if something that has a name had to be left out, so that looking names up would only mislead.
pub(super) fn lower(
    root: Node,
    source: &SourceFile,
    kinds: &[&str],
    problems: &mut Problems,
) -> Option<FlowDeclaration> {
    let mut lower = Lower {
        source,
        kinds,
        problems,
        complete: true,
    };
    let flow = lower.flow(root);
    flow.filter(|_| lower.complete)
}

/// What every step of lowering needs.
struct Lower<'a> {
    source: &'a SourceFile,
    /// The kind keys of the catalog.
    kinds: &'a [&'a str],
    problems: &'a mut Problems,
    /// Whether everything that has a name is in the declaration.
    complete: bool,
}

impl Lower<'_> {
    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// What the author wrote at a place.
    fn written(&self, span: Span) -> &str {
        self.source.text.get(span.range()).unwrap_or("")
    }

    /// The author's line with the text at `span` replaced: what to write instead. Empty if that is not one short line.
    fn corrected(&self, span: Span, with: &str) -> String {
        corrected(&self.source.text, span, with)
    }

    /// `words`, and the corrected line if there is one.
    fn advice(&self, words: &str, span: Span, with: &str) -> String {
        let line = self.corrected(span, with);
        if line.is_empty() {
            words.to_owned()
        } else if words.is_empty() {
            format!("write: {line}")
        } else {
            format!("{words}: {line}")
        }
    }
}

/// A mapping's entries, or what it is instead.
fn entries(node: Node) -> Result<Vec<(super::Key, Node)>, Node> {
    match node.value {
        NodeValue::Map(entries) => Ok(entries),
        value @ (NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_)) => Err(Node {
            value,
            span: node.span,
        }),
    }
}
