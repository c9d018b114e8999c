//! The retry question: what failed, whose attempt it was, and whether there is another.

use super::unwind::Purpose;
use super::{Scheduler, Step, Timer};
use crate::compile::{AtomKind, Retry, RetryTries};
use crate::model::{
    AtomId, AtomState, Change, Duration, Failure, FailureKind, Intention, ScopeId, Timestamp, Value,
};
use std::cmp::Reverse;

impl Scheduler {
    /// An execute side failed; for a controller, there was nothing to try.
    pub(super) fn execute_failed(
        &mut self,
        step: &mut Step,
        atom: AtomId,
        mut failure: Failure,
        now: Timestamp,
    ) {
        let plan = self.plan.clone();
        let scope = plan.atom(atom).scope;
        failure.task.clone_from(&plan.atom(atom).name);
        failure.attempt = self.rows[atom.index()].attempt;
        let unwinds = self.unwinding_around(atom).is_some();
        let allowed = !unwinds
            && !self.is_alone(scope)
            && plan.task(atom).is_some_and(|task| task.allow_failure);
        let change = Change::Failed {
            failure: Box::new(failure.clone()),
            allowed,
        };
        self.apply(step, atom, change, now);
        if !allowed && !unwinds {
            self.ask(step, self.asked_first(atom), failure, now);
        }
    }

    /// The scope whose controller is asked first when an execute side has failed. A controller that has nothing to try
    /// can say nothing more itself, unless its scope may fail.
    pub(super) fn asked_first(&self, atom: AtomId) -> Option<ScopeId> {
        let own = self.outline.node(atom).scope;
        let scope = self.plan.scope(own);
        match self.is_controller(atom) && !scope.allow_failure {
            true => scope.parent,
            false => Some(own),
        }
    }

    /// Asks the controllers from `scope` outwards whether there is another attempt; if none says yes, the flow reverts.
    pub(super) fn ask(
        &mut self,
        step: &mut Step,
        mut scope: Option<ScopeId>,
        failure: Failure,
        now: Timestamp,
    ) {
        let plan = self.plan.clone();
        while let Some(id) = scope {
            let around = plan.scope(id);
            if let Some(controller) = around.controller
                && let AtomKind::Retry(retry) = &plan.atom(controller).kind
            {
                let tries = self.tries(controller);
                if self.has_more(retry, tries, &failure) {
                    let failure = Box::new(failure);
                    self.apply(step, controller, Change::RetryDecided { failure }, now);
                    self.unwind(step, id, Purpose::Retry);
                    return;
                }
                if around.allow_failure {
                    let failure = Box::new(failure);
                    self.apply(step, controller, Change::AllowDecided { failure }, now);
                    self.unwind(step, id, Purpose::Allow);
                    return;
                }
                if retry.revert_all {
                    break;
                }
            }
            scope = around.parent;
        }
        self.revert_flow(step, failure, None, now);
    }

    /// How many attempts a controller has begun.
    fn tries(&self, controller: AtomId) -> u32 {
        self.rows[controller.index()]
            .history
            .as_ref()
            .map_or(0, |history| history.tries)
    }

    /// Whether there is another attempt after `tries` of them.
    pub(super) fn has_more(&self, retry: &Retry, tries: u32, failure: &Failure) -> bool {
        let Ok(names) = self.names(&retry.needs) else {
            return false;
        };
        let left = match &retry.tries {
            RetryTries::Times(times) => tries < *times,
            RetryTries::ForEach(list) => match list.render(&names) {
                Ok(Value::Array(values)) => (tries as usize) < values.len(),
                Ok(_) | Err(_) => false,
            },
        };
        let holds = |on: &crate::compile::Expression| {
            let mut names = names.clone();
            names.insert("failure".to_owned(), failure.to_value());
            on.holds(&names).unwrap_or(false)
        };
        left && retry.on.as_ref().is_none_or(holds)
    }

    /// The wait after `tries` attempts.
    pub(super) fn delay(&self, retry: &Retry, atom: AtomId, tries: u32) -> Duration {
        let grown = retry.delay.as_secs_f64() * retry.backoff.powf(f64::from(tries.max(1)) - 1.0);
        let capped = match retry.max_delay {
            Some(longest) => grown.min(longest.as_secs_f64()),
            None => grown,
        };
        let drawn = draw(self.seed, u64::from(atom.0), u64::from(tries));
        let shaken = capped * (1.0 + retry.jitter * (2.0 * drawn - 1.0));
        Duration::try_from_secs_f64(shaken.max(0.0)).unwrap_or(Duration::MAX)
    }

    /// A controller chooses what to try next, and its scope can start.
    pub(super) fn run_controller(&mut self, step: &mut Step, controller: AtomId, now: Timestamp) {
        let plan = self.plan.clone();
        let atom = plan.atom(controller);
        let AtomKind::Retry(retry) = &atom.kind else {
            return;
        };
        self.apply(step, controller, Change::Started { until: None }, now);
        let tries = self.tries(controller);
        let next = match &retry.tries {
            RetryTries::Times(_) => Ok(Value::from(tries + 1)),
            RetryTries::ForEach(list) => match self
                .names(&retry.needs)
                .and_then(|names| list.render(&names))
            {
                Ok(Value::Array(values)) => values
                    .get(tries as usize)
                    .cloned()
                    .ok_or_else(|| "`for_each` has no value to try".to_owned()),
                Ok(other) => Err(format!("`for_each` needs a list, not `{other}`")),
                Err(error) => Err(format!("`for_each` cannot be told: {error}")),
            },
        };
        match next {
            Ok(value) => {
                let deadline = plan.scope(atom.scope).timeout.map(|t| now.plus(t));
                let value = value.into();
                self.apply(step, controller, Change::Tried { value, deadline }, now);
                if let Some(at) = deadline {
                    self.timers.push(Reverse((at, Timer::Atom(controller))));
                }
            }
            Err(what) => {
                let failure = Failure::new(FailureKind::Retry, what);
                self.execute_failed(step, controller, failure, now);
            }
        }
    }

    /// A controller's scope has been undone: everything in it is PENDING again, and the next attempt starts, now or
    /// after the delay.
    pub(super) fn prepare_retry(&mut self, step: &mut Step, controller: AtomId, now: Timestamp) {
        let plan = self.plan.clone();
        let AtomKind::Retry(retry) = &plan.atom(controller).kind else {
            return;
        };
        let delay = self.delay(retry, controller, self.tries(controller));
        let until = (!delay.is_zero()).then(|| now.plus(delay));
        self.apply(step, controller, Change::Retrying { until }, now);
        self.reset_scope(step, controller, now);
        match until {
            Some(at) => self.timers.push(Reverse((at, Timer::Atom(controller)))),
            None => self.run_controller(step, controller, now),
        }
    }

    /// Puts all that a controller controls back to PENDING.
    pub(super) fn reset_scope(&mut self, step: &mut Step, controller: AtomId, now: Timestamp) {
        let scope = self.outline.node(controller).scope;
        let end = self.plan.scope(scope).end;
        let inside: Vec<AtomId> = self.touched.range(AtomId(controller.0 + 1)..end).collect();
        for atom in inside {
            self.apply(step, atom, Change::Reset, now);
        }
    }

    /// Does what the first timer asks for, if its instant has come; whether it had.
    pub(super) fn fire_timer(&mut self, step: &mut Step, now: Timestamp) -> bool {
        let Some(&Reverse((at, timer))) = self.timers.peek() else {
            return false;
        };
        if at > now {
            return false;
        }
        self.timers.pop();
        match timer {
            Timer::Flow => {
                if self.flow.deadline == Some(at) && !self.flow.reverting {
                    let name = self.plan.name.clone();
                    let failure = overdue(&name, "the flow", at, self.flow.started_at);
                    self.revert_flow(step, failure, None, now);
                    self.stop_all(step, ScopeId::FLOW);
                }
            }
            Timer::Atom(atom) => {
                let row = &self.rows[atom.index()];
                if row.wake_at != Some(at) {
                    return true;
                }
                match row.state {
                    AtomState::Retrying if self.unwinding_around(atom).is_none() => {
                        self.run_controller(step, atom, now);
                    }
                    AtomState::Reverting if !self.marks[atom.index()].in_flight => {
                        self.queue.occupy(self.outline.node(atom).scope);
                        self.start_revert(step, atom, now);
                    }
                    AtomState::Success if row.intention == Intention::Execute => {
                        self.scope_overdue(step, atom, at, now);
                    }
                    AtomState::Retrying
                    | AtomState::Reverting
                    | AtomState::Success
                    | AtomState::Pending
                    | AtomState::Running
                    | AtomState::Failure
                    | AtomState::Reverted
                    | AtomState::RevertFailure
                    | AtomState::Ignore
                    | AtomState::Interrupted => {}
                }
            }
        }
        true
    }

    /// A scope with a timeout has not come to its end in time.
    fn scope_overdue(
        &mut self,
        step: &mut Step,
        controller: AtomId,
        at: Timestamp,
        now: Timestamp,
    ) {
        let id = self.outline.node(controller).scope;
        let scope = self.plan.scope(id);
        let last = AtomId(scope.end.0 - 1);
        let ended = self.blocked[last.index()] == 0;
        if ended || self.unwinding_around(controller).is_some() {
            return;
        }
        let started = self.rows[controller.index()].started_at;
        let failure = overdue(&scope.name.clone(), "the group", at, started);
        self.stop_all(step, id);
        self.ask(step, Some(id), failure, now);
    }
}

fn overdue(name: &str, what: &str, at: Timestamp, started: Option<Timestamp>) -> Failure {
    let allowed = crate::model::format_duration(at.since(started.unwrap_or(at)));
    let mut failure = Failure::new(
        FailureKind::Timeout,
        format!("{what} took longer than its timeout of {allowed}"),
    );
    name.clone_into(&mut failure.task);
    failure
}

/// A number from 0 to 1 that depends on its arguments alone (splitmix64).
fn draw(seed: u64, atom: u64, tries: u64) -> f64 {
    let mut z = seed
        .wrapping_add(atom.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(tries.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
