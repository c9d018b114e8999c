//! The text notation to the spanned tree. The one module that knows `pest`; what is a flow is said in
//! `grammar/flow.pest`.
//!
//! Text enters, a [`Node`] and problems leave. A name without quotes, or anything else that is to be computed, becomes
//! the template that means it ([`Style::Bare`](super::Style::Bare)), so that whoever reads the tree need not know how
//! it was written. Memory and time are bounded whatever the text: by its size, the number of its values, their depth,
//! and the size of one value.
//!
//! A mistake ends with its entry: the rest of the file is read all the same.

mod build;
mod guess;
mod literal;
mod scan;
mod trouble;

use pest::Parser;

use super::problem::Problems;
use super::{Node, Problem, code};
use crate::model::{SourceFile, Span};
pub(crate) use literal::{block, quoted};

/// How deep brackets, and lists and mappings, may be nested.
const MAX_DEPTH: usize = 64;
/// How many values a file may have.
const MAX_VALUES: usize = 2_000_000;
/// How many bytes one value may have.
const MAX_VALUE_BYTES: usize = 1 << 20;

mod grammar {
    //! What `pest` makes of the grammar.

    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/flow.pest"]
    pub struct Grammar;
}

use grammar::{Grammar, Rule};

/// A text that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// The tree, if brackets and quotes leave no doubt about it.
    pub root: Option<Node>,
    /// The entries that could not be understood. What the tree has at these places means nothing.
    pub broken: Vec<Span>,
}

/// Reads the text of the file with that number in its bundle.
///
/// If there is no tree, there is at least one problem.
pub(super) fn read(file: u16, source: &SourceFile, problems: &mut Problems) -> Read {
    let text = source.text.as_str();
    let nothing = Read {
        root: None,
        broken: Vec::new(),
    };
    let scanned = scan::scan(file, text, problems);
    let readable = &text[..scanned.readable];
    let mut pairs = match Grammar::parse(Rule::file, readable) {
        Ok(pairs) => pairs,
        Err(error) => {
            // The grammar takes any text, so what is left is a stack that is too small.
            let at = trouble::place_of(&error);
            problems.push(too_deep(span(file, at, at)));
            return nothing;
        }
    };
    let Some(pair) = pairs.next() else {
        return nothing;
    };
    let before = problems.count();
    let mut read = build::build(file, source, readable.len(), pair, problems);
    if !scanned.whole {
        // An empty flow is no second mistake, if only what stands before the first one was read.
        read.root = None;
    } else if read.root.is_none() && problems.count() == before {
        problems.push(empty(span(file, 0, 0)));
    }
    read
}

fn empty(at: Span) -> Problem {
    Problem::error(code::EMPTY_FILE, at, "the file holds no flow")
        .help("the least flow is: flow { task hello { shell = \"echo hello\" } }")
}

fn too_deep(at: Span) -> Problem {
    Problem::error(
        code::NESTING_TOO_DEEP,
        at,
        format!("lists and mappings are nested more than {MAX_DEPTH} deep here"),
    )
    .help("make it flatter: tasks of nested groups can stand side by side and name what they need")
}

fn span(file: u16, start: usize, end: usize) -> Span {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        file,
        start: place(start),
        end: place(end),
    }
}

#[cfg(test)]
mod tests;
