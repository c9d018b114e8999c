//! `explain`: more about a problem than fits beside it.

use clap::Args;

use super::line::{BOLD, DIM, GREEN, Line, PLAIN, RED};
use super::report::{Error, Exit, Result};
use super::{report, screen};
use crate::explain::{self, Page};
use crate::syntax::did_you_mean;

/// What `explain` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  jobrunner explain duplicate-key")]
pub struct Arguments {
    /// The code of a problem, as it stands in brackets before it; without it, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// Prints the page of a code, or a list of all.
///
/// # Errors
/// There is no such code.
pub fn run(arguments: &Arguments) -> Result {
    let lines = match &arguments.code {
        Some(code) => told(&find(code)?, width()),
        None => listed(width()),
    };
    let colour = screen::has_colour();
    let text: String = lines
        .iter()
        .map(|line| line.render(colour) + "\n")
        .collect();
    report::print(&text)?;
    Ok(Exit::Success)
}

fn find(code: &str) -> Result<Page> {
    let bare = bare(code);
    explain::page(&bare).ok_or_else(|| {
        let said = Error::input(format!("there is no problem `{code}`"));
        let codes = explain::codes();
        match did_you_mean(&bare, codes.iter().map(|(code, _)| *code)) {
            Some(meant) => said.help(format!("did you mean `{meant}`?")),
            None => said,
        }
        .help("`jobrunner explain` lists all codes")
    })
}

/// The code, also if it was copied with what stands around it: `error[unknown-key]:`.
fn bare(code: &str) -> String {
    let inner = code.split_once('[').map_or(code, |(_, behind)| behind);
    let inner = inner.split_once(']').map_or(inner, |(before, _)| before);
    inner.trim().to_lowercase().replace('_', "-")
}

fn width() -> usize {
    const WIDEST: usize = 100;
    if screen::is_live() {
        screen::size().0.min(WIDEST)
    } else {
        WIDEST
    }
}

fn listed(width: usize) -> Vec<Line> {
    let codes = explain::codes();
    let column = 2 + codes.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (code, about) in codes {
        let mut line = Line::new().with(BOLD, code);
        for part in wrapped(about, width.saturating_sub(column)) {
            line.pad_to(column);
            lines.push(std::mem::take(&mut line).with(PLAIN, part));
        }
    }
    lines
}

/// A page, laid out for a terminal: paragraphs fit the width, examples stand indented.
fn told(page: &Page, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new().with(BOLD, page.code.as_str()), Line::new()];
    let mut example = false;
    for text in page.text.lines() {
        if text.starts_with("```") {
            example = !example;
        } else if example {
            // A tab is what one of the examples is about.
            lines.push(
                Line::new()
                    .with(DIM, "    ")
                    .with(PLAIN, text.replace('\t', "→   ")),
            );
        } else if text.is_empty() {
            lines.push(Line::new());
        } else {
            let style = match text {
                "Wrong:" => RED,
                "Right:" => GREEN,
                _ => PLAIN,
            };
            lines.extend(
                wrapped(text, width)
                    .into_iter()
                    .map(|part| Line::new().with(style, part)),
            );
        }
    }
    lines
}

/// The words of a paragraph in lines of at most `width` columns; a longer word stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    use unicode_width::UnicodeWidthStr;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_understood_as_it_is_copied() {
        for code in [
            "unknown-key",
            "error[unknown-key]:",
            "[unknown-key]",
            "UNKNOWN_KEY",
        ] {
            assert_eq!(find(code).unwrap().code, "unknown-key", "{code}");
        }
        assert_eq!(
            find("unknwon-key").unwrap_err().message(),
            "there is no problem `unknwon-key`"
        );
    }

    #[test]
    fn paragraphs_fit_the_width() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("longer a", 3), ["longer", "a"]);
    }
}
