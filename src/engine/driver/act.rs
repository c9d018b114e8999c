//! Carrying out what has been committed, and ending what runs.

use tokio_util::sync::CancellationToken;

use super::{Driver, Mode, Running};
use crate::engine::attempt::{Attempt, queue_up};
use crate::model::Phase;
use crate::scheduler::{Command, CorruptCheckpoint, Event};

impl Driver {
    /// Starts the commands and stops the attempts of the step that was committed.
    pub(super) fn act(&mut self) {
        for command in std::mem::take(&mut self.step.commands) {
            self.start(command);
        }
        for (atom, attempt) in std::mem::take(&mut self.stops) {
            if let Some(running) = self.running.get_mut(&atom)
                && running.attempt == attempt
                && running.phase == Phase::Execute
            {
                running.stopped = true;
                running.cancel.cancel();
            }
        }
    }

    fn start(&mut self, command: Command) {
        let cancel = CancellationToken::new();
        if self.mode != Mode::Going {
            cancel.cancel();
        }
        let plan = &self.context.plan;
        let action = plan.task(command.atom).map(|task| match command.phase {
            Phase::Execute => &task.execute,
            Phase::Revert => task.revert.as_ref().map_or(&task.execute, |r| &r.action),
        });
        let kind = action.and_then(|action| self.context.kinds.get(&action.kind));
        let waits = kind.is_some_and(|kind| kind.only_waits());
        let running = Running {
            attempt: command.attempt,
            phase: command.phase,
            cancel: cancel.clone(),
            waits,
            stopped: false,
        };
        self.running.insert(command.atom, running);
        self.starts |= !waits;
        let place = (!waits).then(|| queue_up(&self.context.slots));
        let attempt = Attempt::new(self.context.clone(), command, cancel);
        self.attempts.spawn(attempt.run(place));
    }

    /// The conductor ends in order: nothing new starts, and what loses nothing by it is stopped.
    pub(super) fn begin_grace(&mut self) -> Result<(), CorruptCheckpoint> {
        self.handle(Event::HandingOver)?;
        self.context.slots.close();
        let until = self.context.clock.now().plus(self.orders.grace);
        self.mode = Mode::Grace(until);
        for running in self.running.values().filter(|running| running.waits) {
            running.cancel.cancel();
        }
        Ok(())
    }

    /// The grace time is over.
    pub(super) fn end_grace(&mut self) {
        self.mode = Mode::Ending;
        for running in self.running.values() {
            running.cancel.cancel();
        }
    }

    /// Ends all tasks, reporting nothing: the job is lost.
    pub(super) async fn end_tasks(&mut self) {
        for running in self.running.values() {
            running.cancel.cancel();
        }
        let ended = async { while self.attempts.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = ended => {}
            () = self.context.stop.given_at_once() => {}
            () = self.context.clock.sleep(self.orders.margin) => {}
        }
        self.attempts.shutdown().await;
    }
}
