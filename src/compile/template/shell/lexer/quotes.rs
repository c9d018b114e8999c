//! Quotes, comments and backslashes.

use super::super::Refusal;
use super::super::words::Word;
use super::{Around, Decision, Dialect, Lexer, REWRITE, Unit};

impl Lexer {
    pub(super) fn comment(&mut self) {
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Char('\n') => return,
                Unit::Char(_) => {}
                Unit::Hole(hole) => self.decide(hole, Decision::Comment),
            }
            self.at += 1;
        }
    }

    /// A backslash and what it quotes.
    pub(super) fn escaped(&mut self) {
        self.at += 1;
        if let Some(Unit::Hole(hole)) = self.peek(0) {
            self.refuse(
                hole,
                "a backslash stands before it",
                "leave the backslash out",
            );
        }
        self.at = (self.at + 1).min(self.end);
    }

    pub(super) fn newline_in_quotes(&mut self) {
        if !self.documents.is_empty() {
            self.lose("a here-document begins before quotes of several lines");
        }
    }

    pub(super) fn single_quotes(&mut self) {
        self.at += 1;
        while let Some(unit) = self.peek(0) {
            self.at += 1;
            match unit {
                Unit::Char('\'') => return,
                Unit::Char('\n') => self.newline_in_quotes(),
                Unit::Char(_) => {}
                Unit::Hole(hole) => self.decide(hole, Decision::Refused(Refusal::SingleQuotes)),
            }
        }
        self.lose("a single quote does not end");
    }

    /// `$'…'`, behind its `$`: escapes in one shell, none in another.
    pub(super) fn dollar_single_quotes(&mut self) {
        let start = self.at;
        if self.dialect == Dialect::Dash {
            self.single_quotes();
            return;
        }
        self.at += 1;
        let mut escapes = false;
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Char('\'') => {
                    self.at += 1;
                    return;
                }
                Unit::Char('\\') => {
                    escapes |= self.is(1, '\'') || self.is(1, '\\');
                    if escapes && self.dialect == Dialect::Sh {
                        self.lose("where `$'…'` ends differs from shell to shell");
                    }
                    self.at = (self.at + 2).min(self.end);
                    continue;
                }
                Unit::Char('\n') => self.newline_in_quotes(),
                Unit::Char(_) => {}
                Unit::Hole(hole) => self.decide(hole, Decision::Refused(Refusal::SingleQuotes)),
            }
            self.at += 1;
        }
        self.at = self.at.max(start);
        self.lose("a `$'` does not end");
    }

    /// Whether an index of an array comes next, behind a `$name`: zsh needs no braces for that.
    pub(super) fn is_index(&self) -> bool {
        self.dialect == Dialect::Extended && self.is(0, '[')
    }

    /// Text in double quotes, behind the first one.
    pub(super) fn double_quotes(&mut self, word: &mut Word) {
        let mut index = false;
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.word_hole(hole, word, Decision::Inside);
                    if index {
                        self.refuse(hole, "it may stand in the index of an array", REWRITE);
                    }
                }
                Unit::Char(']') => {
                    index = false;
                    self.at += 1;
                }
                Unit::Char('"') => {
                    self.at += 1;
                    return;
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => {
                    self.dollar(Around::DoubleQuotes);
                    index |= self.is_index();
                }
                Unit::Char('`') => self.backticks(Around::DoubleQuotes),
                Unit::Char(c) => {
                    if c == '\n' {
                        self.newline_in_quotes();
                    }
                    self.at += 1;
                }
            }
        }
        self.lose("a double quote does not end");
    }
}
