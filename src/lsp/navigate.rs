//! From a name to where it comes from, to where it is used, and to another name.

use std::path::Path;

use lsp_types::{Location, Position, Range, TextEdit};

use super::document::Document;
use super::hover;
use super::kinds::Kind;
use super::outline::{Outline, Symbol};
use crate::syntax::{RESERVED_NAMES, is_name};

/// Where what is named at a position is defined; of a sub-flow, and of a kind of the flow's own folder, its file.
pub(super) fn definition(
    document: &Document,
    position: Position,
    kinds: &[Kind],
) -> Option<Location> {
    let byte = document.text.offset(position);
    let outline = document.outline()?;
    if let Some((symbol, _)) = outline.at(byte) {
        let span = *outline.places(symbol).first()?;
        let place = document.text.place(span);
        return Some(Location::new(document.uri.clone(), place));
    }
    if let Some((kind, _)) = hover::kind_at(document, byte, kinds) {
        return file(Path::new(kind.file.as_ref()?));
    }
    let sub_flow = outline.tasks.iter().find_map(|task| {
        let (path, span) = task.sub_flow.as_ref()?;
        span.range().contains(&byte).then(|| path.clone())
    })?;
    // A name stands for a file beside, in either notation.
    let beside = Path::new(&document.path).parent()?.join(sub_flow);
    let named = |ending: &str| file(Path::new(&format!("{}{ending}", beside.display())));
    ["", ".flow.yaml", ".flow"].into_iter().find_map(named)
}

/// The beginning of a file, if it is there.
fn file(path: &Path) -> Option<Location> {
    let uri = format!("file://{}", encoded(path.to_str()?)).parse().ok()?;
    path.exists().then(|| Location::new(uri, Range::default()))
}

/// Every place at which what is named at a position is named; with `own`, also that of its definition.
pub(super) fn references(
    document: &Document,
    position: Position,
    own: bool,
) -> Option<Vec<Location>> {
    let byte = document.text.offset(position);
    let outline = document.outline()?;
    let (symbol, _) = outline.at(byte)?;
    let spans = outline.places(symbol).into_iter().skip(usize::from(!own));
    let place = |span| Location::new(document.uri.clone(), document.text.place(span));
    Some(spans.map(place).collect())
}

/// Where the name stands that can be changed at a position.
pub(super) fn renameable(document: &Document, position: Position) -> Option<Range> {
    let byte = document.text.offset(position);
    let (_, span) = document.outline()?.at(byte)?;
    Some(document.text.place(span))
}

/// What to write where, so that what is named at a position is called otherwise.
///
/// # Errors
/// Why it cannot be called so.
pub(super) fn rename(
    document: &Document,
    position: Position,
    name: &str,
) -> Result<Vec<TextEdit>, String> {
    let byte = document.text.offset(position);
    let Some(outline) = document.outline() else {
        return Err("the file cannot be read as it is: correct it first".to_owned());
    };
    let Some((symbol, _)) = outline.at(byte) else {
        return Err("there is no name of the flow here".to_owned());
    };
    if !is_name(name) {
        return Err(format!(
            "`{name}` cannot be a name: names begin with a letter a-z, and go on with letters, digits and `_`"
        ));
    }
    if RESERVED_NAMES.contains(&name) {
        return Err(format!(
            "`{name}` cannot be a name: the language keeps it for itself"
        ));
    }
    if let Some(taken) = taken(outline, symbol, name) {
        return Err(taken);
    }
    let spans = outline.places(symbol);
    let edit = |span| TextEdit::new(document.text.place(span), name.to_owned());
    Ok(spans.into_iter().map(edit).collect())
}

/// Why a name would mean two things.
fn taken(outline: &Outline, symbol: Symbol, name: &str) -> Option<String> {
    match symbol {
        Symbol::Task(at) => {
            let within = outline.tasks[at].within;
            let other = outline.task(within, name).filter(|other| *other != at)?;
            (outline.tasks[other].within == within)
                .then(|| format!("a task is called `{name}` already"))
        }
        Symbol::Value(at) => {
            let scopes = outline
                .uses
                .iter()
                .filter(|one| outline.resolve(one) == Some(symbol))
                .map(|one| one.scope)
                .chain([outline.definitions[at].scope]);
            let mut seen = scopes.filter_map(|scope| outline.value(scope, name));
            seen.any(|other| other != at)
                .then(|| format!("something is called `{name}` already"))
        }
    }
}

fn encoded(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(path, KEPT).to_string()
}
