//! From text to declarations.
//!
//! Text of either notation becomes one spanned tree ([`Node`]), and that becomes declarations. Whatever is wrong
//! becomes a [`Problem`] with its place; all of a file's problems are reported at once. No name is looked up here.

pub mod code;
mod declaration;
mod keys;
mod lower;
mod node;
mod notation;
mod position;
mod problem;
mod scalar;
mod source;
mod text;
mod yaml;

pub use declaration::{
    Body, CapabilityDeclaration, FlowDeclaration, KindDeclaration, MatrixDeclaration, Order,
    ProvidesDeclaration, RetryDeclaration, RevertDeclaration, TaskDeclaration, TriesDeclaration,
};
pub use keys::{KeyInfo, Level, Takes};
pub use lower::{RESERVED as RESERVED_NAMES, is_name};
pub use node::{Key, Node, NodeValue, Style};
pub use notation::Notation;
pub use position::{LineIndex, Position};
pub use problem::{MAX_PROBLEMS, Problem, Problems, Severity, arrange, did_you_mean, shown};
pub use scalar::{Ambiguity, ambiguity, plain_value};
pub use source::{MAX_SOURCE_BYTES, read_source};

use crate::model::{Bundle, Span};

/// Reads the flow of a bundle. `kinds` are the names of the task kinds that there are.
///
/// The declaration is there whenever every name of the file is in it, whatever else is wrong: looking names up then
/// finds the rest of what is wrong. A flow can be run if none of the problems is an error. The problems are arranged
/// (see [`arrange`]).
#[must_use]
pub fn parse(bundle: &Bundle, kinds: &[&str]) -> (Option<FlowDeclaration>, Vec<Problem>) {
    let mut problems = Problems::default();
    let Some(source) = bundle.files.first() else {
        let nothing = Problem::error(code::EMPTY_FILE, Span::default(), "there is no flow")
            .help("name a file: NAME.flow.yaml or NAME.flow");
        return (None, vec![nothing]);
    };
    if source.text.len() > MAX_SOURCE_BYTES {
        return (None, vec![source::too_large(&source.path)]);
    }
    let flow = match Notation::of_file(source) {
        Notation::Yaml => yaml::read(0, &source.text, &mut problems)
            .and_then(|root| lower::lower(root, source, kinds, &mut problems)),
        Notation::Text => {
            let read = text::read(0, &source.text, &mut problems);
            let mut more = Problems::default();
            let flow = read
                .root
                .and_then(|root| lower::lower(root, source, kinds, &mut more));
            problems.extend_beside(more, &read.broken);
            // Names may stand in what could not be understood.
            flow.filter(|_| read.broken.is_empty())
        }
    };
    (flow, problems.into_arranged())
}

/// The spanned tree of a bundle's flow, whatever it says; `None` if its text cannot be read. For editors, to which a
/// flow that is half written matters most.
#[must_use]
pub fn tree(bundle: &Bundle) -> Option<Node> {
    let source = bundle.files.first()?;
    if source.text.len() > MAX_SOURCE_BYTES {
        return None;
    }
    let mut problems = Problems::default();
    match Notation::of_file(source) {
        Notation::Yaml => yaml::read(0, &source.text, &mut problems),
        Notation::Text => text::read(0, &source.text, &mut problems).root,
    }
}
