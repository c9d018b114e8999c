//! A job on the screen: a tree that is redrawn in place on a terminal, plain lines elsewhere.

use std::io::{self, Write};
use std::time::Duration;

use super::line::{BOLD, DIM, Line, PLAIN, YELLOW};
use super::report;
use super::screen::{self, Screen};
use super::status::{Look, headline};
use super::tree::Tree;
use super::watch::Watch;
use crate::compile::Plan;
use crate::model::Timestamp;

/// Where a job's progress is shown.
#[derive(Debug)]
pub struct Display {
    tree: Tree,
    id: String,
    screen: Option<Screen>,
    frame: usize,
    note: Option<String>,
    /// A log is written beside it, and tells what is away.
    logs: bool,
    colour: bool,
    /// Nobody reads what is written: nothing is written any more, and the job goes on.
    broken: bool,
}

impl Display {
    /// A display for the job of a plan, whose id is shown as `id`. With `lines`, never as a tree: a log is written
    /// to the same terminal.
    #[must_use]
    pub fn new(plan: &Plan, id: String, lines: bool) -> Self {
        Self {
            tree: Tree::of(plan),
            id,
            screen: (screen::is_live() && !lines).then(Screen::new),
            frame: 0,
            note: None,
            logs: lines,
            colour: screen::has_colour(),
            broken: false,
        }
    }

    /// Tells which job it is; where a tree is drawn, its first line does.
    pub fn begin(&mut self, name: &str) {
        if !self.is_live() {
            let line = Line::new()
                .with(PLAIN, "POSTED         ")
                .with(BOLD, name)
                .with(DIM, format!("  {}", self.id));
            self.print(&[line]);
        }
    }

    /// Whether it is a tree that is redrawn.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.screen.is_some()
    }

    /// Says something below what is shown.
    pub fn note(&mut self, text: &str) {
        if self.is_live() {
            self.note = Some(text.to_owned());
        } else if report::hint(text).is_err() {
            // Nobody listens; what matters is told by the exit code.
        }
    }

    /// Returns when it is time for [`Display::refresh`].
    pub async fn due(&self, watch: &Watch) {
        if self.is_live() {
            tokio::time::sleep(Duration::from_millis(80)).await;
        } else {
            watch.changed().await;
        }
    }

    /// Shows what has been seen.
    pub fn refresh(&mut self, watch: &Watch, now: Timestamp) {
        self.frame += 1;
        let frame = Some(self.frame);
        self.show(watch, now, frame);
    }

    /// Shows what has been seen for the last time: nothing moves any more.
    pub fn end(&mut self, watch: &Watch, now: Timestamp) {
        if let Some(screen) = &mut self.screen {
            screen.forget();
        }
        self.show(watch, now, None);
    }

    /// Prints lines below what is shown.
    pub fn print(&mut self, lines: &[Line]) {
        if self.broken {
            return;
        }
        let text: String = lines
            .iter()
            .map(|line| line.render(self.colour) + "\n")
            .collect();
        let mut out = io::stdout().lock();
        self.broken = out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_err();
    }

    fn show(&mut self, watch: &Watch, now: Timestamp, frame: Option<usize>) {
        let mut seen = watch.seen();
        let news = std::mem::take(&mut seen.news);
        let notices = std::mem::take(&mut seen.notices);
        let Some(screen) = &mut self.screen else {
            drop(seen);
            self.print(&news);
            if !self.logs {
                notices.iter().for_each(|notice| self.note(notice));
            }
            return;
        };
        if let Some(notice) = notices.last() {
            self.note = Some(notice.clone());
        }
        let (width, height) = screen::size();
        let look = Look {
            now,
            height: height.saturating_sub(4).max(1),
            names: (width / 2).max(8),
            words: false,
            frame,
        };
        let mut lines = vec![headline(&seen.progress, &self.id, look)];
        lines.extend(
            self.tree
                .lines(&seen.progress, &|task| seen.tails.last(task), look),
        );
        drop(seen);
        // What was said on the way is of no use at the end.
        if let (Some(note), Some(_)) = (&self.note, frame) {
            lines.push(Line::new().with(YELLOW, format!("  {note}")));
        }
        if !self.broken {
            self.broken = screen.draw(lines).is_err();
        }
    }
}
