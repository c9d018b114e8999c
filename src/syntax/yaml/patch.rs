//! Mistakes in a text that are read over: their bytes are masked for the parser, and put back in what it gives.

use std::borrow::Cow;
use std::ops::Range;

use crate::model::Span;

/// A text, and the places in it that are masked. Masks keep the length in bytes.
pub(super) struct Patches<'t> {
    original: &'t str,
    patched: Cow<'t, str>,
    ranges: Vec<Range<usize>>,
    file: u16,
}

impl<'t> Patches<'t> {
    pub(super) fn new(file: u16, text: &'t str) -> Self {
        Self {
            original: text,
            patched: Cow::Borrowed(text),
            ranges: Vec::new(),
            file,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// What the parser reads.
    pub(super) fn patched(&self) -> &str {
        &self.patched
    }

    /// What the author wrote.
    pub(super) fn original(&self) -> &'t str {
        self.original
    }

    /// Masks a range, which begins and ends between characters.
    pub(super) fn add(&mut self, range: Range<usize>) {
        let mask = "x".repeat(range.len());
        self.patched.to_mut().replace_range(range.clone(), &mask);
        self.ranges.push(range);
    }

    /// What stands at a place where something is masked; `None` if nothing is.
    pub(super) fn restored(&self, start: u32, end: u32) -> Option<&'t str> {
        let (start, end) = (start as usize, end as usize);
        self.ranges
            .iter()
            .any(|r| r.start < end && start < r.end)
            .then(|| self.original[start..end].trim())
    }

    /// A place in the file; its bounds are moved on to the next character if they stand in the middle of one.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let bound = |byte: usize| {
            let between = |at: &usize| self.original.is_char_boundary(*at);
            let byte = (byte..self.original.len()).find(between);
            u32::try_from(byte.unwrap_or(self.original.len())).unwrap_or(u32::MAX)
        };
        Span {
            file: self.file,
            start: bound(range.start),
            end: bound(range.end),
        }
    }

    /// The line around a byte, without its end, as a range.
    pub(super) fn line(&self, byte: usize) -> Range<usize> {
        let byte = byte.min(self.original.len());
        let bytes = self.original.as_bytes();
        let ends = |b: &u8| matches!(b, b'\n' | b'\r');
        let start = bytes[..byte].iter().rposition(ends).map_or(0, |at| at + 1);
        let end = bytes[byte..]
            .iter()
            .position(ends)
            .map_or(bytes.len(), |at| byte + at);
        start..end
    }

    /// The template that begins at `start`, and those that follow it in the same value, as a range in its line.
    pub(super) fn templates(&self, start: usize) -> Range<usize> {
        let line_end = self.line(start).end;
        let mut end = start;
        loop {
            let rest = &self.original[end..line_end];
            let Some(open) = rest.find("{{") else {
                break;
            };
            if end > start && rest[..open].contains([',', ']', '}', '#']) {
                break;
            }
            let Some(close) = rest[open..].find("}}") else {
                end = line_end;
                break;
            };
            end += open + close + 2;
        }
        start..end
    }

    /// The value without quotes that begins at or before `start` and goes on to the end of its line, or within
    /// brackets to the next comma or bracket.
    pub(super) fn value(&self, start: usize, known: usize, in_brackets: bool) -> Range<usize> {
        let line = self.line(start);
        let before = &self.original[line.start..start];
        let inside = if in_brackets {
            let key = before.rfind(": ").map_or(0, |at| at + 2);
            let bracket = before.rfind([',', '[', '{']).map_or(0, |at| at + 1);
            before[key.max(bracket)..].trim_start()
        } else {
            before.rsplit(char::is_whitespace).next().unwrap_or("")
        };
        let begin = start - inside.len();
        let rest = &self.original[known..line.end];
        let comment = rest.find(" #").unwrap_or(rest.len());
        let end = if in_brackets {
            rest.find([',', ']', '}'])
                .unwrap_or(rest.len())
                .min(comment)
        } else {
            comment
        };
        begin..known + rest[..end].trim_end().len()
    }

    /// The line of `range` with the range in quotes, as the author should write it.
    pub(super) fn quoted(&self, range: &Range<usize>) -> String {
        let line = self.line(range.start);
        let value = &self.original[range.clone()];
        let quote = if value.contains(['"', '\\']) && !value.contains('\'') {
            '\''
        } else {
            '"'
        };
        let value = if quote == '"' {
            value.replace('\\', "\\\\").replace('"', "\\\"")
        } else {
            value.to_owned()
        };
        let before = self.original[line.start..range.start].trim_start();
        let after = self.original[range.end..line.end].trim_end();
        format!("{before}{quote}{value}{quote}{after}")
    }
}

/// Whether the first thing that is not a comment is a bracket.
pub(super) fn begins_with_bracket(text: &str) -> bool {
    text.lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.starts_with(['{', '[']))
}
