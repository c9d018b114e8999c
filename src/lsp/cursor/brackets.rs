//! The cursor in the text notation.

use super::{Cursor, ITEM, Slot};

/// What a bracket has opened.
#[derive(Debug)]
struct Frame {
    /// The steps of the path that lead into it.
    steps: Vec<String>,
    /// The bracket that closes it.
    close: char,
    /// The keys in it so far.
    seen: Vec<String>,
}

#[derive(Debug, Default)]
struct Reader {
    frames: Vec<Frame>,
    /// The words of the entry that is being written.
    words: Vec<String>,
    /// `=` or `:`, if it has been written.
    sign: Option<char>,
    top: Vec<String>,
}

/// The cursor behind this text.
pub(super) fn read(before: &str) -> Cursor {
    let mut reader = Reader::default();
    let mut rest = before;
    let mut ended_in_text = false;
    let mut in_comment = false;
    let mut word_at_end = false;
    while let Some(c) = rest.chars().next() {
        (ended_in_text, in_comment, word_at_end) = (false, false, false);
        let taken = match c {
            '#' => {
                in_comment = true;
                rest.find('\n').unwrap_or(rest.len())
            }
            '"' | '\'' => {
                let (length, closed) = text(rest, c);
                ended_in_text = !closed;
                if closed && reader.sign.is_none() {
                    let word = rest[1..length].trim_matches(c);
                    reader.words.push(word.to_owned());
                }
                length
            }
            _ if c.is_alphanumeric() || c == '_' => {
                let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
                let length = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
                if reader.sign != Some('=') {
                    reader.words.push(rest[..length].to_owned());
                }
                word_at_end = true;
                length
            }
            _ => {
                reader.sign(c, rest);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
        if in_comment && !rest.is_empty() {
            in_comment = false;
        }
    }
    reader.finish(ended_in_text, in_comment, word_at_end)
}

/// How long a text in quotes is, and whether it ends.
fn text(rest: &str, quote: char) -> (usize, bool) {
    if quote == '"' && rest.starts_with("\"\"\"") {
        return match rest[3..].find("\"\"\"") {
            Some(end) => (end + 6, true),
            None => (rest.len(), false),
        };
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return (at, true),
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return (at + 1, true),
            _ => {}
        }
    }
    (rest.len(), false)
}

impl Reader {
    fn sign(&mut self, c: char, rest: &str) {
        match c {
            '{' | '[' | '(' => {
                let steps = self.steps(c);
                self.note();
                self.frames.push(Frame {
                    steps,
                    close: match c {
                        '{' => '}',
                        '[' => ']',
                        _ => ')',
                    },
                    seen: Vec::new(),
                });
                self.clear();
            }
            '}' | ']' | ')' => {
                if let Some(at) = self.frames.iter().rposition(|frame| frame.close == c) {
                    self.frames.truncate(at);
                }
                self.clear();
            }
            '\n' | ',' => {
                self.note();
                self.clear();
            }
            '=' if !rest.starts_with("==") && self.sign != Some('=') => self.sign = Some('='),
            ':' if self.sign.is_none() => self.sign = Some(':'),
            _ => {}
        }
    }

    /// The steps into what this bracket opens.
    fn steps(&self, open: char) -> Vec<String> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let in_list = self.frames.last().is_some_and(|frame| frame.close == ']');
        let mut steps = match (words.as_slice(), self.sign, open) {
            (["flow", ..], None, '{') if self.frames.is_empty() => Vec::new(),
            // In `tasks = [ … ]` it is an item; else it is as under `tasks`.
            (["task", name], None, '{') if in_list => vec![(*name).to_owned()],
            (["task", name], None, '{') => vec!["tasks".to_owned(), (*name).to_owned()],
            // `port: port = 8080 { … }`
            ([name, ..], Some(':'), _) => vec![(*name).to_owned()],
            ([name, ..], _, _) => vec![(*name).to_owned()],
            ([], _, _) => Vec::new(),
        };
        if open == '[' {
            steps.push(ITEM.to_owned());
        } else if in_list && !matches!(words.as_slice(), ["task", _]) {
            steps.insert(0, ITEM.to_owned());
        }
        // An item's step is there already.
        steps.dedup_by(|a, b| a == ITEM && b == ITEM);
        steps
    }

    /// Notes the key of the entry that ends here.
    fn note(&mut self) {
        let Some(key) = self.words.first().cloned() else {
            return;
        };
        match self.frames.last_mut() {
            Some(frame) => frame.seen.push(key),
            None => self.top.push(key),
        }
    }

    fn clear(&mut self) {
        self.words.clear();
        self.sign = None;
    }

    fn finish(self, in_text: bool, in_comment: bool, word_at_end: bool) -> Cursor {
        let mut path: Vec<String> = self
            .frames
            .iter()
            .flat_map(|frame| frame.steps.iter().cloned())
            .collect();
        // A task in a list is told by its name; the list's own step is not one of the tree.
        let task_list = path
            .windows(2)
            .position(|pair| pair[0] == "tasks" && pair[1] == ITEM);
        if let Some(at) = task_list
            && path.len() > at + 2
        {
            path.remove(at + 1);
        }
        let mut slot = Slot::Key;
        if self.sign.is_some()
            && let Some(key) = self.words.first()
        {
            path.push(key.clone());
            if self.sign == Some(':') {
                path.push("type".to_owned());
            }
            slot = Slot::Value;
        } else if in_text || (self.words.len() > 1 && word_at_end) {
            slot = Slot::Nothing;
        }
        if in_comment {
            slot = Slot::Nothing;
        }
        Cursor {
            path,
            slot,
            beside: self
                .frames
                .into_iter()
                .next_back()
                .map_or(self.top, |frame| frame.seen),
            word: 0,
        }
    }
}
