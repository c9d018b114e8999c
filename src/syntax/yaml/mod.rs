//! YAML to the spanned tree. The one module that knows `saphyr-parser`.
//!
//! Text enters, a [`Node`] and problems leave. Plain scalars stay text. Memory and time are bounded whatever the
//! text: by its size, the number of its values, their depth, the size of one value, and what aliases may multiply.
//!
//! Two mistakes that authors make every day (a template or a second colon in a value without quotes) do not end the
//! reading: the value is taken as the text that was meant, so that everything else is reported too.

mod builder;
mod patch;
mod trouble;

use std::cell::Cell;
use std::str::Chars;

use saphyr_parser::Parser;

use self::builder::{Builder, End};
use self::patch::Patches;
use super::problem::Problems;
use super::{Node, Problem, code};
use crate::model::Span;

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 64;
/// How many values a file may have.
const MAX_VALUES: usize = 2_000_000;
/// How many values aliases may repeat.
const MAX_ALIASED: usize = 10_000;
/// How many characters the parser may read for one value. A list in brackets that might be a key counts as one.
const MAX_VALUE_CHARS: usize = 1 << 20;
/// How often a text is read again after a mistake was patched.
const MAX_PATCHES: usize = 32;
/// How many bytes are read in all when it is.
const MAX_REREAD: usize = 16 << 20;

/// Reads the text of the file with that number in its bundle.
///
/// `None` if there is no tree; then there is at least one problem.
pub(super) fn read(file: u16, text: &str, problems: &mut Problems) -> Option<Node> {
    let mut patches = Patches::new(file, text);
    loop {
        let mut attempt = Builder::new(&patches);
        let end = build(&mut attempt, patches.patched());
        let (found, root) = attempt.into_parts();
        match end {
            End::Patch(problem, range)
                if patches.len() < MAX_PATCHES && patches.len() * text.len() < MAX_REREAD =>
            {
                patches.add(range);
                problems.push(problem);
                continue;
            }
            End::Patch(problem, _) | End::Trouble(problem) => {
                found.into_iter().for_each(|p| problems.push(p));
                problems.push(problem);
                return None;
            }
            End::Done => {
                found.into_iter().for_each(|p| problems.push(p));
                return root;
            }
        }
    }
}

fn build(builder: &mut Builder<'_>, text: &str) -> End {
    let budget = Budget::default();
    // A list or mapping in brackets at the very beginning might still become a key, so the parser would hold all of
    // it before it gives anything. Behind a document start on the same line it cannot.
    let start = if patch::begins_with_bracket(text) {
        "--- "
    } else {
        ""
    };
    let chars = start.chars().chain(Budgeted {
        chars: text.chars(),
        budget: &budget,
    });
    let mut place = Cursor::new(text, start.len());
    let mut parser = Parser::new_from_iter(chars);
    loop {
        budget.left.set(MAX_VALUE_CHARS);
        let next = parser.next_event();
        if budget.spent.get() {
            return End::Trouble(value_too_large(builder.last_span()));
        }
        match next {
            None => return builder.finish(),
            Some(Ok((event, span))) => {
                if let Some(end) = builder.take(event, span, &mut place) {
                    return end;
                }
            }
            Some(Err(error)) => {
                let at = place.byte(error.marker().index());
                return trouble::explain(builder, at, error.info());
            }
        }
    }
}

fn value_too_large(span: Span) -> Problem {
    Problem::error(
        code::VALUE_TOO_LARGE,
        span,
        format!(
            "what begins behind this is larger than {} MiB",
            MAX_VALUE_CHARS >> 20
        ),
    )
    .help("keep large texts and lists in files of their own, and give tasks their paths")
}

/// What the parser may still read before it has to give something.
#[derive(Default)]
struct Budget {
    left: Cell<usize>,
    spent: Cell<bool>,
}

struct Budgeted<'t> {
    chars: Chars<'t>,
    budget: &'t Budget,
}

impl Iterator for Budgeted<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let left = self.budget.left.get();
        if left == 0 {
            self.budget.spent.set(true);
            return None;
        }
        self.budget.left.set(left - 1);
        self.chars.next()
    }
}

/// Turns the parser's places, which count characters, into bytes. Places come nearly in order, so it walks.
struct Cursor<'t> {
    text: &'t str,
    skipped: usize,
    index: usize,
    byte: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str, skipped: usize) -> Self {
        Self {
            text,
            skipped,
            index: 0,
            byte: 0,
        }
    }

    fn byte(&mut self, index: usize) -> u32 {
        let index = index.saturating_sub(self.skipped);
        let bytes = self.text.as_bytes();
        let begins = |at: usize| bytes.get(at).is_none_or(|b| (b & 0xc0) != 0x80);
        while self.index < index && self.byte < bytes.len() {
            self.byte += 1;
            while !begins(self.byte) {
                self.byte += 1;
            }
            self.index += 1;
        }
        while self.index > index && self.byte > 0 {
            self.byte -= 1;
            while !begins(self.byte) {
                self.byte -= 1;
            }
            self.index -= 1;
        }
        u32::try_from(self.byte).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
