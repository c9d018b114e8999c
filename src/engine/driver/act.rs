//! Carrying out what has been committed, and ending what runs.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::{OwnedSemaphorePermit, TryAcquireError, watch};

use super::{Driver, Mode, Running, Untried};
use crate::engine::attempt::{Attempt, Ended, sides_action};
use crate::model::{Answer, AtomId, Phase, Timestamp, Waits};
use crate::scheduler::{Command, CorruptCheckpoint, Event, Step};

impl Driver {
    /// Starts the commands and stops the attempts of the step that was committed.
    pub(super) fn act(&mut self) {
        for command in std::mem::take(&mut self.step.commands) {
            self.start(command);
        }
        for (atom, attempt) in std::mem::take(&mut self.stops) {
            self.stop(atom, attempt);
        }
        self.fill_places();
    }

    fn start(&mut self, command: Command) {
        let atom = command.atom;
        let task = self.context.plan.task(atom);
        let (action, timeout) = match task.map(|task| sides_action(task, command.phase)) {
            Some((action, timeout)) => (Some(action), timeout),
            None => (None, None),
        };
        let kind = action.and_then(|action| self.context.kinds.get(&action.kind));
        let waits = kind.map_or(Waits::Nothing, |kind| kind.schema().waits);
        let now = self.context.clock.now();
        if self.mode != Mode::Going {
            self.cut_off(command);
        } else {
            match waits {
                Waits::Nothing => self.waiting.for_place(command, now),
                Waits::Instant => {
                    let until = command.until.unwrap_or(now);
                    // Its time is up then, whatever it waits for.
                    let limit = timeout.map(|timeout| now.plus(timeout));
                    let instant = limit.map_or(until, |limit| until.min(limit));
                    self.waiting.until(instant, command, now);
                }
                Waits::Elsewhere => self.begin(command, true, None),
                Waits::Person => self.ask(command),
            }
        }
        if let Some((number, answer)) = self.answers.remove(&atom)
            && !self.deliver(atom, number, answer)
        {
            self.refuse(
                number,
                "an answer came to a task that asks nobody\n".to_owned(),
            );
        }
    }

    /// Begins an attempt. What `waits` takes no place; all else has got its own. What is alone in its job and starts no
    /// process begins here: if it is done at once, nobody else has to be woken for it. What has others beside it is not
    /// to keep them waiting, and a process is started beside the next commit.
    fn begin(&mut self, command: Command, waits: bool, place: Option<OwnedSemaphorePermit>) {
        let task = self.context.plan.task(command.atom);
        let kind = task.map(|task| &sides_action(task, command.phase).0.kind);
        let kind = kind.and_then(|kind| self.context.kinds.get(kind));
        let process = kind.is_some_and(|kind| kind.schema().process);
        let elsewhere = process || !self.running.is_empty() || !self.waiting.is_empty();
        let running = Running::new(&command, waits);
        let (atom, cancel) = (command.atom, running.cancel.clone());
        let attempt = Attempt::new(self.context.clone(), command, cancel, None);
        if elsewhere {
            self.starts |= place.is_some();
            self.running.insert(atom, running);
            self.attempts.spawn(attempt.run(place));
        } else {
            self.attempt(atom, running, attempt.run(place));
        }
    }

    /// Makes an attempt, as far as it gets without waiting; what is left of it goes on by itself.
    fn attempt(
        &mut self,
        atom: AtomId,
        running: Running,
        attempt: impl Future<Output = Ended> + Send + 'static,
    ) {
        let mut attempt = Box::pin(attempt);
        match attempt
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(ended) => self.ended.push_back(Untried {
                ended,
                stopped: false,
            }),
            Poll::Pending => {
                self.running.insert(atom, running);
                self.attempts.spawn(attempt);
            }
        }
    }

    fn ask(&mut self, command: Command) {
        let (asks, answer) = watch::channel(None);
        let mut running = Running::new(&command, true);
        running.asks = Some(asks);
        let cancel = running.cancel.clone();
        self.running.insert(command.atom, running);
        let attempt = Attempt::new(self.context.clone(), command, cancel, Some(answer));
        self.attempts.spawn(attempt.run(None));
    }

    /// Begins what waits for a place, as long as there are places; then gets into the line for the next one. The jobs
    /// of a conductor take turns: each is in that line once.
    pub(super) fn fill_places(&mut self) {
        while self.waiting.wants_place() && self.place.is_none() && !self.context.stop.is_given() {
            match Arc::clone(&self.context.slots).try_acquire_owned() {
                Ok(place) => self.take_place(place),
                Err(TryAcquireError::NoPermits) => {
                    let slots = Arc::clone(&self.context.slots);
                    let mut place = Box::pin(async move { slots.acquire_owned().await.ok() });
                    match place.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(Some(place)) => self.take_place(place),
                        Poll::Ready(None) => return,
                        Poll::Pending => self.place = Some(place),
                    }
                }
                // The conductor ends; it is about to be told.
                Err(TryAcquireError::Closed) => return,
            }
        }
    }

    /// A place has come: whoever is first in the line begins.
    fn take_place(&mut self, place: OwnedSemaphorePermit) {
        if let Some(command) = self.waiting.next_in_line() {
            self.begin(command, false, Some(place));
        }
    }

    /// The place has come that this job was in the line for; none if the conductor ends.
    pub(super) fn place_has_come(&mut self, place: Option<OwnedSemaphorePermit>) {
        self.place = None;
        if let Some(place) = place
            && !self.context.stop.is_given()
        {
            self.take_place(place);
        }
        self.fill_places();
    }

    /// Begins what has waited for an instant that has come. Most of it has nothing more to do, and ends here; of what
    /// has, an attempt is made. As much at once as goes into a step.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while self.ended.len() < Step::FULL
            && let Some((command, began)) = self.waiting.due(now)
        {
            let running = Running::new(&command, true);
            let (atom, cancel) = (command.atom, running.cancel.clone());
            let attempt = Attempt::new(self.context.clone(), command, cancel, None);
            self.attempt(atom, running, attempt.since(began).run(None));
        }
    }

    /// The scheduler wants an execute side stopped.
    fn stop(&mut self, atom: AtomId, attempt: u32) {
        let of = |phase, it| phase == Phase::Execute && it == attempt;
        if let Some(running) = self.running.get_mut(&atom) {
            if of(running.phase, running.attempt) {
                running.stopped = true;
                running.cancel.cancel();
            }
        } else if let Some(command) = self.waiting.attempt(atom)
            && of(command.phase, command.attempt)
            && let Some(command) = self.waiting.remove(atom)
        {
            self.ended.push_back(Untried {
                ended: Ended::stopped(&command),
                stopped: true,
            });
        }
    }

    /// What has not begun does not begin: the conductor ends.
    fn cut_off(&mut self, command: Command) {
        self.ended.push_back(Untried {
            ended: Ended::stopped(&command),
            stopped: false,
        });
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
        self.place = None;
        for command in self.waiting.take() {
            self.cut_off(command);
        }
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
        self.place = None;
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
