//! Processes: a program and a call enter, what it printed and how it ended leaves.
//!
//! Every child has a process group of its own and carries the call's key and the conductor's mark in its
//! environment. A call that is cancelled ends the whole tree: TERM, grace, KILL, and only then is the leader
//! reaped. A child that ends by itself may leave processes behind; they live on until the conductor ends, then
//! the guard ends them. Nothing here outlives the conductor, and no output is kept beyond its limit.

mod census;
mod child;
mod output;
mod program;
pub mod tree;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::guard::{Guard, GuardCommand};
use crate::model::{Failure, FailureKind, Phase, Value};
use crate::ports::{Call, Stream};
use census::Census;
use child::Leader;
use output::{Capture, Pipe};
pub use program::{Program, fits_an_argument};
use tree::{CONDUCTOR, Hunt, KEY, Mark};

/// How long after its leader's end a task's output is awaited from processes that it left behind.
const DRAIN: Duration = Duration::from_secs(1);
/// How long after KILL a process is awaited that the system does not let go.
const UNKILLABLE: Duration = Duration::from_secs(5);
/// The time between two looks at what is being ended, the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Runs the children of one conductor.
#[derive(Debug)]
pub struct Processes {
    mark: String,
    guard: Arc<Guard>,
    grace: Duration,
    limit: usize,
    census: Arc<Census>,
    /// Who reads what background processes go on printing, so that they are not ended by a broken pipe.
    readers: Mutex<JoinSet<()>>,
}

enum End {
    Exited(std::io::Result<std::process::ExitStatus>),
    Cancelled,
}

impl Processes {
    /// For the conductor with this mark, which no other conductor on the machine may have. `limit` is how many
    /// bytes of standard output are kept as a result, as JSON writes them.
    #[must_use]
    pub fn new(mark: String, guard: GuardCommand, grace: Duration, limit: usize) -> Self {
        Self {
            guard: Arc::new(Guard::new(guard, mark.clone())),
            mark,
            grace,
            limit,
            census: Arc::default(),
            readers: Mutex::default(),
        }
    }

    /// Runs a program until it ends, or ends it when the call is cancelled. The result is
    /// `{stdout, exit_code, truncated}`, with `json` if that is asked for.
    ///
    /// # Errors
    /// What [`Program::command`] says; `system` if the guard or the child cannot be started; `exit`, `signal`,
    /// `cancelled`; with `json`, `result` if standard output is not JSON and `too_large` if it is over the limit.
    pub async fn run(
        &self,
        call: &Call,
        mut program: Program,
        json: bool,
    ) -> Result<Value, Failure> {
        if call.cancel.is_cancelled() {
            return Err(Failure::stopped());
        }
        program.env.extend(self.marks(call));
        let mut command = tokio::process::Command::from(program.command()?);
        let (mut stdout, writer) = Pipe::new().map_err(system)?;
        command.stdout(writer);
        let (mut stderr, writer) = Pipe::new().map_err(system)?;
        command.stderr(writer);
        let mut leader = loop {
            let slot = self.guard.reserve().await.map_err(system)?;
            let mut leader =
                Leader::start(&mut command, slot).map_err(|error| program.not_started(&error))?;
            if !call.term.is_over() {
                break leader;
            }
            // The conductor was frozen right before it started this. Nothing has been done: it takes longer to load a
            // program than to kill it.
            kill(&mut leader).await;
            tokio::select! {
                biased;
                () = call.cancel.cancelled() => return Err(Failure::stopped()),
                () = call.term.lasts() => {}
            }
        };
        // It holds the other ends of the pipes.
        drop(command);

        let mut capture = Capture::new(self.limit);
        let end = {
            let reading = async {
                let out = stdout.drain(|bytes| {
                    if !bytes.is_empty() {
                        capture.take(bytes);
                        call.log.write(Stream::Stdout, bytes);
                    }
                });
                let err = stderr.drain(|bytes| {
                    if !bytes.is_empty() {
                        call.log.write(Stream::Stderr, bytes);
                    }
                });
                tokio::join!(out, err);
            };
            let ending = self.wait_or_end(call, &mut leader);
            tokio::pin!(reading, ending);
            let mut read = false;
            let end = loop {
                tokio::select! {
                    end = &mut ending => break end,
                    () = &mut reading, if !read => read = true,
                }
            };
            let rest = async { read || tokio::time::timeout(DRAIN, reading).await.is_ok() };
            (end, rest.await)
        };
        let (end, read) = end;
        if leader.leaves_processes()
            && let Some(seen) = self.census.look().await
        {
            leader.leave(&seen);
        }
        drop(leader);
        if !read {
            let note = "it left a process behind that holds its output open; what that prints is not kept\n";
            call.log.write(Stream::Note, note.as_bytes());
            self.read_on(stdout, stderr);
        }
        match end {
            End::Cancelled => Err(Failure::stopped()),
            End::Exited(status) => judge(&status.map_err(system)?, &capture, json),
        }
    }

    /// Ends what an earlier, interrupted attempt of this call left running on this machine. A revert also ends
    /// what is left of what it undoes.
    pub async fn end_interrupted(&self, call: &Call) {
        if !call.interrupted {
            return;
        }
        let mut keys = vec![call.key.clone()];
        if call.phase == Phase::Revert
            && let Some(undone) = call.key.strip_suffix("/revert")
        {
            keys.push(undone.to_owned());
        }
        self.end(call, Hunt::new(Mark::Keys(keys), [])).await;
    }

    fn marks(&self, call: &Call) -> [(String, String); 6] {
        let own = |name: &str, value: String| (name.to_owned(), value);
        [
            own(KEY, call.key.clone()),
            own(CONDUCTOR, self.mark.clone()),
            own("JOBRUNNER_EPOCH", call.epoch.0.to_string()),
            own("JOBRUNNER_JOB", call.job.to_string()),
            own("JOBRUNNER_TASK", call.task.clone()),
            own("JOBRUNNER_ATTEMPT", call.attempt.to_string()),
        ]
    }

    async fn wait_or_end(&self, call: &Call, leader: &mut Leader) -> End {
        tokio::select! {
            status = leader.wait() => return End::Exited(status),
            () = call.cancel.cancelled() => {}
        }
        let mark = Mark::Attempt {
            conductor: self.mark.clone(),
            key: call.key.clone(),
        };
        let hunt = Hunt::new(mark, leader.group());
        self.end(call, hunt).await;
        kill(leader).await;
        End::Cancelled
    }

    async fn end(&self, call: &Call, mut hunt: Hunt) {
        let start = tokio::time::Instant::now();
        let mut pause = PAUSES.0;
        let mut killing = false;
        loop {
            let since = start.elapsed();
            let kill = since >= self.grace;
            let seen = self.census.look().await;
            let alive = hunt.round(seen.as_deref(), kill);
            if alive == 0 {
                return;
            }
            if kill && !killing {
                killing = true;
                let note = format!("killed {alive} process(es) that did not end when asked to\n");
                call.log.write(Stream::Note, note.as_bytes());
            }
            if since >= self.grace + UNKILLABLE {
                let note = format!("{alive} process(es) cannot be killed\n");
                call.log.write(Stream::Note, note.as_bytes());
                return;
            }
            let left = self.grace.saturating_sub(since);
            tokio::time::sleep(if kill { pause } else { pause.min(left) }).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn read_on(&self, mut stdout: Pipe, mut stderr: Pipe) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        while readers.try_join_next().is_some() {}
        readers.spawn(async move {
            tokio::join!(stdout.drain(|_| {}), stderr.drain(|_| {}));
        });
    }
}

async fn kill(leader: &mut Leader) {
    leader.kill_group();
    // One that the system does not let go is not awaited for ever.
    let _ = tokio::time::timeout(UNKILLABLE, leader.wait()).await;
}

fn judge(
    status: &std::process::ExitStatus,
    output: &Capture,
    json: bool,
) -> Result<Value, Failure> {
    match status.code() {
        Some(0) => {}
        Some(code) => {
            let mut failure = Failure::new(FailureKind::Exit, format!("exited with code {code}"));
            failure.exit_code = Some(code);
            return Err(failure);
        }
        None => return Err(child::signalled(*status)),
    }
    let (stdout, truncated) = output.text();
    let mut result = json!({"stdout": stdout, "exit_code": 0, "truncated": truncated});
    if json {
        let whole = output.whole().ok_or_else(|| {
            Failure::new(
                FailureKind::TooLarge,
                "standard output is too long to be read as JSON; let it be written to a file",
            )
        })?;
        result["json"] = serde_json::from_slice(whole).map_err(|error| {
            Failure::new(
                FailureKind::Result,
                format!("standard output is not JSON: {error}"),
            )
        })?;
    }
    Ok(result)
}

fn system(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::System, error.to_string())
}
