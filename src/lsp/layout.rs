//! The usual layout of an open file, as an edit.

use lsp_types::TextEdit;

use super::document::Document;
use crate::format;

/// What has to change for the file to be laid out in the usual way: one edit, from the first line that differs to the
/// last, or none. `None` if the file cannot be read.
pub(super) fn edits(document: &Document) -> Option<Vec<TextEdit>> {
    let file = document.bundle().files.into_iter().next()?;
    let new = format::format(&file).ok()?;
    let old = file.text.as_str();
    if new == old {
        return Some(Vec::new());
    }
    let same = |(a, b): &(&str, &str)| a == b;
    let length = |(line, _): (&str, &str)| line.len();
    let lines = || old.split_inclusive('\n').zip(new.split_inclusive('\n'));
    let start: usize = lines().take_while(same).map(length).sum();
    let (rest, other) = (&old[start..], &new[start..]);
    let ends = rest.split_inclusive('\n').rev();
    let ends = ends.zip(other.split_inclusive('\n').rev());
    let end: usize = ends.take_while(same).map(length).sum();
    let range = lsp_types::Range::new(
        document.text.position(start),
        document.text.position(old.len() - end),
    );
    let text = &new[start..new.len() - end];
    Some(vec![TextEdit::new(range, text.to_owned())])
}
