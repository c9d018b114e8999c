//! What a child writes, as it comes: to the log, and up to a limit kept.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::process::Stdio;
use std::task::ready;
use std::{future::poll_fn, io};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;

/// As much as a pipe holds on Linux.
const BUFFER: usize = 64 * 1024;

/// The reading end of a pipe.
#[derive(Debug)]
pub struct Pipe(Receiver);

impl Pipe {
    /// A pipe: its reading end, and its writing end for a child.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<(Self, Stdio)> {
        let (reader, writer) = io::pipe()?;
        let receiver = Receiver::from_owned_fd(reader.into())?;
        Ok((Self(receiver), Stdio::from(writer)))
    }

    /// Hands on all that comes, until nobody has the writing end any more.
    pub async fn drain(&mut self, mut take: impl FnMut(&[u8])) {
        // The buffer is on the stack of the moment: a task that waits for output holds none.
        let mut read = async || {
            poll_fn(|context| {
                let mut space = [MaybeUninit::uninit(); BUFFER];
                let mut buffer = ReadBuf::uninit(&mut space);
                let result = ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer));
                take(buffer.filled());
                std::task::Poll::Ready(result.map(|()| buffer.filled().len()))
            })
            .await
        };
        // A pipe that breaks has nothing more to say either.
        while matches!(read().await, Ok(1..)) {}
    }
}

/// The beginning of an output.
#[derive(Debug)]
pub struct Capture {
    limit: usize,
    bytes: Vec<u8>,
    truncated: bool,
}

impl Capture {
    /// Keeps `limit` bytes at most.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
            truncated: false,
        }
    }

    /// Takes some more.
    pub fn take(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.limit - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.truncated |= kept < bytes.len();
    }

    /// All that came, or `None` if that was more than the limit.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        (!self.truncated).then_some(&self.bytes)
    }

    /// As text, without its last newline, and whether some of it is missing: written as JSON, the text is not
    /// longer than the limit. What is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> (String, bool) {
        let mut bytes = self.bytes.as_slice();
        if self.truncated {
            // The limit may have cut a character in two.
            if let Err(error) = std::str::from_utf8(bytes)
                && error.error_len().is_none()
            {
                bytes = &bytes[..error.valid_up_to()];
            }
        } else {
            bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        }
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        let mut written = 0;
        let exceeds = |(_, c): &(usize, char)| {
            written += written_length(*c);
            written > self.limit
        };
        let end = text.char_indices().find(exceeds).map(|(place, _)| place);
        text.truncate(end.unwrap_or(text.len()));
        (text, self.truncated || end.is_some())
    }
}

/// How many bytes a character takes in a JSON string (RFC 8259, 7).
fn written_length(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(limit: usize, pieces: &[&[u8]]) -> (String, bool) {
        let mut capture = Capture::new(limit);
        for piece in pieces {
            capture.take(piece);
        }
        capture.text()
    }

    #[test]
    fn text_loses_its_last_newline_only() {
        assert_eq!(captured(9, &[b"a\n\n"]), ("a\n".to_owned(), false));
        assert_eq!(captured(9, &[b"a", b"b"]), ("ab".to_owned(), false));
        assert_eq!(captured(9, &[]), (String::new(), false));
    }

    #[test]
    fn what_json_writes_in_several_bytes_counts_as_several() {
        for (piece, kept) in [
            ("\0\0", "\0"),
            ("\"\"\"\"\"", "\"\"\"\""),
            ("a\n\n\nabc", "a\n\n\na"),
        ] {
            let (text, truncated) = captured(8, &[piece.as_bytes()]);
            assert_eq!((text.as_str(), truncated), (kept, true));
            assert!(serde_json::to_string(&text).unwrap().len() <= 8 + 2);
        }
        for c in (0..=0x100).filter_map(char::from_u32) {
            let written = serde_json::to_string(&c).unwrap().len() - 2;
            assert_eq!(written_length(c), written, "{c:?}");
        }
    }

    #[test]
    fn the_beginning_is_kept_in_whole_characters() {
        assert_eq!(captured(3, &[b"abc", b"d"]), ("abc".to_owned(), true));
        assert_eq!(captured(3, &["abä".as_bytes()]), ("ab".to_owned(), true));
        assert_eq!(captured(9, &[b"a\xff"]), ("a\u{fffd}".to_owned(), false));
    }
}
