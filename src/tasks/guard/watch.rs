//! The guard process itself. Standard library and signals only: it is there as long as a conductor is.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::table::{self, Entry};
use crate::tasks::process::tree::{Hunt, Mark, Snapshot};

/// How long after TERM the conductor's children are killed.
const GRACE: Duration = Duration::from_secs(2);
/// The time between two looks, the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// A child whose program is just being loaded carries no mark yet: one empty look is not enough.
const EMPTY_LOOKS: u32 = 3;

/// What the hidden subcommand of the guard does: waits until the conductor with this mark is gone, then ends
/// whatever it has left, then returns. Standard input is the conductor's lifeline, standard output the table.
#[must_use]
pub fn main(mark: &str) -> ExitCode {
    let handles = (
        std::io::stdin().as_fd().try_clone_to_owned(),
        std::io::stdout().as_fd().try_clone_to_owned(),
    );
    let (Ok(lifeline), Ok(table)) = handles else {
        return ExitCode::FAILURE;
    };
    let (mut lifeline, table) = (File::from(lifeline), File::from(table));
    if table::read(&table).is_err() {
        return ExitCode::FAILURE;
    }
    // A session of its own keeps it away from the terminal's signals and from whoever ends the conductor's.
    let _ = rustix::process::setsid();
    let _ = std::env::set_current_dir("/");
    if lifeline.write_all(b"r").is_err() {
        return ExitCode::FAILURE;
    }
    wait_for_the_end(&mut lifeline);
    end_all(mark, table::read(&table).unwrap_or_default());
    ExitCode::SUCCESS
}

fn wait_for_the_end(lifeline: &mut File) {
    let mut byte = [0];
    loop {
        match lifeline.read(&mut byte) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn end_all(mark: &str, entries: Vec<Entry>) {
    let deadline = Instant::now() + GRACE;
    let groups = entries.iter().filter_map(|entry| match entry {
        Entry::Group(group) => Some(*group),
        Entry::Left(_) => None,
    });
    let mut hunt = Hunt::new(Mark::Conductor(mark.to_owned()), groups);
    hunt.include(entries.iter().filter_map(|entry| match entry {
        Entry::Group(_) => None,
        Entry::Left(process) => Some(*process),
    }));
    let mut empty = 0;
    let mut pause = PAUSES.0;
    while empty < EMPTY_LOOKS {
        let kill = Instant::now() >= deadline;
        if hunt.round(Snapshot::take().as_ref(), kill) == 0 {
            empty += 1;
            sleep(PAUSES.0);
        } else {
            empty = 0;
            sleep(
                pause.min(
                    deadline
                        .saturating_duration_since(Instant::now())
                        .max(PAUSES.0),
                ),
            );
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}
