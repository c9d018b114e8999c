//! Masks: no secret leaves the conductor in output, results or failures.
//!
//! Text and bytes enter, the same leave with `***` in the place of every secret, also if one arrives in pieces.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use aho_corasick::AhoCorasick;

use super::forms::{self, PART};
use crate::model::{Failure, Value};

const MASK: &str = "***";

/// Knows the secrets of a job, in the forms in which they may show up.
pub(super) struct Masker {
    finder: AhoCorasick,
    /// In order.
    forms: Vec<String>,
    longest: usize,
}

impl fmt::Debug for Masker {
    /// Tells nothing of what it knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker")
    }
}

impl Masker {
    /// A masker for these secrets; `None` if there is nothing to mask.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            forms::add(&mut forms, secret);
        }
        let forms: Vec<String> = forms.into_iter().collect();
        let longest = forms.iter().map(String::len).max()?;
        // Overlapping matches are wanted: where two secrets overlap, both are masked whole.
        let finder = AhoCorasick::new(&forms).ok()?;
        Some(Self {
            finder,
            forms,
            longest,
        })
    }

    /// The stretches of `bytes` that are secret, in order, none overlapping another.
    fn stretches(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = self
            .finder
            .find_overlapping_iter(bytes)
            .map(|m| (m.start(), m.end()))
            .collect();
        found.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::with_capacity(found.len());
        for (start, end) in found {
            match merged.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                Some(_) | None => merged.push((start, end)),
            }
        }
        merged
    }

    /// Where the end of `bytes` may be the beginning of a secret.
    fn open_end(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(self.longest - 1);
        (from..bytes.len())
            .find(|at| {
                let end = &bytes[*at..];
                let after = self.forms.partition_point(|form| form.as_bytes() <= end);
                let next = self.forms.get(after);
                next.is_some_and(|form| form.as_bytes().starts_with(end))
            })
            .unwrap_or(bytes.len())
    }

    /// The stretches of bytes that are all that comes. What may have been cut off in the middle of a secret, by a
    /// limit or because its process was ended, is secret too.
    fn stretches_to_the_end(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut stretches = self.stretches(bytes);
        let open = self.open_end(bytes);
        if bytes.len() - open >= PART {
            match stretches.last_mut() {
                Some(last) if open < last.1 => last.1 = bytes.len(),
                Some(_) | None => stretches.push((open, bytes.len())),
            }
        }
        stretches
    }

    /// Takes the next bytes of a stream, whose undecided end is in `held`, and appends what is decided to `out`.
    pub(super) fn feed(&self, held: &mut Vec<u8>, bytes: &[u8], out: &mut Vec<u8>) {
        held.extend_from_slice(bytes);
        let stretches = self.stretches(held);
        let mut decided = self.open_end(held);
        for (start, end) in &stretches {
            if *start < decided && decided < *end {
                decided = *start;
            }
        }
        write_masked(held, &stretches, decided, out);
        held.drain(..decided);
    }

    /// Ends a stream.
    pub(super) fn finish(&self, held: &mut Vec<u8>, out: &mut Vec<u8>) {
        let stretches = self.stretches_to_the_end(held);
        write_masked(held, &stretches, held.len(), out);
        held.clear();
    }

    /// Masks text.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let stretches = self.stretches_to_the_end(text.as_bytes());
        if stretches.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        write_masked(text.as_bytes(), &stretches, text.len(), &mut out);
        // Secrets are whole text, so what is left between them is too.
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    /// Masks every text in a value, the keys of mappings included, and numbers that are a secret as a whole.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => match self.text(&text) {
                Cow::Borrowed(_) => Value::String(text),
                Cow::Owned(masked) => Value::String(masked),
            },
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, item)| (self.text(&key).into_owned(), self.value(item)))
                    .collect(),
            ),
            Value::Number(number) if self.forms.contains(&number.to_string()) => Value::from(MASK),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// Masks a failure's message.
    pub(super) fn failure(&self, mut failure: Failure) -> Failure {
        failure.message = self.text(&failure.message).into_owned();
        failure
    }
}

fn write_masked(bytes: &[u8], stretches: &[(usize, usize)], end: usize, out: &mut Vec<u8>) {
    let mut at = 0;
    for (from, to) in stretches.iter().take_while(|(_, to)| *to <= end) {
        out.extend_from_slice(&bytes[at..*from]);
        out.extend_from_slice(MASK.as_bytes());
        at = *to;
    }
    out.extend_from_slice(&bytes[at..end]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn in_pieces(masker: &Masker, text: &str, size: usize) -> String {
        let (mut held, mut out) = (Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            masker.feed(&mut held, piece, &mut out);
        }
        masker.finish(&mut held, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        let masker = Masker::new(["hunter2", "terrible"]).unwrap();
        let text = "a hunter2, hunterrible, hunt";
        for size in 1..=text.len() {
            assert_eq!(
                in_pieces(&masker, text, size),
                "a ***, hun***, hunt",
                "{size}"
            );
        }
    }

    #[test]
    fn secrets_that_overlap_are_masked_whole() {
        let masker = Masker::new(["xab", "abcd"]).unwrap();
        for size in 1..=6 {
            assert_eq!(in_pieces(&masker, "-xabcd-", size), "-***-", "{size}");
        }
    }

    #[test]
    fn only_what_may_become_a_secret_is_held_back() {
        let masker = Masker::new(["hunter2"]).unwrap();
        let (mut held, mut out) = (Vec::new(), Vec::new());
        masker.feed(&mut held, b"ready\n", &mut out);
        assert_eq!(out, b"ready\n");
    }

    #[test]
    fn a_secret_is_masked_in_its_escaped_forms_and_line_by_line() {
        let masker = Masker::new(["a\"b/c", "first line\nsecond line"]).unwrap();
        let text = r#"a%22b%2Fc a\"b/c a"b/c second line"#;
        assert_eq!(masker.text(text), "*** *** *** ***");
    }

    #[test]
    fn a_secret_that_was_cut_off_is_masked() {
        let masker = Masker::new(["correct horse battery"]).unwrap();
        assert_eq!(masker.text("it is correct horse"), "it is ***");
        assert_eq!(masker.text("it is correct"), "it is correct");
        assert_eq!(in_pieces(&masker, "it is correct hor", 3), "it is ***");
        let both = "correct horse battery correct horse batt";
        assert_eq!(masker.text(both), "*** ***");
    }

    #[test]
    fn what_knows_secrets_does_not_tell_them() {
        let masker = Masker::new(["hunter2"]).unwrap();
        assert_eq!(format!("{masker:?}"), "Masker");
    }

    #[test]
    fn values_are_masked_to_their_leaves() {
        let masker = Masker::new(["hunter2", "4711"]).unwrap();
        let value = json!({"hunter2": ["xhunter2x", 4711, 47_112, null, true]});
        assert_eq!(
            masker.value(value),
            json!({"***": ["x***x", "***", 47_112, null, true]})
        );
    }

    #[test]
    fn nothing_to_mask_is_no_masker() {
        assert!(Masker::new([]).is_none());
        assert!(Masker::new([""]).is_none());
    }
}
