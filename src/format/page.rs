//! The text that a document is written to, line by line.

use unicode_width::UnicodeWidthStr;

use super::document::Lead;

/// What has been written so far.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    /// What stands before an entry. A blank line at the beginning of the file, or behind another one, is none.
    pub(super) fn lead(&mut self, lead: &[Lead], indent: usize) {
        for line in lead {
            match line {
                Lead::Blank if self.text.is_empty() || self.text.ends_with("\n\n") => {}
                Lead::Blank => self.text.push('\n'),
                Lead::Comment(comment) => {
                    self.indent(indent);
                    self.text.push_str(comment);
                    self.text.push('\n');
                }
            }
        }
    }

    pub(super) fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }

    /// How many columns the last line has.
    pub(super) fn column(&self) -> usize {
        self.text[self.text.rfind('\n').map_or(0, |at| at + 1)..].width()
    }

    /// The end of a line, with the comment beside it.
    pub(super) fn end(&mut self, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.text.push(' ');
            self.text.push_str(comment);
        }
        self.text.push('\n');
    }
}
