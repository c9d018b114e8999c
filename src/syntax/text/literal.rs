//! Texts in quotes, and blocks: from what is written to what is meant.

use std::ops::Range;

/// The text between double quotes, its escapes resolved; and the escapes that mean nothing, as places in `written`.
///
/// `\{` stays as it is: before a second brace, it is how templates say that braces are meant.
pub(super) fn unescape(written: &str) -> (String, Vec<Range<usize>>) {
    let mut text = String::with_capacity(written.len());
    let mut wrong = Vec::new();
    let mut rest = 0;
    while let Some(found) = written[rest..].find('\\') {
        let at = rest + found;
        text.push_str(&written[rest..at]);
        let escape = &written[at..];
        let (meant, length) = match escape[1..].chars().next() {
            Some('n') => (Some('\n'), 2),
            Some('t') => (Some('\t'), 2),
            Some('r') => (Some('\r'), 2),
            Some('e') => (Some('\u{1b}'), 2),
            Some('0') => (Some('\0'), 2),
            Some(c @ ('"' | '\'' | '\\')) => (Some(c), 2),
            Some('u') => by_number(escape),
            Some('{') => {
                text.push('\\');
                (Some('{'), 2)
            }
            Some(other) => (None, 1 + other.len_utf8()),
            None => (None, 1),
        };
        match meant {
            Some(c) => text.push(c),
            None => {
                text.push_str(&escape[..length]);
                wrong.push(at..at + length);
            }
        }
        rest = at + length;
    }
    text.push_str(&written[rest..]);
    (text, wrong)
}

/// `\u{1F600}`: the character of that number, and how long the escape is.
fn by_number(escape: &str) -> (Option<char>, usize) {
    let digits = escape
        .strip_prefix("\\u{")
        .and_then(|rest| rest.split_once('}'))
        .map(|(digits, _)| digits)
        .filter(|digits| digits.len() <= 6);
    match digits {
        Some(digits) => {
            let number = u32::from_str_radix(digits, 16).ok();
            (number.and_then(char::from_u32), digits.len() + 4)
        }
        None => (None, 2),
    }
}

/// A text in double quotes, as it is written in one line.
pub(crate) fn quoted(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => written.push_str("\\\""),
            // Braces that are meant as such look the same inside and outside.
            '\\' if characters.peek() == Some(&'{') => written.push('\\'),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            '\r' => written.push_str("\\r"),
            '\u{1b}' => written.push_str("\\e"),
            c if c.is_control() => {
                written.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

/// The text of a block, from what stands between its `"""`: without the line of the opening ones, and without the
/// indentation that all lines have. It ends with a line end if the closing ones stand on a line of their own.
pub(crate) fn block(written: &str) -> String {
    let written = written.replace("\r\n", "\n").replace('\r', "\n");
    let Some((first, rest)) = written.split_once('\n') else {
        return written;
    };
    let blank = |line: &str| line.trim_matches([' ', '\t']).is_empty();
    let mut lines: Vec<&str> = rest.split('\n').collect();
    // The line of the closing quotes.
    if lines.last().is_some_and(|line| blank(line)) {
        lines.pop();
        lines.push("");
    }
    let indent = lines
        .iter()
        .filter(|line| !blank(line))
        .map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
        .reduce(common)
        .unwrap_or("");
    let mut text = String::with_capacity(written.len());
    if !blank(first) {
        text.push_str(first);
        text.push('\n');
    }
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        if !blank(line) {
            text.push_str(&line[indent.len()..]);
        }
    }
    text
}

fn common<'a>(a: &'a str, b: &'a str) -> &'a str {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    &a[..same]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved_and_those_that_mean_nothing_are_told() {
        for (written, text, wrong) in [
            ("a\\nb\\\"\\\\", "a\nb\"\\", 0),
            ("\\u{e4}\\u{1F600}", "ä😀", 0),
            ("\\{{ x }} \\\\{{", "\\{{ x }} \\{{", 0),
            ("\\d+ \\ä", "\\d+ \\ä", 2),
            ("\\u12 \\u{110000}", "\\u12 \\u{110000}", 2),
            ("\\", "\\", 1),
        ] {
            let (found, places) = unescape(written);
            assert_eq!(found, text, "{written}");
            assert_eq!(places.len(), wrong, "{written}");
        }
    }

    #[test]
    fn what_is_quoted_reads_as_it_was() {
        for text in [
            "",
            "a\nb\t\"\\",
            "\\{{ x }}",
            "\\\\{{",
            "\u{7}\u{1b}ä😀",
            "\\d{2}",
        ] {
            let written = quoted(text);
            let (found, wrong) = unescape(&written[1..written.len() - 1]);
            assert_eq!(found, text, "{written}");
            assert!(wrong.is_empty(), "{written}");
        }
    }

    #[test]
    fn blocks_lose_the_indentation_that_all_lines_have() {
        for (written, text) in [
            ("one line", "one line"),
            ("\n    a\n      b\n\n    c\n  ", "a\n  b\n\nc\n"),
            ("\n    a\n    b", "a\nb"),
            ("\r\n\ta\r\n\tb\r\n", "a\nb\n"),
            ("\n", ""),
            ("first\n    a\n    ", "first\na\n"),
            ("\n  \n  a\n  ", "\na\n"),
        ] {
            assert_eq!(block(written), text, "{written:?}");
        }
    }
}
