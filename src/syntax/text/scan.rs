//! The first look at a text: whether its quotes and brackets end, and how deep they are nested.
//!
//! A text enters; problems leave, and how much of it the grammar can be given. Linear in the text, with a stack of its
//! own, so that the grammar never sees brackets deeper than it can bear.

use super::{MAX_DEPTH, MAX_VALUES};
use crate::model::Span;
use crate::syntax::problem::{Problems, shown};
use crate::syntax::{Problem, code};

/// What a first look finds.
pub(super) struct Scanned {
    /// The bytes that the grammar can be given.
    pub readable: usize,
    /// Whether the tree of them is what was meant, as far as brackets tell.
    pub whole: bool,
}

/// A bracket that is open.
struct Open {
    at: usize,
    bracket: u8,
    line: Line,
    /// How many quotes did not end before it.
    unclosed_quotes: usize,
}

/// A line: where it begins, and how far it is indented.
#[derive(Clone, Copy, PartialEq)]
struct Line {
    start: usize,
    indent: usize,
}

struct Scan<'t> {
    file: u16,
    text: &'t str,
    line: Line,
    open: Vec<Open>,
    /// A bracket whose closing one is indented less than its own line, so that it probably closes another one.
    suspect: Option<Open>,
    unclosed_quotes: usize,
    values: usize,
}

/// Looks at the whole text.
pub(super) fn scan(file: u16, text: &str, problems: &mut Problems) -> Scanned {
    let mut scan = Scan {
        file,
        text,
        line: Line {
            start: 0,
            indent: indent(text, 0),
        },
        open: Vec::new(),
        suspect: None,
        unclosed_quotes: 0,
        values: 0,
    };
    match scan.run(problems) {
        Ok(()) => Scanned {
            readable: text.len(),
            whole: true,
        },
        Err((readable, problem)) => {
            problem.into_iter().for_each(|p| problems.push(*p));
            Scanned {
                readable,
                whole: false,
            }
        }
    }
}

/// Up to where the text can be read, and why not further, if that is not told already.
type Trouble = (usize, Option<Box<Problem>>);

impl Scan<'_> {
    fn run(&mut self, problems: &mut Problems) -> Result<(), Trouble> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let next = match bytes[at] {
                b'#' => self.line_end(at),
                b'"' if self.text[at..].starts_with("\"\"\"") => self.block(at)?,
                b'"' => self.quoted(at, problems),
                // An apostrophe within a word begins no text.
                b'\''
                    if !at
                        .checked_sub(1)
                        .is_some_and(|b| bytes[b].is_ascii_alphanumeric()) =>
                {
                    self.quoted(at, problems)
                }
                b'{' | b'[' | b'(' => self.open(at, bytes[at])?,
                b'}' | b']' | b')' => self.close(at, bytes[at])?,
                b'\n' => {
                    self.begin_line(at + 1);
                    self.count(at)?;
                    at + 1
                }
                b',' | b'=' | b':' => {
                    self.count(at)?;
                    at + 1
                }
                _ => at + 1,
            };
            at = next;
        }
        match self.open.first() {
            None => Ok(()),
            Some(_) => Err(self.unclosed()),
        }
    }

    fn begin_line(&mut self, start: usize) {
        self.line = Line {
            start,
            indent: indent(self.text, start),
        };
    }

    fn count(&mut self, at: usize) -> Result<(), Trouble> {
        self.values += 1;
        if self.values <= MAX_VALUES {
            return Ok(());
        }
        let problem = Problem::error(
            code::TOO_MANY_VALUES,
            self.span(at, at + 1),
            format!("the file has more than {MAX_VALUES} values"),
        );
        Err((0, Some(problem.help("split the flow").into())))
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..]
            .find(['\n', '\r'])
            .map_or(self.text.len(), |end| at + end)
    }

    fn block(&mut self, at: usize) -> Result<usize, Trouble> {
        let inside = &self.text[at + 3..];
        if let Some(length) = inside.find("\"\"\"") {
            if let Some(last) = inside[..length].rfind('\n') {
                self.begin_line(at + 3 + last + 1);
            }
            return Ok(at + 3 + length + 3);
        }
        let problem = Problem::error(
            code::UNCLOSED_QUOTE,
            self.span(at, at + 3),
            "a block of text begins here and does not end",
        );
        Err((
            at,
            Some(
                problem
                    .help("put `\"\"\"` on a line of its own behind it")
                    .into(),
            ),
        ))
    }

    fn quoted(&mut self, at: usize, problems: &mut Problems) -> usize {
        let bytes = self.text.as_bytes();
        let quote = bytes[at];
        let mut end = at + 1;
        while end < bytes.len() && !matches!(bytes[end], b'\n' | b'\r') {
            match bytes[end] {
                b'\\' if !matches!(bytes.get(end + 1), None | Some(b'\n' | b'\r')) => end += 2,
                c if c == quote => return end + 1,
                _ => end += 1,
            }
        }
        self.unclosed_quotes += 1;
        let (what, help) = if quote == b'"' {
            (
                "a text in quotes begins here and does not end in its line",
                "put the closing quote at the end of the text; a text of several lines stands between `\"\"\"` and `\"\"\"`",
            )
        } else {
            (
                "a text in quotes begins here and does not end in its line",
                "put the closing quote at the end of the text; if it is an apostrophe, put the whole text in double quotes",
            )
        };
        problems.push(Problem::error(code::UNCLOSED_QUOTE, self.span(at, at + 1), what).help(help));
        end
    }

    fn open(&mut self, at: usize, bracket: u8) -> Result<usize, Trouble> {
        if self.open.len() >= MAX_DEPTH {
            return Err((0, Some(super::too_deep(self.span(at, at + 1)).into())));
        }
        self.open.push(Open {
            at,
            bracket,
            line: self.line,
            unclosed_quotes: self.unclosed_quotes,
        });
        Ok(at + 1)
    }

    fn close(&mut self, at: usize, bracket: u8) -> Result<usize, Trouble> {
        let here = self.span(at, at + 1);
        let found = char::from(bracket);
        let Some(open) = self.open.last() else {
            let problem = Problem::error(
                code::UNCLOSED_BRACKET,
                here,
                format!("`{found}` closes nothing"),
            );
            let help = "leave it out, or write the bracket that it is to close";
            return Err((at, Some(problem.help(help).into())));
        };
        if closing(open.bracket) == bracket {
            let closes = self.open.pop();
            let first = at == self.line.start + self.line.indent;
            let odd = |open: &Open| open.line != self.line && open.line.indent > self.line.indent;
            if self.suspect.is_none() {
                self.suspect = closes.filter(|open| first && odd(open));
            }
            return Ok(at + 1);
        }
        // A quote that does not end has swallowed the bracket, and is told already.
        if self.unclosed_quotes > open.unclosed_quotes {
            return Err((open.at, None));
        }
        let (begin, opener) = (open.at, char::from(open.bracket));
        let close = char::from(closing(open.bracket));
        let problem = Problem::error(
            code::UNCLOSED_BRACKET,
            here,
            format!("`{close}` is missing before this `{found}`"),
        )
        .related(
            self.span(begin, begin + 1),
            format!("`{opener}` is opened here"),
        )
        .help(format!("close what `{opener}` opens with `{close}`"));
        Err((self.cut().min(at), Some(problem.into())))
    }

    /// The end of the text, with brackets that are open.
    fn unclosed(&self) -> Trouble {
        let innermost = self.open.last();
        let Some(open) = self.suspect.as_ref().or(innermost) else {
            return (self.text.len(), None);
        };
        if self.unclosed_quotes > open.unclosed_quotes {
            return (self.cut(), None);
        }
        let opener = char::from(open.bracket);
        let close = char::from(closing(open.bracket));
        let what = match open.bracket {
            b'[' => "this list",
            b'(' => "this parenthesis",
            _ => "what this brace opens",
        };
        let line = self.text[open.line.start..open.at].trim();
        let label = match line.is_empty() {
            true => format!("opened with `{opener}`"),
            false => format!("`{}` is opened here", shown(line)),
        };
        let problem = Problem::error(
            code::UNCLOSED_BRACKET,
            self.span(open.at, open.at + 1),
            format!("{what} does not end"),
        )
        .label(label)
        .help(format!("close it with `{close}`"));
        (self.cut(), Some(problem.into()))
    }

    /// Up to where the text can be given to the grammar: a brace may be left open there, other brackets may not.
    fn cut(&self) -> usize {
        self.open
            .iter()
            .find(|open| open.bracket != b'{')
            .map_or(self.text.len(), |open| open.at)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        super::span(self.file, start, end)
    }
}

/// How far the line that begins at `start` is indented.
fn indent(text: &str, start: usize) -> usize {
    let line = &text[start..];
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn closing(bracket: u8) -> u8 {
    match bracket {
        b'{' => b'}',
        b'[' => b']',
        _ => b')',
    }
}
