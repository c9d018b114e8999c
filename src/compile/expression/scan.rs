//! Which names, filters and tests an expression's text speaks of.
//!
//! minijinja's own `undeclared_variables` leaves out the base of a slice (`x[1:]`), and tells no places. This scan
//! takes an expression that parses, and never evaluates anything. It may name too much, never too little.

use std::ops::Range;

/// A name that an expression uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// The field that is asked of it, as in `failure.kind`.
    pub field: Option<String>,
    /// Where in the expression's text.
    pub range: Range<usize>,
}

/// All that an expression speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Words {
    /// Names of values, one for each use.
    pub references: Vec<Reference>,
    /// Filters, as in `x | upper`.
    pub filters: Vec<(String, Range<usize>)>,
    /// Tests, as in `x is odd`.
    pub tests: Vec<(String, Range<usize>)>,
}

const KEYWORDS: [&str; 13] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None",
];

/// What stood before the token at hand.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// Nothing that changes what a name means.
    Other,
    /// A name that a field may follow.
    Name,
    /// The dot behind such a name.
    NameDot,
    /// Another dot.
    Dot,
    /// `|`
    Pipe,
    /// `is`, or `is not`.
    Is,
}

/// Reads an expression's text.
pub(crate) fn scan(text: &str) -> Words {
    let bytes = text.as_bytes();
    let mut words = Words::default();
    let mut before = Before::Other;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let start = at;
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if byte == b'"' || byte == b'\'' {
            at = end_of_string(bytes, at);
            before = Before::Other;
        } else if byte.is_ascii_digit() {
            at = end_of_word(text, at, true);
            before = Before::Other;
        } else if byte == b'_' || byte.is_ascii_alphabetic() || !byte.is_ascii() {
            // What is no letter at all is a word of its own: the scan goes on behind it.
            let first = text[at..].chars().next().map_or(1, char::len_utf8);
            at = end_of_word(text, at, false).max(at + first);
            before = word(&mut words, text, start..at, before);
        } else {
            at += 1;
            before = match (byte, before) {
                (b'.', Before::Name) => Before::NameDot,
                (b'.', _) => Before::Dot,
                (b'|', _) => Before::Pipe,
                _ => Before::Other,
            };
        }
    }
    words
}

fn word(words: &mut Words, text: &str, range: Range<usize>, before: Before) -> Before {
    let word = &text[range.clone()];
    match before {
        Before::NameDot => {
            if let Some(last) = words.references.last_mut() {
                last.field = Some(word.to_owned());
            }
            Before::Other
        }
        Before::Dot => Before::Other,
        Before::Pipe => {
            words.filters.push((word.to_owned(), range));
            Before::Other
        }
        Before::Is if word == "not" => Before::Is,
        Before::Is => {
            // `is none`, `is true` and `is in` are tests as well.
            words.tests.push((word.to_owned(), range));
            Before::Other
        }
        Before::Name | Before::Other if word == "is" => Before::Is,
        Before::Name | Before::Other if KEYWORDS.contains(&word) => Before::Other,
        Before::Name | Before::Other => {
            let rest = text[range.end..].trim_start();
            if rest.starts_with('=') && !rest.starts_with("==") {
                return Before::Other;
            }
            words.references.push(Reference {
                name: word.to_owned(),
                field: None,
                range,
            });
            Before::Name
        }
    }
}

/// The place behind the string literal that begins at `at`.
pub(crate) fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 2,
            byte if byte == quote => return end + 1,
            _ => end += 1,
        }
    }
    bytes.len()
}

/// The bytes of a text from `at` on that stand in no string literal, each with its place.
pub(crate) fn outside_strings(text: &str, at: usize) -> impl Iterator<Item = (usize, u8)> {
    let bytes = text.as_bytes();
    let mut next = at;
    std::iter::from_fn(move || {
        while matches!(bytes.get(next), Some(b'"' | b'\'')) {
            next = end_of_string(bytes, next);
        }
        let at = next;
        next += 1;
        bytes.get(at).map(|byte| (at, *byte))
    })
}

/// Where the word begins that `text` ends with, of characters that are `part` of it.
pub(super) fn start_of_last(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.trim_end_matches(part).len()
}

/// Whether a character may stand in a name.
pub(super) fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn end_of_word(text: &str, at: usize, number: bool) -> usize {
    let mut chars = text[at..].char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        let fraction =
            number && c == '.' && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        if !(is_letter(c) || fraction) {
            return at + offset;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names: Vec<String> = scan(text)
            .references
            .into_iter()
            .map(|r| match r.field {
                Some(field) => format!("{}.{field}", r.name),
                None => r.name,
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn characters_that_are_no_letters_end_the_scan_like_any_others() {
        for text in ["a ޾ b", "\":\"\u{7be}\u{4}", "x \u{2028}", "\u{300}"] {
            let _ = scan(text);
        }
    }

    #[test]
    fn names_are_told_from_fields_filters_tests_and_arguments() {
        let cases: [(&str, &[&str]); 14] = [
            ("x", &["x"]),
            ("x['y']", &["x"]),
            ("x[1:]", &["x"]),
            ("x[a:b]", &["a", "b", "x"]),
            ("x[y.z].w", &["x", "y.z"]),
            ("failure.kind == \"timeout or x\"", &["failure.kind"]),
            ("x | default(y, boolean=true) | upper", &["x", "y"]),
            ("x is defined and y is not none", &["x", "y"]),
            ("x is divisibleby(n)", &["n", "x"]),
            ("{'a': b, c: [d]}", &["b", "c", "d"]),
            ("1.5 + x.y.z", &["x.y"]),
            ("(a if b else c) ~ 'it\\'s d'", &["a", "b", "c"]),
            ("not in_use", &["in_use"]),
            ("1e5 + 0x1f + a1", &["a1"]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text), expected, "{text}");
        }
        let words = scan("x | upper is odd");
        assert_eq!(words.filters[0].0, "upper");
        assert_eq!(words.tests[0].0, "odd");
    }

    #[test]
    fn any_text_is_scanned_to_its_end() {
        for text in ["", "'", "\"\\", "x.", "x |", "ü.ö", "x is", "'a\\", "9."] {
            let _ = scan(text);
        }
    }
}
