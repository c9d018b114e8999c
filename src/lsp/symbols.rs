//! The symbols of a file: its store and its tasks, as a tree.

use lsp_types::{DocumentSymbol, SymbolKind};

use super::document::Document;
use super::outline::{Origin, Outline};
use super::text::Text;
use crate::model::Span;

/// The symbols of a file; `None` if it cannot be read as it is.
pub(super) fn symbols(document: &Document) -> Option<Vec<DocumentSymbol>> {
    let (outline, text) = (document.outline()?, &document.text);
    let store = outline
        .definitions
        .iter()
        .filter_map(|one| match &one.origin {
            Origin::Store(declared) => {
                let extent = Span {
                    start: one.span.start.min(declared.start),
                    end: one.span.end.max(declared.end),
                    ..one.span
                };
                let kind = SymbolKind::VARIABLE;
                Some(symbol(&one.name, None, kind, extent, one.span, text))
            }
            Origin::Task(_) | Origin::Variable => None,
        });
    Some(store.chain(tasks(outline, 0, text)).collect())
}

fn tasks(outline: &Outline, within: usize, text: &Text) -> Vec<DocumentSymbol> {
    let inside = outline.tasks.iter().filter(|task| task.within == within);
    inside
        .map(|task| {
            let group = task.kind.as_deref() == Some("tasks");
            let kind = if group {
                SymbolKind::NAMESPACE
            } else {
                SymbolKind::FUNCTION
            };
            let detail = task.about.clone().or_else(|| task.kind.clone());
            let mut symbol = symbol(&task.name, detail, kind, task.extent, task.span, text);
            let inner = tasks(outline, task.scope, text);
            symbol.children = (!inner.is_empty()).then_some(inner);
            symbol
        })
        .collect()
}

fn symbol(
    name: &str,
    detail: Option<String>,
    kind: SymbolKind,
    extent: Span,
    span: Span,
    text: &Text,
) -> DocumentSymbol {
    let mut range = text.place(extent);
    let selection_range = text.place(span);
    // A client refuses a symbol whose name does not lie within it.
    range.end = range.end.max(selection_range.end);
    #[expect(deprecated, reason = "the field has to be there")]
    DocumentSymbol {
        name: if name.is_empty() {
            "?".to_owned()
        } else {
            name.to_owned()
        },
        detail,
        kind,
        tags: None,
        deprecated: None,
        range,
        selection_range,
        children: None,
    }
}
