//! From text to declarations.
//!
//! Text of either notation becomes one spanned tree ([`Node`]), and that becomes declarations. Whatever is wrong
//! becomes a [`Problem`] with its place; all of a file's problems are reported at once. No name is looked up here.

pub mod code;
mod declaration;
mod keys;
mod library;
mod lower;
mod node;
mod notation;
mod position;
mod problem;
mod scalar;
mod source;
mod text;
mod yaml;

pub use code::Code;
pub use declaration::{
    Body, CapabilityDeclaration, FlowDeclaration, KindDeclaration, MatrixDeclaration, Order,
    ProvidesDeclaration, ResultDeclaration, RetryDeclaration, RevertDeclaration, TaskDeclaration,
    TaskKindDeclaration, TaskKindForm, TriesDeclaration,
};
pub use keys::{KeyInfo, Level, Takes};
pub use library::{
    EMBEDDED, FLOWS, Gathered, Library, Refusal, Shelf, file_stem, gather, is_task_kind,
};
pub use lower::{RESERVED as RESERVED_NAMES, is_name};
pub use node::{Key, Node, NodeValue, Style};
pub use notation::Notation;
pub use position::{LineIndex, Position};
pub use problem::{MAX_PROBLEMS, Problem, Problems, Severity, arrange, did_you_mean, shown};
pub use scalar::{Ambiguity, ambiguity, plain_value};
pub use source::{MAX_SOURCE_BYTES, read_source};
pub(crate) use text::{block as block_text, quoted as quoted_text};

use crate::model::{Bundle, SourceFile};

/// Reads the flow of a bundle, with all that it uses of the bundle's other files. `kinds` are the names of the task
/// kinds that there are.
///
/// The declaration is there whenever every name of the files is in it, whatever else is wrong: looking names up then
/// finds the rest of what is wrong. A flow can be run if none of the problems is an error. The problems are arranged
/// (see [`arrange`]).
#[must_use]
pub fn parse(bundle: &Bundle, kinds: &[&str]) -> (Option<FlowDeclaration>, Vec<Problem>) {
    library::read(bundle, kinds)
}

/// Reads one file of a bundle.
fn read_file(
    index: u16,
    source: &SourceFile,
    kinds: Kinds<'_>,
    problems: &mut Problems,
) -> Option<FileDeclaration> {
    if source.text.len() > MAX_SOURCE_BYTES {
        problems.push(source::too_large(&source.path));
        return None;
    }
    if let Some(problem) = notation::mistaken(index, source) {
        problems.push(problem);
        return None;
    }
    match Notation::of_file(source) {
        Notation::Yaml => {
            let root = yaml::read(index, &source.text, problems)?;
            lower::lower(root, source, kinds, problems)
        }
        Notation::Text => {
            let read = text::read(index, source, problems);
            let mut more = Problems::default();
            let file = read
                .root
                .and_then(|root| lower::lower(root, source, kinds, &mut more));
            problems.extend_beside(more, &read.broken);
            // Names may stand in what could not be understood.
            file.filter(|_| read.broken.is_empty())
        }
    }
}

/// The task kinds that a file may use.
#[derive(Debug, Clone, Copy)]
struct Kinds<'a> {
    /// All of them.
    all: &'a [&'a str],
    /// Those that are built in.
    built_in: &'a [&'a str],
}

/// What a file declares.
#[derive(Debug, Clone, PartialEq)]
enum FileDeclaration {
    /// A flow.
    Flow(Box<FlowDeclaration>),
    /// A task kind.
    TaskKind(Box<TaskKindDeclaration>),
}

/// The spanned tree of a bundle's flow, whatever it says; `None` if its text cannot be read. For editors, to which a
/// flow that is half written matters most.
#[must_use]
pub fn tree(bundle: &Bundle) -> Option<Node> {
    read_tree(bundle.files.first()?, &mut Problems::default())
}

/// The spanned tree of a file, whatever it says.
///
/// # Errors
/// What is wrong with the text, as far as its notation goes.
pub fn well_formed(source: &SourceFile) -> Result<Node, Vec<Problem>> {
    let mut problems = Problems::default();
    let root = read_tree(source, &mut problems);
    match root {
        Some(root) if problems.count() == 0 => Ok(root),
        Some(_) | None => Err(problems.into_arranged()),
    }
}

fn read_tree(source: &SourceFile, problems: &mut Problems) -> Option<Node> {
    if source.text.len() > MAX_SOURCE_BYTES {
        problems.push(source::too_large(&source.path));
        return None;
    }
    match Notation::of_file(source) {
        Notation::Yaml => yaml::read(0, &source.text, problems),
        Notation::Text => text::read(0, source, problems).root,
    }
}
