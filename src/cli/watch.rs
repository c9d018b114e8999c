//! What is known of a job while it runs: its progress, and the last lines of what its tasks put out.
//!
//! It takes records and output from whoever has them (the engine in this process, or the store when another one
//! runs the job) and never blocks those. Whoever draws looks at it.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::line::Line;
use super::narration::narrate;
use super::progress::Progress;
use crate::engine::Observer;
use crate::model::{Change, JobId, Phase, Record, Subject};
use crate::ports::{LogChunk, Stream};

/// A job that is being watched.
#[derive(Debug)]
pub struct Watch {
    seen: Mutex<Seen>,
    changed: Notify,
    narrates: bool,
}

/// What has been seen of a job.
#[derive(Debug)]
pub struct Seen {
    /// How far it is.
    pub progress: Progress,
    /// What its tasks put out last.
    pub tails: Tails,
    /// What has been worth telling and has not been told.
    pub news: Vec<Line>,
    /// What is away, and is waited for.
    away: Vec<&'static str>,
    /// What has gone away or come back, in words, and has not been told.
    pub notices: Vec<String>,
}

impl Watch {
    /// A watch over a job. With `narrates`, what happens is put in words as well.
    #[must_use]
    pub fn new(progress: Progress, narrates: bool) -> Self {
        let seen = Seen {
            progress,
            tails: Tails::default(),
            news: Vec::new(),
            away: Vec::new(),
            notices: Vec::new(),
        };
        Self {
            seen: Mutex::new(seen),
            changed: Notify::new(),
            narrates,
        }
    }

    /// What has been seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        // A panic elsewhere leaves a picture that is good enough to be drawn.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when something has been seen since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Observer for Watch {
    fn committed(&self, job: JobId, records: &[Record]) {
        let mut guard = self.seen();
        let seen = &mut *guard;
        if seen.progress.job != job {
            return;
        }
        for record in records {
            if self.narrates {
                seen.news.extend(narrate(&seen.progress, record));
            }
            if let (Subject::Atom(atom), Change::Succeeded { .. }) =
                (record.subject, &record.change)
                && let Some(atom) = seen.progress.plan.atoms.get(atom.index())
            {
                seen.tails.forget(&atom.name);
            }
            seen.progress.apply(record);
        }
        drop(guard);
        self.changed.notify_one();
    }

    fn logged(&self, chunk: &LogChunk) {
        let mut seen = self.seen();
        if seen.progress.job == chunk.job {
            seen.tails.take(chunk);
        }
        // No notice: output alone is drawn with the next picture.
    }

    fn away(&self, what: &'static str, why: &dyn Error) {
        let mut seen = self.seen();
        if seen.away.contains(&what) {
            return;
        }
        seen.away.push(what);
        // That it is not available is said already.
        let said = why.to_string();
        let why = match (said.split_once("not available: "), why.source()) {
            (Some((_, why)), _) => why.to_owned(),
            (None, Some(source)) => source.to_string(),
            (None, None) => said,
        };
        seen.notices
            .push(format!("the {what} is away; waiting for it: {why}"));
        drop(seen);
        self.changed.notify_one();
    }

    fn back(&self, what: &'static str) {
        let mut seen = self.seen();
        let before = seen.away.len();
        seen.away.retain(|away| *away != what);
        if seen.away.len() < before {
            seen.notices.push(format!("the {what} is back"));
            drop(seen);
            self.changed.notify_one();
        }
    }
}

/// The last lines that tasks put out.
#[derive(Debug, Default)]
pub struct Tails(HashMap<(String, Phase), Tail>);

#[derive(Debug, Default)]
struct Tail {
    attempt: u32,
    lines: VecDeque<String>,
    /// The last line is not ended.
    open: bool,
}

/// So many lines are kept of each task.
const LINES: usize = 12;
/// So many bytes of each line, and of the end of each piece of output, are looked at.
const LINE_BYTES: usize = 400;

impl Tails {
    /// Takes in a piece of output.
    pub fn take(&mut self, chunk: &LogChunk) {
        let key = (chunk.task.clone(), chunk.phase);
        let tail = self.0.entry(key).or_default();
        if tail.attempt != chunk.attempt {
            *tail = Tail {
                attempt: chunk.attempt,
                ..Tail::default()
            };
        }
        let bytes = &chunk.bytes[chunk.bytes.len().saturating_sub(LINES * LINE_BYTES)..];
        if chunk.stream == Stream::Note && tail.open {
            tail.open = false;
        }
        for piece in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            tail.piece(piece);
        }
    }

    /// The last lines of one side of a task.
    pub fn lines(&self, task: &str, phase: Phase) -> impl Iterator<Item = &str> {
        self.0
            .get(&(task.to_owned(), phase))
            .into_iter()
            .flat_map(|tail| tail.lines.iter().map(String::as_str))
    }

    /// The last line of a task that says something.
    #[must_use]
    pub fn last(&self, task: &str) -> Option<String> {
        self.0
            .get(&(task.to_owned(), Phase::Execute))?
            .lines
            .iter()
            .rev()
            .find(|line| !line.trim().is_empty())
            .cloned()
    }

    fn forget(&mut self, task: &str) {
        self.0.remove(&(task.to_owned(), Phase::Execute));
    }
}

impl Tail {
    fn piece(&mut self, piece: &str) {
        let ended = piece.ends_with('\n');
        // What stands before a carriage return has been written over.
        let text = piece.trim_end_matches(['\n', '\r']);
        let text = text.rsplit('\r').next().unwrap_or(text);
        let text = &text[..text.floor_char_boundary(LINE_BYTES)];
        match self.lines.back_mut() {
            Some(line) if self.open && line.len() < LINE_BYTES => line.push_str(text),
            Some(_) if self.open => {}
            _ => {
                if self.lines.len() == LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(text.to_owned());
            }
        }
        self.open = !ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn chunk(attempt: u32, text: &str) -> LogChunk {
        LogChunk {
            id: 0,
            job: JobId(uuid::Uuid::nil()),
            task: "a".to_owned(),
            attempt,
            phase: Phase::Execute,
            n: 0,
            stream: Stream::Stdout,
            at: Timestamp(0),
            bytes: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn lines_are_put_together_from_pieces_and_only_the_last_are_kept() {
        let mut tails = Tails::default();
        for text in ["one\ntw", "o\n10%\r90%", "\rdone\n"] {
            tails.take(&chunk(1, text));
        }
        let lines: Vec<&str> = tails.lines("a", Phase::Execute).collect();
        assert_eq!(lines, ["one", "two", "90%done"]);
        for n in 0..100 {
            tails.take(&chunk(1, &format!("{n}\n")));
        }
        assert_eq!(tails.lines("a", Phase::Execute).count(), LINES);
        assert_eq!(tails.last("a").as_deref(), Some("99"));
    }

    #[test]
    fn a_new_attempt_begins_with_nothing() {
        let mut tails = Tails::default();
        tails.take(&chunk(1, "old\n"));
        tails.take(&chunk(2, "new\n"));
        assert_eq!(
            tails.lines("a", Phase::Execute).collect::<Vec<_>>(),
            ["new"]
        );
    }
}
