//! Waiting for what happens next, and taking all of it that is there.

use tokio::task::JoinError;

use super::{Driver, End, Loss, Mode, Untried, come};
use crate::engine::attempt::Ended;
use crate::model::{Answer, AtomId, FailureKind, Phase, Timestamp};
use crate::ports::{LogChunk, Request, Stream};
use crate::scheduler::{Event, Step};

impl Driver {
    /// Returns once there is something to be committed or done.
    pub(super) async fn wait(&mut self) -> Result<(), End> {
        let starts = std::mem::take(&mut self.starts);
        let clock = self.context.clock.clone();
        let wake = match self.mode {
            Mode::Going => {
                let instants = [self.scheduler.next_wakeup(), self.waiting.next_instant()];
                instants.into_iter().flatten().min()
            }
            Mode::Grace(until) => Some(until),
            Mode::Ending => None,
        };
        let due = async {
            match wake {
                Some(instant) => clock.sleep_until(instant).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.orders.lost.cancelled() => return Err(End::Lost(Loss::Lease)),
            () = self.context.stop.given_at_once(), if self.mode != Mode::Ending || !self.attempts.is_empty() => {
                self.end_at_once().await?;
            }
            () = self.context.stop.given(), if self.mode == Mode::Going => {
                self.begin_grace()?;
            }
            place = come(&mut self.place) => self.place_has_come(place),
            Some(joined) = self.attempts.join_next() => {
                self.take_outcome(joined)?;
                self.take_what_is_there(starts).await?;
            }
            () = std::future::ready(()), if !self.ended.is_empty() => {
                self.take_what_is_there(starts).await?;
            }
            Some((number, request)) = self.orders.requests.recv() => {
                self.take_request(number, request)?;
            }
            () = due => match self.mode {
                Mode::Going => self.take_what_is_there(starts).await?,
                Mode::Grace(_) => self.end_grace(),
                Mode::Ending => {}
            },
        }
        Ok(())
    }

    /// Outcomes that are there already share the commit of the first. With `starts`, attempts have been given out
    /// that have not had a turn.
    async fn take_what_is_there(&mut self, starts: bool) -> Result<(), End> {
        if !self.attempts.is_empty() && !starts {
            // Attempts that are about to end get the turn to do so. Those that are about to start a process do
            // that while the outcome is committed, not before.
            tokio::task::yield_now().await;
        }
        while self.step.records.len() < Step::FULL
            && let Some(joined) = self.attempts.try_join_next()
        {
            self.take_outcome(joined)?;
        }
        while let Ok((number, request)) = self.orders.requests.try_recv() {
            self.take_request(number, request)?;
        }
        // Outcomes may come without end; an instant must not wait for a gap between them.
        let now = self.context.clock.now();
        if self.mode == Mode::Going {
            self.wake(now);
        }
        while self.step.records.len() < Step::FULL
            && let Some(untried) = self.ended.pop_front()
        {
            self.take_untried(untried)?;
        }
        let due = self.scheduler.next_wakeup();
        if self.mode == Mode::Going && due.is_some_and(|due| due <= now) {
            self.handle(Event::Tick)?;
        }
        Ok(())
    }

    fn take_outcome(&mut self, joined: Result<Ended, JoinError>) -> Result<(), End> {
        let ended = joined.map_err(|error| {
            tracing::error!(job = %self.context.job, %error, "an attempt ended without an outcome");
            End::Lost(Loss::Fault)
        })?;
        let running = self.running.remove(&ended.atom);
        let stopped = running.as_ref().is_some_and(|running| running.stopped);
        // Committed along with what it led to.
        let answered = running.and_then(|running| running.answered);
        self.take_ended(ended, stopped, answered)
    }

    fn take_untried(&mut self, untried: Untried) -> Result<(), End> {
        self.take_ended(untried.ended, untried.stopped, None)
    }

    fn take_ended(
        &mut self,
        ended: Ended,
        stopped: bool,
        answered: Option<i64>,
    ) -> Result<(), End> {
        self.logs.chunks.extend(ended.logs.chunks);
        self.logs.trims.extend(ended.logs.trims);
        let cut_off = |kind| kind == FailureKind::Cancelled;
        let event = match ended.outcome {
            // Stopped by nobody but the conductor that ends.
            Err(failure) if cut_off(failure.kind) && !stopped && self.context.stop.is_given() => {
                Event::HandedOver { atom: ended.atom }
            }
            outcome => {
                self.answered.extend(answered);
                Event::Finished {
                    atom: ended.atom,
                    attempt: ended.attempt,
                    phase: ended.phase,
                    outcome,
                }
            }
        };
        if self.mode == Mode::Going && self.context.stop.is_given() {
            self.begin_grace()?;
        }
        Ok(self.handle(event)?)
    }

    /// Drops what runs, and records that it was cut off.
    async fn end_at_once(&mut self) -> Result<(), End> {
        if self.mode == Mode::Going {
            self.begin_grace()?;
        }
        self.end_grace();
        while let Some(joined) = self.attempts.try_join_next() {
            self.take_outcome(joined)?;
        }
        for untried in std::mem::take(&mut self.ended) {
            self.take_untried(untried)?;
        }
        self.attempts.shutdown().await;
        for atom in std::mem::take(&mut self.running).into_keys() {
            self.handle(Event::HandedOver { atom })?;
        }
        Ok(())
    }

    /// Carries out what a person asks for. What cannot be done is noted in the job's log.
    pub(super) fn take_request(&mut self, number: i64, request: Request) -> Result<(), End> {
        if !self.known.insert(number) {
            return Ok(());
        }
        let event = match request {
            Request::Cancel(by) => Event::Cancel(by),
            Request::Suspend(by) => Event::Suspend(by),
            Request::Resume(by) => Event::Resume(by),
            Request::Decide { verb, task, by } => {
                let atom = match &task {
                    None => None,
                    Some(name) => match self.task(name) {
                        Some(atom) => Some(atom),
                        None => {
                            self.refuse(number, format!("there is no task `{name}`\n"));
                            return Ok(());
                        }
                    },
                };
                Event::Decide { verb, atom, by }
            }
            Request::Answer {
                task,
                generation,
                answer,
            } => {
                self.take_answer(number, &task, generation, answer);
                return Ok(());
            }
        };
        self.answered.push(number);
        if let Err(why) = self.handle(event) {
            self.note(
                number,
                format!("a request could not be carried out: {why}\n"),
            );
        }
        Ok(())
    }

    /// Takes an answer to where it is waited for, or will be as soon as the step is committed.
    fn take_answer(&mut self, number: i64, name: &str, generation: u32, answer: Answer) {
        let atom = self.task(name);
        let atom = atom.filter(|atom| self.scheduler.row(*atom).generation == generation);
        let taken = atom.is_some_and(|atom| {
            if self.deliver(atom, number, answer.clone()) {
                return true;
            }
            let asks = self.step.commands.iter().any(|c| c.atom == atom)
                && !self.answers.contains_key(&atom);
            if asks {
                self.answers.insert(atom, (number, answer));
            }
            asks
        });
        if !taken {
            let what = format!("an answer to `{name}` came when it did not wait for one\n");
            self.refuse(number, what);
        }
    }

    /// A request that cannot be carried out is answered by a note.
    pub(super) fn refuse(&mut self, number: i64, why: String) {
        self.answered.push(number);
        self.note(number, why);
    }

    fn task(&self, name: &str) -> Option<AtomId> {
        let atoms = self.context.plan.atoms.iter().zip(0u32..);
        let mut ids = atoms.filter(|(atom, _)| atom.name == name);
        ids.next().map(|(_, id)| AtomId(id))
    }

    fn note(&mut self, number: i64, text: String) {
        let at: Timestamp = self.context.clock.now();
        self.logs.chunks.push(LogChunk {
            id: 0,
            job: self.context.job,
            task: self.context.plan.name.clone(),
            attempt: 0,
            phase: Phase::Execute,
            n: number,
            stream: Stream::Note,
            at,
            bytes: text.into_bytes(),
        });
    }
}
