//! A line of styled text: what the tree, the tables and the narration are made of.
//!
//! Enters text of any kind (also what a task printed), leaves text that takes exactly the columns that it says:
//! control characters are taken out, wide characters count twice. It never prints.

use anstyle::{AnsiColor, Color, Effects, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// As the terminal writes by itself.
pub const PLAIN: Style = Style::new();
/// What matters less.
pub const DIM: Style = Style::new().effects(Effects::DIMMED);
/// Names.
pub const BOLD: Style = Style::new().effects(Effects::BOLD);
/// What went well.
pub const GREEN: Style = coloured(AnsiColor::Green);
/// What went wrong.
pub const RED: Style = coloured(AnsiColor::Red);
/// What is being undone, or needs a look.
pub const YELLOW: Style = coloured(AnsiColor::Yellow);
/// What runs.
pub const CYAN: Style = coloured(AnsiColor::Cyan);
/// What waits for a person.
pub const MAGENTA: Style = coloured(AnsiColor::Magenta);

const fn coloured(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// A line of styled text, without its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    spans: Vec<(Style, String)>,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text; control characters in it become spaces or nothing.
    #[must_use]
    pub fn with(mut self, style: Style, text: impl AsRef<str>) -> Self {
        self.push(style, text);
        self
    }

    /// Adds text; control characters in it become spaces or nothing.
    pub fn push(&mut self, style: Style, text: impl AsRef<str>) {
        let text = printable(text.as_ref());
        if !text.is_empty() {
            self.spans.push((style, text));
        }
    }

    /// Adds another line's text.
    pub fn append(&mut self, other: Self) {
        self.spans.extend(other.spans);
    }

    /// Adds spaces until the line is `columns` wide.
    pub fn pad_to(&mut self, columns: usize) {
        let missing = columns.saturating_sub(self.width());
        if missing > 0 {
            self.spans.push((PLAIN, " ".repeat(missing)));
        }
    }

    /// How many columns it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| text.width()).sum()
    }

    /// The line, cut to at most `columns` with an ellipsis.
    #[must_use]
    pub fn fit(mut self, columns: usize) -> Self {
        if self.width() <= columns {
            return self;
        }
        let mut left = columns.saturating_sub(1);
        let mut kept = Vec::new();
        for (style, text) in self.spans {
            let cut = prefix(&text, left);
            left -= cut.width();
            let whole = cut.len() == text.len();
            kept.push((style, cut.to_owned()));
            if !whole {
                break;
            }
        }
        if columns > 0 {
            kept.push((DIM, "…".to_owned()));
        }
        self.spans = kept;
        self
    }

    /// The line as text for a terminal, with or without colours, without spaces at its end.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for (style, span) in &self.spans {
            if colour && *style != PLAIN {
                text.push_str(&format!("{style}{span}{style:#}"));
            } else {
                text.push_str(span);
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text
    }
}

/// Rows of cells as lines, every column as wide as its widest cell.
#[must_use]
pub fn columns(rows: Vec<Vec<(Style, String)>>) -> Vec<Line> {
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, (_, cell)) in widths.iter_mut().zip(row) {
            *width = (*width).max(printable(cell).width());
        }
    }
    rows.into_iter()
        .map(|row| {
            let mut line = Line::new();
            let mut stop = 0;
            for (width, (style, cell)) in widths.iter().zip(row) {
                line.pad_to(stop);
                line.push(style, cell);
                stop += width + 2;
            }
            line
        })
        .collect()
}

/// The longest beginning of `text` that takes at most `columns`.
fn prefix(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

/// Text without escape sequences and control characters; line ends and tabs become spaces.
fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .filter_map(|c| match c {
            '\n' | '\t' => Some(' '),
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_column_and_not_in_a_wide_character() {
        let line = Line::new().with(PLAIN, "ab").with(GREEN, "日本語");
        assert_eq!(line.width(), 8);
        assert_eq!(line.clone().fit(8).render(false), "ab日本語");
        assert_eq!(line.clone().fit(6).render(false), "ab日…");
        assert_eq!(line.clone().fit(1).render(false), "…");
        assert_eq!(line.fit(0).render(false), "");
    }

    #[test]
    fn control_characters_of_a_task_do_not_reach_the_terminal() {
        let line = Line::new().with(PLAIN, "a\x1b[2J\x1b]0;title\x07b\r\n\tc");
        assert_eq!(line.render(true), "ab  c");
    }

    #[test]
    fn columns_line_up_whatever_the_width_of_their_letters() {
        let rows = vec![
            vec![(BOLD, "NAME".to_owned()), (BOLD, "STATE".to_owned())],
            vec![(PLAIN, "日本語".to_owned()), (GREEN, "SUCCESS".to_owned())],
        ];
        let text: Vec<String> = columns(rows).iter().map(|l| l.render(false)).collect();
        assert_eq!(text, ["NAME    STATE", "日本語  SUCCESS"]);
    }
}
