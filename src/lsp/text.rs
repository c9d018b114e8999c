//! The text of an open file, and its places as the protocol counts them.

use std::ops::Range;

use lsp_types::{Position, PositionEncodingKind, Range as Place, TextDocumentContentChangeEvent};

use crate::model::Span;

/// In what the columns of a line are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// Code units of UTF-16: what every client knows.
    Utf16,
}

impl Encoding {
    /// The first that both sides know.
    pub(super) fn negotiated(offered: Option<&[PositionEncodingKind]>) -> Self {
        let offered = offered.unwrap_or_default();
        if offered.contains(&PositionEncodingKind::UTF8) {
            Self::Utf8
        } else {
            Self::Utf16
        }
    }

    /// What the client is told.
    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
        }
    }
}

/// The text of a file, with its lines.
#[derive(Debug, Clone)]
pub(super) struct Text {
    text: String,
    /// Where each line begins.
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Text {
    pub(super) fn new(text: String, encoding: Encoding) -> Self {
        let mut starts = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                starts.push(at + 1);
            }
        }
        Self {
            text,
            starts,
            encoding,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands between two bytes; nothing if they are no borders of characters.
    pub(super) fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// The byte at a position; the end of the line, or of the text, if it lies behind it.
    pub(super) fn offset(&self, position: Position) -> usize {
        let line = usize::try_from(position.line).unwrap_or(usize::MAX);
        let Some(range) = self.line(line) else {
            return self.text.len();
        };
        let wanted = usize::try_from(position.character).unwrap_or(usize::MAX);
        let mut column = 0;
        for (at, c) in self.text[range.clone()].char_indices() {
            if column >= wanted {
                return range.start + at;
            }
            column += self.encoding.width(c);
        }
        range.end
    }

    /// The position of a byte.
    pub(super) fn position(&self, byte: usize) -> Position {
        let byte = self.text.floor_char_boundary(byte);
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let before = self.text[self.starts[line]..byte].chars();
        let column: usize = before.map(|c| self.encoding.width(c)).sum();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position::new(number(line), number(column))
    }

    pub(super) fn place(&self, span: Span) -> Place {
        self.place_of(span.range())
    }

    /// Without the line ends and spaces that a range may close with: a block of text ends where its last word does.
    pub(super) fn place_of(&self, range: Range<usize>) -> Place {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        let trimmed = self.text[start..end].trim_end().len();
        Place::new(self.position(start), self.position(start + trimmed))
    }

    /// The text after a change.
    pub(super) fn changed(self, change: TextDocumentContentChangeEvent) -> Self {
        let encoding = self.encoding;
        let text = match change.range {
            Some(place) => {
                let start = self.offset(place.start);
                let end = self.offset(place.end).max(start);
                let mut text = self.text;
                text.replace_range(start..end, &change.text);
                text
            }
            None => change.text,
        };
        Self::new(text, encoding)
    }

    /// The bytes of a line, without its end.
    fn line(&self, line: usize) -> Option<Range<usize>> {
        let start = *self.starts.get(line)?;
        let end = self
            .starts
            .get(line + 1)
            .copied()
            .unwrap_or(self.text.len());
        let length = self.text[start..end].trim_end_matches(['\n', '\r']).len();
        Some(start..start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a😀é\r\nb\n\nend";

    #[test]
    fn places_are_counted_as_was_agreed() {
        let utf16 = Text::new(TEXT.to_owned(), Encoding::Utf16);
        let utf8 = Text::new(TEXT.to_owned(), Encoding::Utf8);
        let accent = TEXT.find('é').unwrap();
        assert_eq!(utf16.position(accent), Position::new(0, 3));
        assert_eq!(utf8.position(accent), Position::new(0, 5));
        for text in [utf16, utf8] {
            for (at, c) in TEXT
                .char_indices()
                .filter(|(_, c)| !matches!(c, '\r' | '\n'))
            {
                assert_eq!(text.offset(text.position(at)), at, "{c}");
            }
            assert_eq!(text.offset(Position::new(0, 99)), accent + 2);
            assert_eq!(text.offset(Position::new(99, 0)), TEXT.len());
        }
    }

    #[test]
    fn changes_replace_what_they_name() {
        let change =
            |from: (u32, u32), to: (u32, u32), text: &str| TextDocumentContentChangeEvent {
                range: Some(Place::new(
                    Position::new(from.0, from.1),
                    Position::new(to.0, to.1),
                )),
                range_length: None,
                text: text.to_owned(),
            };
        let text = Text::new(TEXT.to_owned(), Encoding::Utf16)
            .changed(change((0, 1), (0, 3), "b"))
            .changed(change((1, 0), (3, 0), ""));
        assert_eq!(text.as_str(), "abé\r\nend");
        // The other way round is no range, and past the end is the end.
        let text = text.changed(change((9, 9), (0, 0), "!"));
        assert_eq!(text.as_str(), "abé\r\nend!");
    }
}
