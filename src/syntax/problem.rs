//! What is wrong with a flow, with its place.

use super::{Code, Notation, code};
use crate::model::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The flow cannot be run.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

/// Something that is wrong with a flow: a stable code, the place, what is wrong in the author's words, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of problem it is.
    pub code: Code,
    /// What is wrong: a fragment without a full stop, names in backticks.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What stands at that place, in a few words; may be empty.
    pub label: String,
    /// Other places that explain it, each with a few words.
    pub related: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
    /// The same for the text notation, as long as nobody has told which notation the file has.
    in_text: Option<String>,
    /// A word that is written at the place and the one that was probably meant, as long as nobody has the text.
    meant: Option<(String, String)>,
}

impl Problem {
    /// An error at a place.
    #[must_use]
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span,
            label: String::new(),
            related: Vec::new(),
            help: None,
            in_text: None,
            meant: None,
        }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Says in a few words what stands at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Names another place that explains it.
    #[must_use]
    pub fn related(mut self, span: Span, what: impl Into<String>) -> Self {
        self.related.push((span, what.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do in the words of each notation: YAML, and the text notation.
    #[must_use]
    pub fn help_in(mut self, yaml: impl Into<String>, text: impl Into<String>) -> Self {
        self.help = Some(yaml.into());
        self.in_text = Some(text.into());
        self
    }

    /// Says that another word was probably meant than the one that is written at the place. The corrected line stands
    /// behind it once the text is at hand.
    #[must_use]
    pub(crate) fn did_you_mean(mut self, written: &str, meant: &str) -> Self {
        self.meant = Some((written.to_owned(), meant.to_owned()));
        self.help(format!("did you mean `{meant}`?"))
    }

    /// Keeps the words of the notation of its file, and adds the line with the word that was meant.
    #[must_use]
    pub(crate) fn spoken(mut self, notation: Notation, source: &str) -> Self {
        let text = self.in_text.take();
        if notation == Notation::Text {
            self.help = text.or(self.help);
        }
        if let (Some((written, meant)), Some(help)) = (self.meant.take(), &mut self.help) {
            let place = word_within(source, self.span, &written);
            let line = place.map(|place| corrected(source, place, &meant));
            if let Some(line) = line.filter(|line| !line.is_empty()) {
                help.push_str(&format!(" write: {line}"));
            }
        }
        self
    }
}

/// The most problems that are shown of one flow.
pub const MAX_PROBLEMS: usize = 100;

/// Problems as they are found. Bounded, however many there are.
#[derive(Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    uncounted: usize,
}

impl Problems {
    /// The most that are kept before they are put in order: what comes after these is only counted.
    pub const MAX_KEPT: usize = 2_000;

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        if self.is_full() {
            self.uncounted += 1;
        } else {
            self.kept.push(problem);
        }
    }

    /// Adds those that were found in a text of which `broken` could not be understood: what they say about these places,
    /// and what seems to be missing there, is told already.
    pub(super) fn extend_beside(&mut self, more: Self, broken: &[Span]) {
        let inside = |problem: &Problem| {
            let before = broken.partition_point(|b| b.end <= problem.span.start);
            let inside = broken
                .get(before)
                .is_some_and(|b| b.start <= problem.span.start);
            let missing = [code::NO_TASKS, code::NO_KIND].contains(&problem.code);
            inside || (missing && !broken.is_empty())
        };
        self.uncounted += more.uncounted;
        let others = more.kept.into_iter().filter(|problem| !inside(problem));
        others.for_each(|problem| self.push(problem));
    }

    /// Whether there are so many that it is not worth the while to say clever things about another one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kept.len() >= Self::MAX_KEPT
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept.len() + self.uncounted
    }

    /// In the order of their places, each once, at most [`MAX_PROBLEMS`] and one that says how many more there are.
    #[must_use]
    pub fn into_arranged(self) -> Vec<Problem> {
        bounded(self.kept, self.uncounted)
    }
}

/// Puts problems in the order of their places, each once, at most [`MAX_PROBLEMS`] and one that says how many more
/// there are. Arranging twice is the same as once.
#[must_use]
pub fn arrange(problems: Vec<Problem>) -> Vec<Problem> {
    bounded(problems, 0)
}

fn bounded(mut problems: Vec<Problem>, uncounted: usize) -> Vec<Problem> {
    // The one that says how many more there are stays the last.
    let rank = |p: &Problem| p.code == code::TOO_MANY_PROBLEMS;
    problems.sort_by(|a, b| {
        (
            rank(a),
            a.span.file,
            a.span.start,
            a.severity,
            a.span.end,
            a.code,
        )
            .cmp(&(
                rank(b),
                b.span.file,
                b.span.start,
                b.severity,
                b.span.end,
                b.code,
            ))
            .then_with(|| a.message.cmp(&b.message))
    });
    problems.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
    if problems.last().is_some_and(rank) || problems.len() <= MAX_PROBLEMS {
        return problems;
    }
    let more = problems.len() - MAX_PROBLEMS + uncounted;
    let at = problems[MAX_PROBLEMS].span;
    problems.truncate(MAX_PROBLEMS);
    let what = if more == 1 { "problem" } else { "problems" };
    problems.push(
        Problem::error(code::TOO_MANY_PROBLEMS, at, format!("{more} more {what}"))
            .help("correct those above first: many of the others may have the same cause"),
    );
    problems
}

/// A key that a mapping has already.
#[must_use]
pub(super) fn duplicate_key(name: &str, span: Span, first: Span) -> Problem {
    Problem::error(
        code::DUPLICATE_KEY,
        span,
        format!("`{}` stands here a second time", shown(name)),
    )
    .label("again")
    .related(first, "the first time")
    .help("give one of them another name, or leave it out")
}

/// Text as a message may show it: in one line, and not too long.
#[must_use]
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The place of a word within a place, if it stands there once: not as a part of a longer one.
fn word_within(text: &str, span: Span, word: &str) -> Option<Span> {
    const LONGEST: usize = 200;
    let within = text
        .get(span.range())
        .filter(|within| within.len() <= LONGEST)?;
    let part = |c: char| c == '_' || c.is_alphanumeric();
    let mut places = within.match_indices(word).filter(|(at, _)| {
        let before = within[..*at].chars().next_back();
        let after = within[at + word.len()..].chars().next();
        !before.is_some_and(|c| part(c) || c == '.') && !after.is_some_and(part)
    });
    let (at, _) = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let at = span.start + u32::try_from(at).ok()?;
    Some(Span {
        file: span.file,
        start: at,
        end: at + u32::try_from(word.len()).ok()?,
    })
}

/// The line of `text` with what stands at `span` replaced: what to write instead. Empty if that is not one short line.
#[must_use]
pub(super) fn corrected(text: &str, span: Span, with: &str) -> String {
    // Only as much is looked at as may be shown: a file may be one line of megabytes.
    const LONGEST: usize = 100;
    let bytes = text.as_bytes();
    let ends = |b: &u8| matches!(b, b'\n' | b'\r');
    let (start, end) = (span.start as usize, span.end as usize);
    let written = text.get(span.range()).unwrap_or("");
    if end.saturating_sub(start) > LONGEST || written.contains(['\n', '\r']) {
        return String::new();
    }
    let window = start.saturating_sub(LONGEST);
    let first = match bytes[window..start].iter().rposition(ends) {
        Some(at) => window + at + 1,
        None if window == 0 => 0,
        None => return String::new(),
    };
    let window = (end + LONGEST).min(bytes.len());
    let last = match bytes[end..window].iter().position(ends) {
        Some(at) => end + at,
        None if window == bytes.len() => window,
        None => return String::new(),
    };
    let (Some(before), Some(after)) = (text.get(first..start), text.get(end..last)) else {
        return String::new();
    };
    let after = after.split(" #").next().unwrap_or("");
    if with.contains(['\n', '\r']) || before.len() + with.len() + after.len() > LONGEST {
        return String::new();
    }
    format!("{}{with}{}", before.trim_start(), after.trim_end())
}

/// Of `candidates`, the one that `word` was probably meant to be.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let far = |candidate: &str| 1 + candidate.len().min(word.len()) / 4;
    candidates
        .into_iter()
        // A distance is at least the difference in length; this keeps a huge word cheap.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 4 * far(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= far(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: u32) -> Problem {
        let span = Span {
            file: 0,
            start,
            end: start + 1,
        };
        Problem::error(code::UNKNOWN_KEY, span, format!("problem {start}"))
    }

    #[test]
    fn problems_come_in_the_order_of_the_text_and_each_once() {
        let arranged = arrange(vec![at(9), at(2), at(9), at(4)]);
        assert_eq!(arranged, [at(2), at(4), at(9)]);
    }

    #[test]
    fn too_many_problems_are_counted_instead_of_shown() {
        let mut problems = Problems::default();
        (0..5_000).for_each(|n| problems.push(at(n)));
        let arranged = problems.into_arranged();
        assert_eq!(arranged.len(), MAX_PROBLEMS + 1);
        assert_eq!(arranged[MAX_PROBLEMS].message, "4900 more problems");
        assert_eq!(arrange(arranged.clone()), arranged);
    }

    #[test]
    fn a_guess_is_close_or_not_made() {
        assert_eq!(did_you_mean("shel", ["exec", "shell"]), Some("shell"));
        assert_eq!(did_you_mean("teh", ["the"]), Some("the"));
        assert_eq!(did_you_mean("fetch", ["exec", "shell"]), None);
        assert_eq!(did_you_mean(&"x".repeat(1 << 20), ["exec"]), None);
    }
}
