//! Here-documents.

use super::super::Refusal;
use super::{Around, Decision, Document, Lexer, Unit};

impl Lexer {
    /// The delimiter of a here-document, behind its `<<`.
    pub(super) fn delimiter(&mut self) {
        let strip = self.is(0, '-');
        if strip {
            self.at += 1;
        }
        while self.is(0, ' ') || self.is(0, '\t') {
            self.at += 1;
        }
        let mut document = Document {
            delimiter: String::new(),
            strip,
            quoted: false,
        };
        let mut quote = None;
        while let Some(unit) = self.peek(0) {
            let c = match unit {
                Unit::Hole(hole) => {
                    self.refuse(
                        hole,
                        "it is the delimiter of a here-document",
                        "write the delimiter out",
                    );
                    self.lose("a here-document has a template as its delimiter");
                    self.at += 1;
                    continue;
                }
                Unit::Char(c) => c,
            };
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (None, '\'' | '"') => {
                    document.quoted = true;
                    quote = Some(c);
                }
                (None | Some('"'), '\\') => {
                    document.quoted = true;
                    self.at += 1;
                    match self.peek(0) {
                        Some(Unit::Char(c)) => document.delimiter.push(c),
                        Some(Unit::Hole(_)) | None => continue,
                    }
                }
                (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                (_, '$' | '`' | '\n') => {
                    self.lose("the delimiter of a here-document is not a plain word");
                    document.delimiter.push(c);
                }
                (_, c) => document.delimiter.push(c),
            }
            self.at += 1;
        }
        if document.delimiter.is_empty() && !document.quoted {
            self.lose("a here-document has no delimiter");
        }
        self.documents.push(document);
    }

    /// The texts of the here-documents that have begun, from the beginning of a line.
    pub(super) fn document_texts(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            let start = self.at;
            let Some((text_end, next)) = self.document_end(&document) else {
                self.lose("a here-document does not end");
                self.at = self.end;
                return;
            };
            if document.quoted {
                for at in start..text_end {
                    if let Unit::Hole(hole) = self.units[at] {
                        self.decide(hole, Decision::Refused(Refusal::QuotedHereDocument));
                    }
                }
            } else {
                let outer = self.end;
                self.end = text_end;
                self.document_text();
                self.end = outer;
            }
            self.at = next;
        }
    }

    /// Where the text of a here-document ends, and where the script goes on.
    fn document_end(&mut self, document: &Document) -> Option<(usize, usize)> {
        let mut line = self.at;
        let mut continued = false;
        while line < self.end {
            let newline = (line..self.end).find(|at| self.units[*at] == Unit::Char('\n'));
            let end = newline.unwrap_or(self.end);
            let mut content = &self.units[line..end];
            while document.strip && content.first() == Some(&Unit::Char('\t')) {
                content = &content[1..];
            }
            let is_end = content.len() == document.delimiter.chars().count()
                && content
                    .iter()
                    .zip(document.delimiter.chars())
                    .all(|(unit, c)| *unit == Unit::Char(c));
            let backslashes = content
                .iter()
                .rev()
                .take_while(|unit| **unit == Unit::Char('\\'))
                .count();
            if is_end {
                if continued {
                    self.lose("a backslash stands before the end of a here-document");
                }
                return Some((line, newline.map_or(end, |at| at + 1)));
            }
            continued = !document.quoted && backslashes % 2 == 1;
            line = newline? + 1;
        }
        None
    }

    /// The text of a here-document whose delimiter is not quoted.
    fn document_text(&mut self) {
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.decide(hole, Decision::Inside);
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => self.dollar(Around::Document),
                Unit::Char('`') => self.backticks(Around::Document),
                Unit::Char(_) => self.at += 1,
            }
        }
    }
}
