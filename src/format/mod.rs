//! The layout of flow files: what `fmt` writes, and one notation as the other.
//!
//! The text of a file enters, its text in the usual layout leaves, or in the other notation. The tree says what is
//! meant and the text how it was written; both become one document, which two printers write. What the author put in
//! order stays in order; comments and single blank lines stay where they are. Whether the result says the same is
//! looked up before anybody gets it. Nothing is read from files here, and nothing written.

mod comments;
mod convert;
mod document;
mod page;
mod place;
mod read;
mod same;
mod text;
mod yaml;

use crate::model::{KindSchema, SourceFile};
use crate::syntax::{Notation, Problem, well_formed};
use document::Document;

/// How long a line may be, in columns, before what stands in brackets is broken into lines.
const WIDTH: usize = 100;

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is not in its notation.
    #[error("the text cannot be read")]
    Malformed(Vec<Problem>),
    /// It is no flow, and the other notation has nothing but flows.
    #[error("the file is no mapping, which is all that the text notation can say")]
    NoMapping,
    /// What was written does not say what was read: a fault of this program.
    #[error("what would be written does not say the same as what was read: {0}")]
    Changed(&'static str),
}

/// A file in the usual layout. Formatting twice is the same as once.
///
/// # Errors
/// The text is malformed, or the result would not say the same.
pub fn format(file: &SourceFile) -> Result<String, Refusal> {
    let notation = Notation::of_file(file);
    let root = well_formed(file).map_err(Refusal::Malformed)?;
    let document = read::read(&root, &file.text, notation);
    let text = print(&document, notation);
    let written = SourceFile {
        path: file.path.clone(),
        text,
    };
    let again = well_formed(&written).map_err(|_| Refusal::Changed("it cannot be read"))?;
    if !same::same(&root, &again) {
        return Err(Refusal::Changed("its values differ"));
    }
    let said = |root, text| {
        let comments = comments::comments(root, text, notation).into_iter();
        comments.map(|comment| comment.text).collect::<Vec<_>>()
    };
    if said(&root, &file.text) != said(&again, &written.text) {
        return Err(Refusal::Changed("its comments differ"));
    }
    Ok(written.text)
}

/// A file in the other notation, with its comments. `kinds` are the kinds of tasks that are built in.
///
/// # Errors
/// The text is malformed, or the result would not say the same.
pub fn convert(file: &SourceFile, kinds: &[&KindSchema]) -> Result<String, Refusal> {
    let notation = Notation::of_file(file);
    let root = well_formed(file).map_err(Refusal::Malformed)?;
    let document = read::read(&root, &file.text, notation);
    if document.root.map().is_none() {
        return Err(Refusal::NoMapping);
    }
    let path = file.path.as_str();
    let other_path = other_path(path);
    let before = comments(&document);
    let (text, here) = match notation {
        Notation::Yaml => {
            let here = same::meaning(&document, path, kinds);
            (text::print(&convert::to_text(document, path, kinds)), here)
        }
        Notation::Text => {
            let document = convert::to_yaml(document, kinds);
            let here = same::meaning(&document, path, kinds);
            (yaml::print(&document), here)
        }
    };
    let written = SourceFile {
        path: other_path,
        text,
    };
    let again = well_formed(&written).map_err(|_| Refusal::Changed("it cannot be read"))?;
    let document = read::read(&again, &written.text, notation.other());
    if before != comments(&document) {
        return Err(Refusal::Changed("its comments differ"));
    }
    let there = match notation {
        Notation::Yaml => convert::to_yaml(document, kinds),
        Notation::Text => document,
    };
    if here != same::meaning(&there, path, kinds) {
        return Err(Refusal::Changed("its values differ"));
    }
    Ok(written.text)
}

/// What a file is called in the other notation.
#[must_use]
pub fn other_path(path: &str) -> String {
    match Notation::of(path) {
        Notation::Text => format!("{path}.yaml"),
        Notation::Yaml => {
            let stem = [".yaml", ".yml"]
                .iter()
                .find_map(|end| path.strip_suffix(end));
            let stem = stem.unwrap_or(path);
            match Notation::of(stem) {
                Notation::Text => stem.to_owned(),
                Notation::Yaml => format!("{stem}.flow"),
            }
        }
    }
}

fn print(document: &Document, notation: Notation) -> String {
    match notation {
        Notation::Yaml => yaml::print(document),
        Notation::Text => text::print(document),
    }
}

/// The comments of a document, in no order: a key that moves takes its own along.
fn comments(document: &Document) -> Vec<String> {
    let mut found = Vec::new();
    document.comments(&mut found);
    found.sort_unstable();
    found
}
