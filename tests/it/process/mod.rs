//! Real processes under `shell` and `exec`: what they give back, and that none of them stays.

mod ending;
mod guard;
mod running;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::calls::PATIENCE;

pub fn pids(lines: &[String]) -> Vec<i32> {
    lines
        .iter()
        .map(|line| line.trim().parse().unwrap())
        .collect()
}

/// Whether the process is there and has not ended.
pub fn lives(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat[stat.rfind(')').unwrap() + 1..].trim_start();
    !state.starts_with(['Z', 'X'])
}

/// Waits until the process has ended.
pub async fn ended(pid: i32) {
    let Ok(handle) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else {
        return;
    };
    let wait = move || {
        let mut handles = [PollFd::new(&handle, PollFlags::IN)];
        loop {
            match poll(&mut handles, Some(&PATIENCE.try_into().unwrap())) {
                Err(Errno::INTR) => {}
                ended => return ended.unwrap(),
            }
        }
    };
    let ended = tokio::task::spawn_blocking(wait).await.unwrap();
    assert_eq!(ended, 1, "process {pid} is still there");
}
