//! The terminal: how large it is, whether it takes colours, and a region that is redrawn in place.
//!
//! Lines enter, and each frame leaves in one write, as one synchronized update, so that nothing flickers.

use std::io::{self, IsTerminal, Write};

use super::line::Line;

/// The terminal's width and height in characters; 80 by 24 if it does not tell.
#[must_use]
pub fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        }
        _ => (80, 24),
    }
}

/// Whether standard output is a terminal that can be redrawn.
#[must_use]
pub fn is_live() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether standard output takes colours (`NO_COLOR`, `CLICOLOR_FORCE`, or whether it is a terminal).
#[must_use]
pub fn has_colour() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A region at the bottom of the terminal that is redrawn in place.
#[derive(Debug)]
pub struct Screen {
    colour: bool,
    /// The widths of the lines that stand there now.
    drawn: Vec<usize>,
    /// The last frame, so that nothing is written while nothing changes.
    last: Vec<String>,
}

impl Screen {
    /// An empty region below what has been printed so far.
    #[must_use]
    pub fn new() -> Self {
        Self {
            colour: has_colour(),
            drawn: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Puts `lines` in the place of what stood there. Lines are cut to the terminal's width, and only as many
    /// as fit are drawn.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, lines: Vec<Line>) -> io::Result<()> {
        let (width, height) = size();
        let lines: Vec<Line> = lines
            .into_iter()
            .take(height.saturating_sub(1).max(1))
            .map(|line| line.fit(width.saturating_sub(1)))
            .collect();
        let texts: Vec<String> = lines.iter().map(|line| line.render(self.colour)).collect();
        if texts == self.last {
            return Ok(());
        }
        let mut frame = String::from("\x1b[?2026h");
        frame.push_str(&self.back_to_top(width));
        for text in &texts {
            frame.push_str(text);
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        self.drawn = lines.iter().map(Line::width).collect();
        self.last = texts;
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// Forgets what stands there, so that the next frame is written whatever it holds: somebody may have typed.
    pub fn forget(&mut self) {
        self.last.clear();
    }

    /// To the first line of the region. A terminal that was made narrower has broken long lines into several.
    fn back_to_top(&self, width: usize) -> String {
        let rows: usize = self
            .drawn
            .iter()
            .map(|columns| columns.div_ceil(width.max(1)).max(1))
            .sum();
        match rows {
            0 => "\r".to_owned(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}
