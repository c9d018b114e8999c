//! From a byte of a text to its line and column, for people and editors.

use std::fmt;

/// A line and a column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    /// Reads the text once. Lines end with `\n`, `\r\n` or `\r`.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
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
        Self { text, starts }
    }

    /// The position of a byte; of the end of the text if it lies behind it.
    #[must_use]
    pub fn position(&self, byte: u32) -> Position {
        let byte = (byte as usize).min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let before = &self.text.as_bytes()[self.starts[line]..byte];
        // The first byte of every character is the one that is no continuation byte.
        let column = before.iter().filter(|b| (**b & 0xc0) != 0x80).count();
        Position {
            line: count(line + 1),
            column: count(column + 1),
        }
    }

    /// The text of a line, from 1, without its end; empty if there is no such line.
    #[must_use]
    pub fn line(&self, line: u32) -> &'t str {
        let at = (line as usize).wrapping_sub(1);
        let Some(start) = self.starts.get(at) else {
            return "";
        };
        let end = self.starts.get(at + 1).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim_end_matches(['\n', '\r'])
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_in_three_ways() {
        let text = "aé\nß😀x\r\nlast\rend";
        let index = LineIndex::new(text);
        let at = |what: &str| {
            let byte = u32::try_from(text.find(what).unwrap()).unwrap();
            index.position(byte).to_string()
        };
        assert_eq!(at("a"), "1:1");
        assert_eq!(at("é"), "1:2");
        assert_eq!(at("x"), "2:3");
        assert_eq!(at("last"), "3:1");
        assert_eq!(at("end"), "4:1");
        assert_eq!(index.position(9_999).to_string(), "4:4");
        assert_eq!(index.line(2), "ß😀x");
        assert_eq!(index.line(4), "end");
        assert_eq!(index.line(0), "");
    }
}
