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
    /// The terminal's height at the last frame.
    height: usize,
    /// How many rows of the region a terminal that was made lower has pushed out at its top.
    pushed_out: usize,
}

impl Screen {
    /// An empty region below what has been printed so far.
    #[must_use]
    pub fn new() -> Self {
        Self {
            colour: has_colour(),
            drawn: Vec::new(),
            last: Vec::new(),
            height: 0,
            pushed_out: 0,
        }
    }

    /// Puts `lines` in the place of what stood there. Lines are cut to the terminal's width, and only as many
    /// as fit are drawn.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, lines: Vec<Line>) -> io::Result<()> {
        let Some(frame) = self.frame(lines, size()) else {
            return Ok(());
        };
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// Forgets what stands there, so that the next frame is written whatever it holds: somebody may have typed.
    pub fn forget(&mut self) {
        self.last.clear();
    }

    /// What is to be written on a terminal of this width and height; `None` if it stands there already.
    fn frame(&mut self, lines: Vec<Line>, (width, height): (usize, usize)) -> Option<String> {
        let room = height.saturating_sub(1).max(1);
        let lines: Vec<Line> = lines
            .into_iter()
            .take(room)
            .map(|line| line.fit(width.saturating_sub(1)))
            .collect();
        let texts: Vec<String> = lines.iter().map(|line| line.render(self.colour)).collect();
        let rows = self.rows(width);
        let pushed_out = rows.saturating_sub(room);
        self.pushed_out += pushed_out;
        // A terminal that is made higher may take back what it has pushed out. One that does not has the region at
        // its top, where going up further does nothing.
        let taken_back = self
            .pushed_out
            .min(height.saturating_sub(self.height.max(1)));
        self.pushed_out -= taken_back;
        self.height = height;
        if texts == self.last && pushed_out == 0 && taken_back == 0 {
            return None;
        }
        let mut frame = String::from("\x1b[?2026h\r");
        match rows + taken_back {
            0 => {}
            up => frame.push_str(&format!("\x1b[{up}A")),
        }
        for text in &texts {
            frame.push_str(text);
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        self.drawn = lines.iter().map(Line::width).collect();
        self.last = texts;
        Some(frame)
    }

    /// How many rows the region takes. A terminal that was made narrower has broken long lines into several.
    fn rows(&self, width: usize) -> usize {
        self.drawn
            .iter()
            .map(|columns| columns.div_ceil(width.max(1)).max(1))
            .sum()
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::PLAIN;
    use super::*;

    /// A terminal that keeps what it pushes out at its top, and takes it back when it is made higher, as tmux does.
    struct Terminal {
        past: Vec<String>,
        rows: Vec<String>,
        cursor: usize,
        height: usize,
        takes_back: bool,
    }

    impl Terminal {
        fn new(height: usize, takes_back: bool) -> Self {
            Self {
                past: Vec::new(),
                rows: vec!["$ jobrunner run".to_owned(), String::new()],
                cursor: 1,
                height,
                takes_back,
            }
        }

        fn resize(&mut self, height: usize) {
            if self.cursor >= height {
                let out = self.cursor + 1 - height;
                self.past.extend(self.rows.drain(..out));
                self.cursor -= out;
            } else if height > self.height && self.takes_back {
                let back = self.past.len().min(height - self.height);
                let taken = self.past.split_off(self.past.len() - back);
                self.rows.splice(..0, taken);
                self.cursor += back;
            }
            self.rows.truncate(height);
            self.height = height;
        }

        fn write(&mut self, frame: &str) {
            let mut rest = frame;
            while let Some(c) = rest.chars().next() {
                if let Some(escape) = rest.strip_prefix("\x1b[") {
                    let end = escape.find(char::is_alphabetic).unwrap();
                    let (number, end) = (&escape[..end], end + 1);
                    match &escape[end - 1..end] {
                        "A" => {
                            self.cursor = self.cursor.saturating_sub(number.parse().unwrap());
                            // What comes next is written over what stands there.
                            self.rows[self.cursor].clear();
                        }
                        "J" => {
                            self.rows.truncate(self.cursor);
                            self.rows.push(String::new());
                        }
                        "K" | "h" | "l" => {}
                        other => panic!("{other}"),
                    }
                    rest = &escape[end..];
                    continue;
                }
                match c {
                    '\r' => self.rows[self.cursor].clear(),
                    '\n' => {
                        self.cursor += 1;
                        if self.cursor == self.height {
                            self.past.push(self.rows.remove(0));
                            self.cursor -= 1;
                        }
                        if self.cursor == self.rows.len() {
                            self.rows.push(String::new());
                        }
                        self.rows[self.cursor].clear();
                    }
                    c => self.rows[self.cursor].push(c),
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    fn tree(frame: usize) -> Vec<Line> {
        let line = |row| Line::new().with(PLAIN, format!("row {row} of frame {frame}"));
        (0..8).map(line).collect()
    }

    #[test]
    fn a_terminal_made_lower_and_higher_again_shows_the_region_once() {
        for takes_back in [true, false] {
            let mut terminal = Terminal::new(12, takes_back);
            let mut screen = Screen::new();
            let heights = [12, 12, 5, 5, 8, 6, 12, 12];
            for (frame, height) in heights.into_iter().enumerate() {
                terminal.resize(height);
                let text = screen.frame(tree(frame), (80, height)).unwrap();
                terminal.write(&text);
                let shown: Vec<&str> = terminal.rows.iter().map(String::as_str).collect();
                let expected: Vec<String> = (0..8.min(height - 1))
                    .map(|row| format!("row {row} of frame {frame}"))
                    .collect();
                let at = shown.len() - 1 - expected.len();
                assert_eq!(shown[at..shown.len() - 1], expected, "height {height}");
                let stale = shown[..at]
                    .iter()
                    .filter(|row| row.starts_with("row"))
                    .count();
                assert_eq!(stale, 0, "height {height}: {shown:#?}");
            }
        }
    }

    #[test]
    fn what_stands_there_already_is_not_written_again() {
        let mut screen = Screen::new();
        assert!(screen.frame(tree(1), (80, 24)).is_some());
        assert!(screen.frame(tree(1), (80, 24)).is_none());
        screen.forget();
        assert!(screen.frame(tree(1), (80, 24)).is_some());
    }
}
