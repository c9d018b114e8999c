//! Statements of MySQL and MariaDB with their literals in them, handed over at once: all of them take place, or none.
//!
//! There, a row that is written as a literal costs a third of one that is read out of a batch.

use super::Row;

/// One transaction, as text.
///
/// A guard is a statement that must change something. What follows one that did not must refuse itself: one of its
/// rows is then NULL where none may be, so the server stops there, whether anybody is still there to hear it or not.
#[derive(Debug, Default)]
pub struct Packet {
    text: String,
    /// Of each statement, whether it is a guard.
    guards: Vec<bool>,
}

impl Packet {
    /// A transaction in which nothing is done yet.
    #[must_use]
    pub fn begin() -> Self {
        let mut packet = Self::default();
        packet.sql("BEGIN").end();
        packet
    }

    /// Adds SQL text, none of which came from outside this program.
    pub fn sql(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a whole number.
    pub fn int(&mut self, value: i64) -> &mut Self {
        self.text.push_str(&value.to_string());
        self
    }

    /// Adds a whole number, or null.
    pub fn maybe_int(&mut self, value: Option<i64>) -> &mut Self {
        match value {
            Some(value) => self.int(value),
            None => self.sql("NULL"),
        }
    }

    /// Adds text, as a literal.
    pub fn text(&mut self, text: &str) -> &mut Self {
        write_text(text, &mut self.text);
        self
    }

    /// Adds text, as a literal, or null.
    pub fn maybe_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.sql("NULL"),
        }
    }

    /// Adds bytes, as a literal.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        write_bytes(bytes, &mut self.text);
        self
    }

    /// Ends a statement.
    pub fn end(&mut self) {
        self.text.push(';');
        self.guards.push(false);
    }

    /// Ends a statement that is a guard.
    pub fn end_guard(&mut self) {
        self.text.push(';');
        self.guards.push(true);
    }

    /// Commits it.
    pub fn commit(&mut self) {
        self.sql("COMMIT").end();
    }

    /// How long it is, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// Its text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Of each of its statements, whether it is a guard.
    pub(super) fn guards(&self) -> &[bool] {
        &self.guards
    }
}

/// What came of a packet that took place.
pub struct Passed {
    /// What each of its guards has changed, as its `LAST_INSERT_ID`.
    pub told: Vec<Option<i64>>,
    /// The rows of all its statements.
    pub rows: Vec<Row>,
}

/// Adds text as a literal that means the same in every SQL mode.
pub(super) fn write_text(text: &str, packet: &mut String) {
    let plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    if text.bytes().all(plain) {
        packet.push('\'');
        packet.push_str(text);
        packet.push('\'');
    } else {
        packet.push_str("_utf8mb4 ");
        write_bytes(text.as_bytes(), packet);
    }
}

/// Adds bytes as a literal.
pub(super) fn write_bytes(bytes: &[u8], packet: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    packet.push_str("X'");
    for byte in bytes {
        packet.push(DIGITS[usize::from(byte >> 4)].into());
        packet.push(DIGITS[usize::from(byte & 15)].into());
    }
    packet.push('\'');
}
