//! The spanned tree to a declaration.
//!
//! A [`Node`] enters, a [`FlowDeclaration`] and problems leave. Whatever can still be understood is taken as it was
//! probably meant, so that one mistake is reported once and everything else is reported too. Expressions and
//! templates stay text. Nothing is looked up.

mod body;
mod flow;
mod keys;
mod kind;
mod matrix;
mod name;
mod read;
mod retry;
mod revert;
mod store;
mod task;
mod value;

pub use name::{RESERVED, is_name};

use super::problem::{Problems, corrected, shown};
use super::{FileDeclaration, Kinds, Node, NodeValue, Problem, library};
use crate::model::{SourceFile, Span};

/// Makes a declaration of the tree of `source`.
///
/// `None` if something that has a name had to be left out, so that looking names up would only mislead.
pub(super) fn lower(
    root: Node,
    source: &SourceFile,
    kinds: Kinds<'_>,
    problems: &mut Problems,
) -> Option<FileDeclaration> {
    let mut lower = Lower {
        source,
        kinds: kinds.all,
        built_in: kinds.built_in,
        problems,
        complete: true,
    };
    let declaration = match library::is_task_kind(&source.path) {
        true => lower
            .task_kind(root)
            .map(|kind| FileDeclaration::TaskKind(Box::new(kind))),
        false => lower
            .flow(root)
            .map(|flow| FileDeclaration::Flow(Box::new(flow))),
    };
    declaration.filter(|_| lower.complete)
}

/// What every step of lowering needs.
struct Lower<'a> {
    source: &'a SourceFile,
    /// The kind keys of the catalog.
    kinds: &'a [&'a str],
    /// Those of kinds that are not written in the language.
    built_in: &'a [&'a str],
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

    /// `words`, and the corrected line, or what stands in the place if that line is too long to be shown.
    fn advice(&self, words: &str, span: Span, with: &str) -> String {
        let line = self.corrected(span, with);
        let line = match line.is_empty() {
            true => shown(with),
            false => line,
        };
        if words.is_empty() {
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
