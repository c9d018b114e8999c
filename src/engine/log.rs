//! The log of one attempt: output enters as it comes, masked chunks of bounded size leave for the writer.
//!
//! It never blocks the task and never holds more than a fixed number of bytes. The first 256 KiB and the last 1 MiB
//! of an attempt's output are kept; what is left out in the middle is noted with its size. The last of the output
//! leaves with the attempt's outcome, so that it is durable no later than the outcome is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::mask::Masker;
use super::{Observer, Writer};
use crate::model::{Duration, JobId, Phase, Timestamp, format_size};
use crate::ports::{Clock, LogBatch, LogChunk, LogSink, LogTrim, Stream, within};

/// The largest chunk, in bytes; so much that is waiting is handed over at once.
const CHUNK: usize = 16 << 10;
/// How much is kept of the beginning, in bytes.
const HEAD: usize = 256 << 10;
/// How much is kept of the end, in bytes.
const TAIL: usize = 1 << 20;
/// By how much the end may grow beyond `TAIL` before it is cut, so that not every chunk costs a cut.
const SLACK: usize = 256 << 10;
/// How long output waits for more of it.
const PAUSE: Duration = Duration::from_millis(100);
/// Past the head, as much output as this costs one `PAUSE` before the next: a firehose must not fill the store.
const PACE: usize = 64 << 10;

/// Whose output it is.
#[derive(Debug, Clone)]
pub(super) struct Author {
    pub(super) job: JobId,
    pub(super) task: String,
    pub(super) attempt: u32,
    pub(super) phase: Phase,
}

/// The output of one attempt on its way to the store.
pub(super) struct AttemptLog {
    author: Author,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    masker: Option<Arc<Masker>>,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

/// Output that has not been handed over.
#[derive(Default)]
struct Waiting {
    closed: bool,
    /// For each stream, what may be the beginning of a secret.
    held: [Vec<u8>; 3],
    /// How many bytes of the head have come.
    begun: usize,
    head: VecDeque<Piece>,
    tail: VecDeque<Piece>,
    /// Bytes in `head`, and in `tail`.
    head_bytes: usize,
    tail_bytes: usize,
    /// Bytes that were left out between `head` and `tail`.
    dropped: u64,
    /// What was handed over.
    sent: Sent,
}

/// What has been handed over, as far as it may have to be forgotten again.
#[derive(Default)]
struct Sent {
    next: i64,
    /// The pace at which more is handed over: bytes of the last batch past the head.
    last: usize,
    blocks: VecDeque<Block>,
    bytes: usize,
    forgotten: u64,
}

/// A run of chunks that are forgotten together.
struct Block {
    first: i64,
    end: i64,
    bytes: usize,
}

struct Piece {
    stream: Stream,
    at: Timestamp,
    bytes: Vec<u8>,
}

impl AttemptLog {
    pub(super) fn new(
        author: Author,
        clock: Arc<dyn Clock>,
        observer: Option<Arc<dyn Observer>>,
        masker: Option<Arc<Masker>>,
    ) -> Self {
        Self {
            author,
            clock,
            observer,
            masker,
            waiting: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Hands output over to the writer as it becomes due. Dropping the future loses nothing.
    pub(super) async fn pump(&self, writer: &Writer) -> Infallible {
        loop {
            self.due().await;
            let Some(room) = writer.room().await else {
                // The writer has ended: nothing will be durable any more.
                return std::future::pending().await;
            };
            let answered = room.send(self.take(false));
            if let Ok(Err(error)) = answered.await {
                tracing::warn!(task = %self.author.task, %error, "output of a task was lost");
            }
        }
    }

    /// What is left to be handed over; whatever comes after is ignored.
    pub(super) fn finish(&self) -> LogBatch {
        self.take(true)
    }

    async fn due(&self) {
        let pause = loop {
            {
                let waiting = self.lock();
                if waiting.is_full() {
                    return;
                }
                if waiting.head_bytes + waiting.tail_bytes > 0 {
                    let paces = u32::try_from(waiting.sent.last / PACE).unwrap_or(u32::MAX);
                    break PAUSE * paces.max(1);
                }
            }
            self.changed.notified().await;
        };
        let full = async {
            while !self.lock().is_full() {
                self.changed.notified().await;
            }
        };
        // Late or early, it is due now.
        let _ = within(self.clock.as_ref(), pause, full).await;
    }

    fn take(&self, last: bool) -> LogBatch {
        let mut waiting = self.lock();
        if last {
            waiting.closed = true;
            if let Some(masker) = &self.masker {
                let now = self.clock.now();
                for stream in [Stream::Stdout, Stream::Stderr] {
                    let mut held = std::mem::take(&mut waiting.held[stream as usize]);
                    let mut out = Vec::new();
                    masker.finish(&mut held, &mut out);
                    waiting.accept(stream, now, &out);
                }
            }
        }
        let batch = waiting.hand_over(&self.author, self.clock.as_ref(), last);
        drop(waiting);
        if let Some(observer) = &self.observer {
            for chunk in &batch.chunks {
                observer.logged(chunk);
            }
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for AttemptLog {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut waiting = self.lock();
        if waiting.closed || bytes.is_empty() {
            return;
        }
        let now = self.clock.now();
        match &self.masker {
            None => waiting.accept(stream, now, bytes),
            Some(masker) => {
                let mut held = std::mem::take(&mut waiting.held[stream as usize]);
                let mut out = Vec::with_capacity(bytes.len());
                masker.feed(&mut held, bytes, &mut out);
                waiting.held[stream as usize] = held;
                waiting.accept(stream, now, &out);
            }
        }
        drop(waiting);
        self.changed.notify_one();
    }
}

impl Waiting {
    /// Whether so much of the head is waiting that it is handed over without a pause.
    fn is_full(&self) -> bool {
        self.head_bytes >= CHUNK
    }

    fn accept(&mut self, stream: Stream, at: Timestamp, bytes: &[u8]) {
        let (head, tail) = bytes.split_at(bytes.len().min(HEAD - self.begun));
        self.begun += head.len();
        self.head_bytes += head.len();
        append(&mut self.head, stream, at, head);
        // Of a write that is larger than what is kept, only the end is copied.
        let skipped = tail.len().saturating_sub(TAIL);
        self.dropped += skipped as u64;
        let tail = &tail[skipped..];
        self.tail_bytes += tail.len();
        append(&mut self.tail, stream, at, tail);
        while self.tail_bytes > TAIL
            && let Some(oldest) = self.tail.pop_front()
        {
            self.tail_bytes -= oldest.bytes.len();
            self.dropped += oldest.bytes.len() as u64;
        }
    }

    fn hand_over(&mut self, author: &Author, clock: &dyn Clock, last: bool) -> LogBatch {
        let mut batch = LogBatch::default();
        for piece in self.head.drain(..) {
            batch.chunks.push(self.sent.chunk(author, piece));
        }
        self.sent.last = self.tail_bytes;
        if self.dropped > 0 {
            let text = format!("[{} bytes of output are left out here]\n", self.dropped);
            let note = Piece::note(clock.now(), text);
            batch
                .chunks
                .push(self.sent.chunk_past_head(author, note, 0));
        }
        for piece in self.tail.drain(..) {
            let bytes = piece.bytes.len();
            batch
                .chunks
                .push(self.sent.chunk_past_head(author, piece, bytes));
        }
        (self.head_bytes, self.tail_bytes, self.dropped) = (0, 0, 0);
        let allowed = if last { TAIL } else { TAIL + SLACK };
        batch.trims.extend(self.sent.forget(author, allowed));
        if last && self.sent.forgotten > 0 {
            let text = format!(
                "[of this output, {} bytes in the middle were forgotten: the first {} and the last {} are kept]\n",
                self.sent.forgotten,
                format_size(HEAD as u64),
                format_size(TAIL as u64),
            );
            let note = Piece::note(clock.now(), text);
            batch.chunks.push(self.sent.chunk(author, note));
        }
        batch
    }
}

impl Sent {
    fn chunk(&mut self, author: &Author, piece: Piece) -> LogChunk {
        let n = self.next;
        self.next += 1;
        LogChunk {
            id: 0,
            job: author.job,
            task: author.task.clone(),
            attempt: author.attempt,
            phase: author.phase,
            n,
            stream: piece.stream,
            at: piece.at,
            bytes: piece.bytes,
        }
    }

    fn chunk_past_head(&mut self, author: &Author, piece: Piece, bytes: usize) -> LogChunk {
        let chunk = self.chunk(author, piece);
        self.bytes += bytes;
        match self.blocks.back_mut() {
            Some(block) if block.bytes < CHUNK => {
                block.end = self.next;
                block.bytes += bytes;
            }
            Some(_) | None => self.blocks.push_back(Block {
                first: chunk.n,
                end: self.next,
                bytes,
            }),
        }
        chunk
    }

    /// If more than `allowed` bytes past the head are kept, forgets the oldest down to `TAIL`.
    fn forget(&mut self, author: &Author, allowed: usize) -> Option<LogTrim> {
        if self.bytes <= allowed {
            return None;
        }
        let first = self.blocks.front()?.first;
        let mut end = first;
        while self.bytes > TAIL
            && let Some(block) = self.blocks.pop_front()
        {
            self.bytes -= block.bytes;
            self.forgotten += block.bytes as u64;
            end = block.end;
        }
        Some(LogTrim {
            job: author.job,
            task: author.task.clone(),
            attempt: author.attempt,
            phase: author.phase,
            first,
            end,
        })
    }
}

impl Piece {
    fn note(at: Timestamp, text: String) -> Self {
        Self {
            stream: Stream::Note,
            at,
            bytes: text.into_bytes(),
        }
    }
}

fn append(pieces: &mut VecDeque<Piece>, stream: Stream, at: Timestamp, mut bytes: &[u8]) {
    if let Some(last) = pieces.back_mut()
        && last.stream == stream
        && last.bytes.len() < CHUNK
    {
        let (fits, rest) = bytes.split_at(bytes.len().min(CHUNK - last.bytes.len()));
        last.bytes.extend_from_slice(fits);
        bytes = rest;
    }
    for part in bytes.chunks(CHUNK) {
        pieces.push_back(Piece {
            stream,
            at,
            bytes: part.to_vec(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemClock;

    fn log(masker: Option<Masker>) -> AttemptLog {
        let author = Author {
            job: JobId(uuid::Uuid::nil()),
            task: "build".to_owned(),
            attempt: 1,
            phase: Phase::Execute,
        };
        AttemptLog::new(author, Arc::new(SystemClock), None, masker.map(Arc::new))
    }

    /// What a store would have kept of these batches.
    fn kept(batches: &[LogBatch]) -> Vec<LogChunk> {
        let mut chunks: Vec<LogChunk> = Vec::new();
        for batch in batches {
            chunks.extend(batch.chunks.iter().cloned());
            for trim in &batch.trims {
                chunks.retain(|chunk| !(trim.first..trim.end).contains(&chunk.n));
            }
        }
        chunks
    }

    fn text(chunks: &[LogChunk]) -> Vec<u8> {
        let output = chunks.iter().filter(|chunk| chunk.stream != Stream::Note);
        output.flat_map(|chunk| chunk.bytes.clone()).collect()
    }

    fn notes(chunks: &[LogChunk]) -> Vec<String> {
        let notes = chunks.iter().filter(|chunk| chunk.stream == Stream::Note);
        notes
            .map(|chunk| String::from_utf8(chunk.bytes.clone()).unwrap())
            .collect()
    }

    #[test]
    fn streams_keep_their_order_and_numbers_rise() {
        let log = log(None);
        log.write(Stream::Stdout, b"one\n");
        log.write(Stream::Stdout, b"two\n");
        log.write(Stream::Stderr, b"oh\n");
        let first = log.take(false);
        log.write(Stream::Stdout, b"three\n");
        let rest = log.finish();
        log.write(Stream::Stdout, b"too late\n");
        let chunks = kept(&[first, rest, log.take(true)]);
        let seen: Vec<_> = chunks
            .iter()
            .map(|c| {
                (
                    c.n,
                    c.stream,
                    String::from_utf8_lossy(&c.bytes).into_owned(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (0, Stream::Stdout, "one\ntwo\n".to_owned()),
                (1, Stream::Stderr, "oh\n".to_owned()),
                (2, Stream::Stdout, "three\n".to_owned()),
            ]
        );
    }

    #[test]
    fn a_secret_cut_by_two_writes_is_masked() {
        let log = log(Masker::new(["hunter2"]));
        log.write(Stream::Stdout, b"it is hun");
        let first = log.take(false);
        log.write(Stream::Stderr, b"hunt\n");
        log.write(Stream::Stdout, b"ter2\n");
        let chunks = kept(&[first, log.finish()]);
        assert_eq!(text(&chunks), b"it is hunt\n***\n");
    }

    #[test]
    fn a_firehose_keeps_its_first_and_its_last_bytes_and_says_what_is_missing() {
        let log = log(None);
        let total = 8 << 20;
        let output: Vec<u8> = (0..total / 8)
            .flat_map(|i| format!("{i:07}\n").into_bytes())
            .collect();
        let mut batches = Vec::new();
        for (i, part) in output.chunks(40_000).enumerate() {
            log.write(Stream::Stdout, part);
            if i % 40 == 0 {
                batches.push(log.take(false));
            }
        }
        batches.push(log.finish());
        let chunks = kept(&batches);
        let kept_text = text(&chunks);
        assert!(
            kept_text.len() >= HEAD + TAIL - 2 * CHUNK,
            "{}",
            kept_text.len()
        );
        assert!(
            kept_text.len() <= HEAD + TAIL + 2 * CHUNK,
            "{}",
            kept_text.len()
        );
        assert_eq!(kept_text[..HEAD], output[..HEAD]);
        let end = TAIL - 2 * CHUNK;
        assert_eq!(kept_text[kept_text.len() - end..], output[total - end..]);
        assert!(!notes(&chunks).is_empty());
        let numbers: Vec<i64> = chunks.iter().map(|chunk| chunk.n).collect();
        assert!(numbers.is_sorted());
    }

    #[test]
    fn what_was_left_out_and_what_was_forgotten_add_up() {
        let log = log(None);
        let mut batches = Vec::new();
        for _ in 0..5 {
            log.write(Stream::Stdout, &vec![b'x'; 3 << 20]);
            batches.push(log.take(false));
        }
        batches.push(log.finish());
        let said: u64 = batches
            .iter()
            .flat_map(|batch| notes(&batch.chunks))
            .filter_map(|note| {
                note.split(' ')
                    .find_map(|word| word.trim_start_matches('[').parse::<u64>().ok())
            })
            .sum();
        let chunks = kept(&batches);
        assert_eq!(said + text(&chunks).len() as u64, 15 << 20);
    }

    #[test]
    fn one_enormous_write_costs_no_more_than_what_is_kept() {
        let log = log(None);
        log.write(Stream::Stdout, &vec![b'x'; 64 << 20]);
        let batch = log.finish();
        let bytes: usize = batch.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes <= HEAD + TAIL + 200, "{bytes}");
    }
}
