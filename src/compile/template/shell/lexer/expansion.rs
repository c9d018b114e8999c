//! What a `$` or a backtick begins: parameters, arithmetic, commands.

use super::super::Refusal;
use super::super::words::Word;
use super::{Around, DEPTH, Decision, Dialect, Lexer, RETREATS, REWRITE, Unit, Until};

impl Lexer {
    /// A `$` and what belongs to it.
    pub(super) fn dollar(&mut self, around: Around) {
        self.at += 1;
        match self.peek(0) {
            Some(Unit::Hole(hole)) => {
                self.decide(hole, Decision::Refused(Refusal::Dollar));
                self.at += 1;
            }
            Some(Unit::Char('(')) => {
                self.at += 1;
                if !(self.is(0, '(') && self.arithmetic()) {
                    self.commands(Until::Paren);
                }
            }
            Some(Unit::Char('{')) => {
                self.at += 1;
                self.braces(around);
            }
            Some(Unit::Char('[')) if self.dialect != Dialect::Dash => {
                let close = (0..)
                    .map_while(|i| Some((i, self.peek(i)?)))
                    .find(|(_, unit)| *unit == Unit::Char(']'));
                for ahead in 0..close.map_or(0, |(at, _)| at) {
                    if let Some(Unit::Hole(hole)) = self.peek(ahead) {
                        self.refuse(
                            hole,
                            "`$[…]` is arithmetic in some shells",
                            "write `$((…))`",
                        );
                    }
                }
                self.at += close.map_or(1, |(at, _)| at + 1);
            }
            Some(Unit::Char('\'')) if around == Around::Bare => self.dollar_single_quotes(),
            Some(Unit::Char(c)) if c == '_' || c.is_ascii_alphabetic() => self.name(),
            Some(Unit::Char(c)) if c.is_ascii_digit() || "@*#?-$!".contains(c) => self.at += 1,
            Some(Unit::Char(_)) | None => {}
        }
    }

    fn name(&mut self) {
        while let Some(Unit::Char(c)) = self.peek(0)
            && (c == '_' || c.is_ascii_alphanumeric())
        {
            self.at += 1;
        }
    }

    /// `$((…))`, from its second `(`. If no `))` belongs to it, it is a `$( (…) )`: then nothing has happened.
    fn arithmetic(&mut self) -> bool {
        let start = self.at;
        let (decisions, lost) = (self.decisions.clone(), self.lost);
        let mut parens = 0usize;
        self.at += 1;
        self.depth += 1;
        while let Some(unit) = self.peek(0).filter(|_| self.depth < DEPTH) {
            match unit {
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.decide(hole, Decision::Number);
                }
                Unit::Char('(') => {
                    parens += 1;
                    self.at += 1;
                }
                Unit::Char(')') if parens > 0 => {
                    parens -= 1;
                    self.at += 1;
                }
                Unit::Char(')') if self.is(1, ')') => {
                    self.at += 2;
                    self.depth -= 1;
                    return true;
                }
                Unit::Char(')') => break,
                Unit::Char('"') => {
                    self.at += 1;
                    let mut word = Word::default();
                    self.double_quotes(&mut word);
                    for hole in word.holes {
                        self.number(hole);
                    }
                }
                Unit::Char('\'') => {
                    self.lose("there are single quotes in `$((…))`");
                    self.at += 1;
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => self.dollar(Around::Arithmetic),
                Unit::Char('`') => self.backticks(Around::Arithmetic),
                Unit::Char(_) => self.at += 1,
            }
        }
        self.depth -= 1;
        self.at = start;
        (self.decisions, self.lost) = (decisions, lost);
        self.retreats += 1;
        if self.retreats > RETREATS {
            self.lose("too many `$((` are not arithmetic");
            self.at = self.end;
        }
        false
    }

    /// `` `…` ``.
    pub(super) fn backticks(&mut self, around: Around) {
        const INSTEAD: &str = "write `$(…)` instead of backticks";
        let open = self.at;
        let mut close = None;
        let mut clear = around == Around::Bare;
        let mut at = open + 1;
        while at < self.end {
            match self.units[at] {
                Unit::Char('`') => {
                    close = Some(at);
                    break;
                }
                Unit::Char('\\') => {
                    clear = false;
                    at += 1;
                }
                Unit::Char(_) | Unit::Hole(_) => {}
            }
            at += 1;
        }
        let Some(close) = close else {
            self.lose("a backtick does not end");
            self.at = self.end;
            return;
        };
        let outer = self.end;
        self.at = open + 1;
        self.end = close;
        if clear && self.documents.is_empty() {
            self.commands(Until::End);
            if !self.documents.is_empty() {
                self.lose("a here-document begins in backticks");
            }
        } else {
            for at in open + 1..close {
                if let Unit::Hole(hole) = self.units[at] {
                    self.refuse(hole, "it stands in backticks, among quotes", INSTEAD);
                }
            }
        }
        self.end = outer;
        self.at = close + 1;
    }

    /// `${…}`, behind its brace.
    fn braces(&mut self, around: Around) {
        self.depth += 1;
        if self.depth > DEPTH {
            self.lose("expansions stand in each other too deep");
            self.at = self.end;
        }
        if (self.is(0, '#') || self.is(0, '!')) && !self.is(1, '}') {
            self.at += 1;
        }
        match self.peek(0) {
            Some(Unit::Char(c)) if c == '_' || c.is_ascii_alphabetic() => self.name(),
            Some(Unit::Char(c)) if c.is_ascii_digit() => {
                while matches!(self.peek(0), Some(Unit::Char(c)) if c.is_ascii_digit()) {
                    self.at += 1;
                }
            }
            Some(Unit::Char(c)) if "@*#?-$!".contains(c) => self.at += 1,
            _ => {}
        }
        let colon = usize::from(self.is(0, ':'));
        let operand = match self.peek(colon) {
            Some(Unit::Char('-' | '+' | '?')) => Operand::Word,
            Some(Unit::Char('=')) => Operand::Assigned,
            Some(Unit::Char('#' | '%')) if colon == 0 => Operand::Pattern,
            Some(Unit::Char('}')) if colon == 0 => Operand::Word,
            _ => Operand::Unclear,
        };
        if operand != Operand::Unclear && !self.is(0, '}') {
            self.at += colon + 1;
        }
        self.operand(operand, around);
        self.depth -= 1;
    }

    /// What stands behind the operator in `${…}`, up to its brace.
    fn operand(&mut self, operand: Operand, around: Around) {
        let bare = around == Around::Bare;
        while let Some(unit) = self.peek(0) {
            match unit {
                Unit::Char('}') => {
                    self.at += 1;
                    return;
                }
                Unit::Hole(hole) => {
                    self.at += 1;
                    self.operand_hole(hole, operand, around);
                }
                Unit::Char('\\') => self.escaped(),
                Unit::Char('$') => self.dollar(around),
                Unit::Char('`') => self.backticks(around),
                Unit::Char('\'') if bare || operand == Operand::Pattern => self.single_quotes(),
                Unit::Char('\'') if operand == Operand::Unclear => {
                    self.lose("there is a quote in `${…}`");
                    self.at += 1;
                }
                Unit::Char('"') if bare || operand == Operand::Pattern => {
                    self.at += 1;
                    let mut word = Word::default();
                    let first = self.at;
                    self.double_quotes(&mut word);
                    if operand == Operand::Unclear
                        || around == Around::Document
                        || (operand == Operand::Assigned && bare)
                    {
                        self.refuse_between(first, self.at);
                    }
                }
                Unit::Char('"') => {
                    // In double quotes, shells differ in whether these end or begin quotes.
                    self.at += 1;
                    let first = self.at;
                    let mut word = Word::default();
                    self.double_quotes(&mut word);
                    self.refuse_between(first, self.at);
                }
                Unit::Char(c) => {
                    if c == '\n' {
                        self.newline_in_quotes();
                    }
                    self.at += 1;
                }
            }
        }
        self.lose("a `${` does not end");
    }

    fn refuse_between(&mut self, first: usize, end: usize) {
        for at in first..end.min(self.units.len()) {
            if let Unit::Hole(hole) = self.units[at] {
                self.refuse(hole, "it stands in quotes in a `${…}`", REWRITE);
            }
        }
    }

    fn operand_hole(&mut self, hole: usize, operand: Operand, around: Around) {
        let decision = match (operand, around) {
            (Operand::Unclear, _) => None,
            (_, Around::Arithmetic) => Some(Decision::Number),
            (Operand::Pattern, Around::Document) => None,
            (Operand::Pattern, Around::Bare | Around::DoubleQuotes) => Some(Decision::Word),
            (Operand::Assigned, Around::Bare) => {
                self.refuse(
                    hole,
                    "the words that `${…=…}` makes of it depend on its value",
                    "put double quotes around the `${…}`",
                );
                return;
            }
            (Operand::Word, Around::Bare) => Some(Decision::Word),
            (Operand::Word | Operand::Assigned, Around::DoubleQuotes | Around::Document) => {
                Some(Decision::Inside)
            }
        };
        match decision {
            Some(decision) => self.decide(hole, decision),
            None => self.refuse(
                hole,
                "it stands in a `${…}` that is more than a default or a pattern",
                REWRITE,
            ),
        }
    }
}

/// What the operand of a `${…}` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Word,
    Assigned,
    Pattern,
    Unclear,
}
