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

    /// Whether there was more than the limit.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The bytes that were kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As text, without its last newline. What is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let mut bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        if self.truncated {
            // The limit may have cut a character in two.
            if let Err(error) = std::str::from_utf8(bytes)
                && error.error_len().is_none()
            {
                bytes = &bytes[..error.valid_up_to()];
            }
        }
        String::from_utf8_lossy(bytes).into_owned()
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
        (capture.text(), capture.is_truncated())
    }

    #[test]
    fn text_loses_its_last_newline_only() {
        assert_eq!(captured(9, &[b"a\n\n"]), ("a\n".to_owned(), false));
        assert_eq!(captured(9, &[b"a", b"b"]), ("ab".to_owned(), false));
        assert_eq!(captured(9, &[]), (String::new(), false));
    }

    #[test]
    fn the_beginning_is_kept_in_whole_characters() {
        assert_eq!(captured(3, &[b"abc", b"d"]), ("abc".to_owned(), true));
        assert_eq!(captured(3, &["abä".as_bytes()]), ("ab".to_owned(), true));
        assert_eq!(captured(3, &[b"a\xff"]), ("a\u{fffd}".to_owned(), false));
    }
}
