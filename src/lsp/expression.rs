//! Where names stand in templates and expressions, byte by byte.
//!
//! The compiler knows which names an expression uses; an editor needs to know where. Text enters, identifiers leave:
//! neither fields (`a.b`), nor filters, tests, functions, words of the language, nor what stands in quotes.

use std::ops::Range;

/// A name in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

const WORDS: [&str; 10] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none",
];

/// The expressions in the templates of a text, as they are written, each without its braces.
pub(super) fn templates(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|open| at + open) {
        at = open + 2;
        if text[..open].ends_with('\\') {
            continue;
        }
        let end = closing(text, at);
        found.push(at..end);
        at = end;
    }
    found
}

/// Where the braces that are open at `from` close; the end of the text if they do not.
fn closing(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = from;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (None, b'"' | b'\'') => quote = Some(bytes[at]),
            (Some(open), byte) if byte == open => quote = None,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return at,
            _ => {}
        }
        at += 1;
    }
    // A quote that does not end must not swallow the rest of a script.
    text[from..].find("}}").map_or(text.len(), |end| from + end)
}

/// The names in an expression.
pub(super) fn names(text: &str, range: Range<usize>) -> Vec<Name> {
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut found = Vec::new();
    let mut at = range.start;
    // What stands directly before, spaces aside: a byte, or `i` for the word `is`.
    let mut before = b' ';
    while at < range.end {
        let byte = bytes[at];
        match byte {
            b'"' | b'\'' => {
                let close = bytes[at + 1..range.end].iter().position(|b| *b == byte);
                at = close.map_or(range.end, |close| at + 1 + close + 1);
                before = b'"';
                continue;
            }
            _ if is_word(byte) => {
                let length = bytes[at..range.end].iter().position(|b| !is_word(*b));
                let end = length.map_or(range.end, |length| at + length);
                let word = &text[at..end];
                let behind = text[end..range.end].trim_start();
                let named = behind.starts_with('=') && !behind.starts_with("==");
                let called = behind.starts_with('(');
                before = match word {
                    "is" => b'i',
                    "not" if before == b'i' => b'i',
                    _ => {
                        let name = !byte.is_ascii_digit()
                            && !matches!(before, b'.' | b'|' | b'i')
                            && !WORDS.contains(&word)
                            && !named
                            && !called;
                        if name {
                            found.push(Name { start: at, end });
                        }
                        b'w'
                    }
                };
                at = end;
                continue;
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => before = byte,
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<&str> {
        templates(text)
            .into_iter()
            .flat_map(|range| names(text, range))
            .map(|name| &text[name.start..name.end])
            .collect()
    }

    #[test]
    fn names_are_found_and_nothing_else_is() {
        for (text, names) in [
            ("echo {{ a }} and {{b}}", vec!["a", "b"]),
            (r"\{{ a }} {{ b }}", vec!["b"]),
            (r#"{{ a.b["c"] | join(", ", d) }}"#, vec!["a", "d"]),
            (
                "{{ x is defined and y is not odd or z }}",
                vec!["x", "y", "z"],
            ),
            ("{{ dict(a=b, c == d) }}", vec!["b", "c", "d"]),
            ("{{ '}}' ~ a if true else none }}", vec!["a"]),
            (r#"{{ x[\"a b\"] ~ y }}"#, vec!["x", "y"]),
            ("{{ it's }} {{ a }}", vec!["it", "a"]),
            ("{{ 12 + a1 }}", vec!["a1"]),
            ("{{ a", vec!["a"]),
            ("{{ é ~ a }}", vec!["a"]),
            ("{{", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(told(text), names, "{text}");
        }
    }
}
