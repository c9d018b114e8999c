//! The comments of a text: what begins with `#` between its values.

use crate::syntax::{Node, NodeValue, Notation};

/// A comment, where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    /// Its first byte.
    pub start: usize,
    /// Its text, from the `#` to the end of its line.
    pub text: String,
    /// Whether nothing stands before it in its line.
    pub alone: bool,
}

/// The comments of a text with that tree, in order.
pub(super) fn comments(root: &Node, text: &str, notation: Notation) -> Vec<Comment> {
    let mut leaves = Vec::new();
    collect(root, text, &mut leaves);
    leaves.sort_unstable();
    let mut found = Vec::new();
    let mut from = 0;
    for (start, end) in leaves {
        if start > from {
            between(text, from, start, notation, &mut found);
        }
        from = from.max(end);
    }
    between(text, from, text.len(), notation, &mut found);
    found
}

/// The places of all that is no punctuation.
fn collect(node: &Node, text: &str, leaves: &mut Vec<(usize, usize)>) {
    let range = node.span.range();
    match &node.value {
        NodeValue::Null | NodeValue::Scalar { .. } => {
            // Behind the anchor of a block, there may be a comment.
            let (_, start) = anchor(text, range.start);
            let block = text[start..].starts_with(['|', '>']) && start > range.start;
            let from = match block {
                true => line_end(text, start).min(range.end),
                false => range.start,
            };
            leaves.push((from, range.end));
        }
        // What an alias stands for is written elsewhere.
        NodeValue::List(_) | NodeValue::Map(_) if is_alias(text, range.start) => {
            leaves.push((range.start, range.end));
        }
        NodeValue::List(items) => items.iter().for_each(|item| collect(item, text, leaves)),
        NodeValue::Map(entries) => {
            for (key, value) in entries {
                // The key of a default may be no more than its place.
                if key.span != value.span {
                    leaves.push((key.span.start as usize, key.span.end as usize));
                }
                collect(value, text, leaves);
            }
        }
    }
}

/// Whether an alias of YAML begins there, where no text in quotes or block does.
pub(super) fn is_alias(text: &str, start: usize) -> bool {
    text[start..].starts_with('*')
}

/// The anchor of YAML that begins there, if one does, and where what it names begins.
pub(super) fn anchor(text: &str, start: usize) -> (Option<&str>, usize) {
    let Some(rest) = text[start..].strip_prefix('&') else {
        return (None, start);
    };
    let length = rest
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'))
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(length);
    (Some(name), text.len() - rest.trim_start().len())
}

/// Where the line of a place ends.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    at + rest.find(['\n', '\r']).unwrap_or(rest.len())
}

/// Where the line of a place begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1)
}

fn between(text: &str, from: usize, to: usize, notation: Notation, found: &mut Vec<Comment>) {
    let mut at = from;
    while let Some(offset) = text[at..to].find('#') {
        let start = at + offset;
        let before = text[..start].chars().next_back();
        let begins = notation == Notation::Text || before.is_none_or(char::is_whitespace);
        if !begins {
            at = start + 1;
            continue;
        }
        let end = line_end(text, start);
        found.push(Comment {
            start,
            // A mark of byte order is nothing that anybody sees, and YAML has none within a text.
            text: text[start..end].trim_end().replace('\u{feff}', ""),
            alone: text[line_start(text, start)..start].trim().is_empty(),
        });
        at = end.min(to);
    }
}
