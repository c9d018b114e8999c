//! A small lexer of POSIX shell scripts: only what tells in what kind of place a template stands.
//!
//! Follows "Shell Command Language" of POSIX.1-2024 (2.2 quoting, 2.3 token recognition, 2.6 word expansions,
//! 2.7.4 here-documents), and knows what bash, ksh and zsh add where that changes the place of a template. Once it
//! cannot tell where it is, every template that follows is refused.

mod commands;
mod document;
mod expansion;
mod quotes;

use super::{Decision, Dialect, Raw, Refusal};

/// How deep expansions may stand in each other.
const DEPTH: usize = 60;

/// How often something that begins as arithmetic may turn out to be none.
const RETREATS: usize = 50;

const REWRITE: &str =
    "assign the value to a variable on a line of its own (`value={{ … }}`) and use that here";

/// What becomes of each template of a script.
pub(super) fn decide(raw: &[Raw], dialect: Dialect) -> Vec<Decision> {
    let mut units = Vec::new();
    let mut holes = 0;
    for piece in raw {
        match piece {
            Raw::Text(text) => units.extend(text.chars().map(Unit::Char)),
            Raw::Expression(..) => {
                units.push(Unit::Hole(holes));
                holes += 1;
            }
        }
    }
    let mut lexer = Lexer {
        at: 0,
        end: units.len(),
        units,
        dialect,
        decisions: vec![None; holes],
        documents: Vec::new(),
        lost: None,
        depth: 0,
        retreats: 0,
        integers: false,
    };
    lexer.commands(Until::End);
    if !lexer.documents.is_empty() {
        lexer.lose("a here-document has no text");
    }
    let lost = lexer.lost;
    lexer
        .decisions
        .into_iter()
        .map(|decision| match (decision, lost) {
            (Some(Decision::Refused(refusal)), _) => Decision::Refused(refusal),
            (_, Some(why)) => Decision::Refused(Refusal::Unclear(why, REWRITE)),
            (Some(decision), None) => decision,
            (None, None) => Decision::Refused(Refusal::Unclear("it was not reached", REWRITE)),
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Char(char),
    Hole(usize),
}

/// What a run of commands ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    Paren,
}

/// What stands around an expansion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Bare,
    DoubleQuotes,
    Document,
    Arithmetic,
}

/// A here-document whose text is still to come.
#[derive(Debug)]
struct Document {
    delimiter: String,
    strip: bool,
    quoted: bool,
}

struct Lexer {
    units: Vec<Unit>,
    at: usize,
    end: usize,
    dialect: Dialect,
    decisions: Vec<Option<Decision>>,
    documents: Vec<Document>,
    /// Why it can no longer be told what anything is.
    lost: Option<&'static str>,
    depth: usize,
    /// How often something that began as arithmetic was none.
    retreats: usize,
    /// A variable may have the integer attribute: assigning to it evaluates arithmetic.
    integers: bool,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<Unit> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.units[at])
    }

    fn is(&self, ahead: usize, c: char) -> bool {
        self.peek(ahead) == Some(Unit::Char(c))
    }

    fn lose(&mut self, why: &'static str) {
        self.lost.get_or_insert(why);
    }

    fn decide(&mut self, hole: usize, decision: Decision) {
        self.decisions[hole] = Some(decision);
    }

    fn refuse(&mut self, hole: usize, why: &'static str, instead: &'static str) {
        self.decide(hole, Decision::Refused(Refusal::Unclear(why, instead)));
    }
}
