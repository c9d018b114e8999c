//! Carrying out what has been committed, and ending what runs.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Driver, Mode, Running};
use crate::engine::attempt::{Attempt, queue_up};
use crate::model::{Answer, AtomId, Phase, Waits};
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
        let waits = kind.map_or(Waits::Nothing, |kind| kind.schema().waits);
        let (asks, answer) = match waits {
            Waits::Person => {
                let (asks, answer) = watch::channel(None);
                (Some(asks), Some(answer))
            }
            Waits::Nothing | Waits::Instant | Waits::Elsewhere => (None, None),
        };
        let waits = waits != Waits::Nothing;
        let running = Running {
            attempt: command.attempt,
            phase: command.phase,
            cancel: cancel.clone(),
            waits,
            stopped: false,
            asks,
            answered: None,
        };
        let atom = command.atom;
        self.running.insert(atom, running);
        if let Some((number, answer)) = self.answers.remove(&atom)
            && !self.deliver(atom, number, answer)
        {
            self.refuse(
                number,
                "an answer came to a task that asks nobody\n".to_owned(),
            );
        }
        self.starts |= !waits;
        let place = (!waits).then(|| queue_up(&self.context.slots));
        let attempt = Attempt::new(self.context.clone(), command, cancel, answer);
        self.attempts.spawn(attempt.run(place));
    }

    /// Gives an answer to the attempt that waits for it. The request counts as answered once the attempt has ended by
    /// it: until then it stays in the store.
    ///
    /// Returns `false` if nothing waits for an answer there.
    pub(super) fn deliver(&mut self, atom: AtomId, number: i64, answer: Answer) -> bool {
        let Some(running) = self.running.get_mut(&atom) else {
            return false;
        };
        match &running.asks {
            Some(asks) if running.answered.is_none() => {
                running.answered = Some(number);
                asks.send_replace(Some(answer));
                true
            }
            Some(_) | None => false,
        }
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
