//! The leader of a task's process group, from its start until it is reaped.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};

use super::super::guard::Slot;
use super::tree::Snapshot;
use crate::model::{Failure, FailureKind};

/// A running child. Dropped before it has ended, its group is killed.
#[derive(Debug)]
pub struct Leader {
    child: Child,
    /// Until it is reaped, this id cannot become another's.
    group: Option<Pid>,
    reaped: bool,
    /// Where the guard finds it; none when nobody of the group is left.
    slot: Option<Slot>,
}

impl Leader {
    /// Starts it, and tells the guard.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, slot: Slot) -> io::Result<Self> {
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let leader = Self {
            child,
            group,
            reaped: false,
            slot: Some(slot),
        };
        if let (Some(group), Some(slot)) = (group, &leader.slot) {
            slot.set(group)?;
        }
        Ok(leader)
    }

    /// Its process group, as long as it is not reaped.
    #[must_use]
    pub fn group(&self) -> Option<Pid> {
        self.group.filter(|_| !self.reaped)
    }

    /// Waits until it ends, and reaps it.
    ///
    /// # Errors
    /// The system does not say how it ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        // An error says that it is not ours to wait for any more: its id may be another's.
        self.reaped = true;
        let others = |group| test_kill_process_group(group).is_ok();
        self.slot = self.slot.take().filter(|_| self.group.is_some_and(others));
        status
    }

    /// Kills all that is in its group, unless it is reaped.
    pub fn kill_group(&self) {
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Whether it has ended and others of its group have not.
    #[must_use]
    pub fn leaves_processes(&self) -> bool {
        self.reaped && self.slot.is_some()
    }

    /// Hands these others on to the guard.
    pub fn leave(&mut self, seen: &Snapshot) {
        if let (Some(group), Some(slot)) = (self.group, self.slot.take()) {
            slot.leave(group, seen);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.kill_group();
    }
}

/// The failure of a child that a signal ended.
#[must_use]
pub fn signalled(status: ExitStatus) -> Failure {
    let message = match status.signal() {
        Some(number) => format!("ended by {}", name(number)),
        None => format!("ended in an unknown way ({status})"),
    };
    Failure::new(FailureKind::Signal, message)
}

fn name(number: i32) -> String {
    match Signal::from_named_raw(number) {
        Some(Signal::ALARM) => "SIGALRM".to_owned(),
        Some(signal) => format!("{signal:?}")
            .replace("Signal::", "SIG")
            .replace('"', ""),
        None => format!("signal {number}"),
    }
}
