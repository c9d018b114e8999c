//! The cursor in YAML.

use super::{Cursor, ITEM, Slot};

/// A key or item that what follows may belong to.
#[derive(Debug)]
struct Frame {
    indent: usize,
    key: String,
}

/// What is open in brackets: a list, or a mapping with the key whose value is being written and those before it.
#[derive(Debug)]
enum Bracket {
    List,
    Map {
        key: Option<String>,
        seen: Vec<String>,
    },
}

#[derive(Debug, Default)]
struct Reader {
    frames: Vec<Frame>,
    brackets: Vec<Bracket>,
    /// The text in brackets since the last comma, colon or bracket.
    pending: String,
    quote: Option<char>,
    /// The indentation of the key whose block of text is being read.
    block: Option<usize>,
    comment: bool,
    /// Keys of the innermost mapping, each with its indentation.
    seen: Vec<(usize, String)>,
    slot: Option<Slot>,
}

/// The cursor behind this text.
pub(super) fn read(before: &str) -> Cursor {
    let mut reader = Reader::default();
    let mut lines = before.split('\n').peekable();
    while let Some(line) = lines.next() {
        reader.line(line.trim_end_matches('\r'), lines.peek().is_none());
    }
    reader.finish()
}

impl Reader {
    fn line(&mut self, line: &str, last: bool) {
        self.comment = false;
        if !self.brackets.is_empty() || self.quote.is_some() {
            return self.inline(line);
        }
        self.pending.clear();
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        if let Some(block) = self.block {
            if indent > block || (text.is_empty() && !last) {
                self.slot = Some(Slot::Value);
                return;
            }
            self.block = None;
        }
        if text.is_empty() && !last {
            return;
        }
        if text.starts_with('#') {
            self.comment = true;
            return;
        }
        self.content(text, indent);
    }

    /// What a line holds from its first character on, which stands in that column.
    fn content(&mut self, text: &str, indent: usize) {
        if let Some(item) = text
            .strip_prefix("- ")
            .or(text.strip_prefix('-').filter(|rest| rest.is_empty()))
        {
            self.leave(|frame| {
                frame.indent > indent || (frame.indent == indent && frame.key == ITEM)
            });
            self.seen.retain(|(column, _)| *column <= indent);
            self.frames.push(Frame {
                indent,
                key: ITEM.to_owned(),
            });
            self.slot = Some(Slot::Key);
            let inner = item.trim_start_matches(' ');
            let column = indent + text.len() - inner.len();
            if !inner.is_empty() {
                self.content(inner, column);
            }
            return;
        }
        self.leave(|frame| frame.indent >= indent);
        self.seen.retain(|(column, _)| *column <= indent);
        self.slot = Some(Slot::Key);
        let Some((key, value)) = key_and_value(text) else {
            return self.inline(text);
        };
        self.seen.push((indent, key.clone()));
        self.frames.push(Frame { indent, key });
        self.slot = Some(Slot::Value);
        if value.trim_start().starts_with(['|', '>']) {
            self.block = Some(indent);
            return;
        }
        self.inline(value);
    }

    fn leave(&mut self, left: impl Fn(&Frame) -> bool) {
        while self.frames.last().is_some_and(&left) {
            self.frames.pop();
        }
    }

    /// Text within a line: quotes and brackets.
    fn inline(&mut self, text: &str) {
        let mut before = ' ';
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match (self.quote, c) {
                (Some('"'), '\\') => {
                    chars.next();
                }
                (Some(open), _) if c == open => self.quote = None,
                (Some(_), _) => self.pending.push(c),
                (None, '"' | '\'')
                    if before.is_whitespace() || matches!(before, '[' | '{' | ',' | ':') =>
                {
                    self.quote = Some(c);
                }
                (None, '#') if before.is_whitespace() => {
                    self.comment = true;
                    return;
                }
                (None, '{') if text[at..].starts_with("{{") => {
                    // A template: its braces open nothing.
                    let end = text[at..].find("}}").map_or(text.len(), |end| at + end + 2);
                    while chars.peek().is_some_and(|(next, _)| *next < end) {
                        chars.next();
                    }
                    self.pending.push_str("{{");
                }
                (None, '[' | '{') if self.may_open() => {
                    self.brackets.push(match c {
                        '[' => Bracket::List,
                        _ => Bracket::Map {
                            key: None,
                            seen: Vec::new(),
                        },
                    });
                    self.pending.clear();
                }
                (None, ']' | '}') if !self.brackets.is_empty() => {
                    self.brackets.pop();
                    self.pending.clear();
                    self.pending.push(c);
                }
                (None, ',') if !self.brackets.is_empty() => {
                    if let Some(Bracket::Map { key, .. }) = self.brackets.last_mut() {
                        *key = None;
                    }
                    self.pending.clear();
                }
                (None, ':') if chars.peek().is_none_or(|(_, next)| next.is_whitespace()) => {
                    if let Some(Bracket::Map { key, seen }) = self.brackets.last_mut()
                        && key.is_none()
                    {
                        let name = self.pending.trim().to_owned();
                        seen.push(name.clone());
                        *key = Some(name);
                        self.pending.clear();
                    }
                }
                (None, _) => self.pending.push(c),
            }
            before = c;
        }
    }

    /// Whether a bracket begins a list or mapping here, rather than being a part of a text.
    fn may_open(&self) -> bool {
        self.pending.trim().is_empty()
    }

    fn finish(self) -> Cursor {
        let mut path: Vec<String> = self.frames.iter().map(|frame| frame.key.clone()).collect();
        let mut slot = self.slot.unwrap_or(Slot::Key);
        let column = self.seen.iter().map(|(column, _)| *column).max();
        let mut beside: Vec<String> = self
            .seen
            .iter()
            .filter(|(indent, _)| Some(*indent) == column)
            .map(|(_, key)| key.clone())
            .collect();
        if slot == Slot::Key {
            // Only keys that belong to the innermost frame stand beside.
            let floor = self.frames.last().map_or(0, |frame| frame.indent + 1);
            beside = self
                .seen
                .iter()
                .filter(|(indent, _)| *indent >= floor || self.frames.is_empty())
                .map(|(_, key)| key.clone())
                .collect();
        }
        for bracket in &self.brackets {
            match bracket {
                Bracket::List => {
                    path.push(ITEM.to_owned());
                    slot = Slot::Key;
                }
                Bracket::Map { key, seen } => {
                    beside.clone_from(seen);
                    match key {
                        Some(key) => {
                            path.push(key.clone());
                            slot = Slot::Value;
                        }
                        None => slot = Slot::Key,
                    }
                }
            }
        }
        if self.comment {
            slot = Slot::Nothing;
        }
        Cursor {
            path,
            slot,
            beside,
            word: 0,
        }
    }
}

/// A key and what stands behind its colon.
fn key_and_value(text: &str) -> Option<(String, &str)> {
    let quoted = ['"', '\'']
        .into_iter()
        .find(|quote| text.starts_with(*quote));
    if let Some(quote) = quoted {
        let (key, rest) = text[1..].split_once(quote)?;
        let value = rest.trim_start().strip_prefix(':')?;
        return Some((key.to_owned(), value));
    }
    if text.starts_with(['{', '[', '#']) {
        return None;
    }
    let colon = text
        .match_indices(':')
        .map(|(at, _)| at)
        .find(|at| text[at + 1..].starts_with([' ', '\t']) || at + 1 == text.len())?;
    Some((text[..colon].trim().to_owned(), &text[colon + 1..]))
}
