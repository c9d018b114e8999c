//! Plays a flow through the real scheduler, with made-up outcomes and no time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jobrunner::compile::{self, Input, Plan};
use jobrunner::model::{
    Bundle, Change, Checkpoint, Failure, FailureKind, FlowState, KindSchema, Param, Phase, Record,
    Shape, SourceFile, Subject, Timestamp, Value, Waits,
};
use jobrunner::scheduler::{Command, Event, Scheduler, Step};
use jobrunner::syntax;

/// A kind whose result is whatever the test says, and which uses any names.
pub const PROBE: KindSchema = KindSchema {
    name: "probe",
    about: "Does what the test says",
    params: &[Param {
        name: "with",
        shape: Shape::Json,
        required: false,
        about: "Any values",
    }],
    shorthand: Some("with"),
    process: false,
    result: &["value"],
    whole: None,
    waits: Waits::Nothing,
};

/// Compiles a flow of probes.
pub fn try_plan(text: &str, inputs: &[(&str, Value)]) -> Result<Arc<Plan>, Vec<String>> {
    let bundle = Bundle {
        version: 1,
        files: vec![SourceFile {
            path: "f.flow.yaml".to_owned(),
            text: text.to_owned(),
        }],
    };
    let told = |problems: &[syntax::Problem]| -> Vec<String> {
        problems
            .iter()
            .filter(|p| p.severity == syntax::Severity::Error)
            .map(|p| format!("{}: {}", p.code, p.message))
            .collect()
    };
    let (declaration, problems) = syntax::parse(&bundle, &["probe"]);
    let errors = told(&problems);
    let Some(declaration) = declaration.filter(|_| errors.is_empty()) else {
        return Err(errors);
    };
    let (plan, problems) = compile::compile(&declaration, &[&PROBE]);
    let errors = told(&problems);
    let Some(plan) = plan.filter(|_| errors.is_empty()) else {
        return Err(errors);
    };
    let given = inputs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Input::Value(value.clone())))
        .collect();
    plan.with_inputs(&given)
        .map(Arc::new)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// How the sides of a task end, by its name's last part.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Its execute fails so many times before it succeeds.
    pub failures: usize,
    /// Its execute fails unless these two inputs are equal.
    pub unless_equal: Option<(String, String)>,
    /// Its revert fails so many times before it succeeds.
    pub revert_failures: usize,
    /// What its execute gives back.
    pub result: Value,
    /// Its result is the sum of these inputs.
    pub sum: Vec<String>,
    /// It ends after everything that ends at once.
    pub slow: bool,
}

/// What a side was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    pub task: String,
    pub phase: Phase,
    pub inputs: indexmap::IndexMap<String, Value>,
    pub failed: bool,
    pub result: Value,
    pub failures: Vec<String>,
}

/// A flow in play.
pub struct Player {
    pub plan: Arc<Plan>,
    pub scheduler: Scheduler,
    pub behaviours: BTreeMap<String, Behaviour>,
    pub now: Timestamp,
    pub running: VecDeque<Command>,
    pub records: Vec<Record>,
    pub given: Vec<Given>,
    /// The states that the checkpoint held.
    before: BTreeMap<String, &'static str>,
    suspend_on: Option<(String, String)>,
}

pub fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Player {
    pub fn new(plan: &Arc<Plan>, checkpoint: Checkpoint) -> Self {
        let before = checkpoint
            .atoms
            .iter()
            .map(|(id, row)| {
                (
                    last_part(&plan.atom(*id).name).to_owned(),
                    row.state.as_str(),
                )
            })
            .collect();
        let scheduler = Scheduler::new(plan.clone(), checkpoint, 7).expect("the checkpoint fits");
        Self {
            plan: plan.clone(),
            scheduler,
            behaviours: BTreeMap::new(),
            now: Timestamp(1_000),
            running: VecDeque::new(),
            records: Vec::new(),
            given: Vec::new(),
            before,
            suspend_on: None,
        }
    }

    /// Asks for a suspend just before that task comes into that state.
    pub fn suspend_on(mut self, task: &str, state: &str) -> Self {
        self.suspend_on = Some((task.to_owned(), state.to_owned()));
        self
    }

    pub fn handle(&mut self, event: Event) -> usize {
        let step: Step = self
            .scheduler
            .handle(event, self.now)
            .expect("the event fits");
        let count = step.records.len();
        self.records.extend(step.records);
        self.running.extend(step.commands);
        count
    }

    /// Carries out the oldest command; `false` if there is none.
    pub fn step(&mut self) -> bool {
        let quick = |command: &Command| {
            let name = last_part(&self.plan.atom(command.atom).name);
            !self.behaviours.get(name).is_some_and(|b| b.slow)
        };
        let first = self.running.iter().position(quick).unwrap_or(0);
        let Some(command) = self.running.remove(first) else {
            if let Some(at) = self.scheduler.next_wakeup()
                && !self.scheduler.is_at_rest()
            {
                self.now = self.now.max(at);
                self.handle(Event::Tick);
                return true;
            }
            return false;
        };
        let name = self.plan.atom(command.atom).name.clone();
        let behaviour = self
            .behaviours
            .entry(last_part(&name).to_owned())
            .or_default();
        let undo = command.undo.as_deref();
        self.given.push(Given {
            task: last_part(&name).to_owned(),
            phase: command.phase,
            inputs: command.inputs.clone(),
            failed: undo
                .and_then(|undo| undo.failure.as_ref())
                .is_some_and(|f| f.task == name),
            result: undo.map_or(Value::Null, |undo| Value::clone(&undo.result)),
            failures: undo
                .into_iter()
                .flat_map(|undo| undo.failures.iter())
                .map(|f| last_part(&f.task).to_owned())
                .collect(),
        });
        let failure = || Err(Failure::new(FailureKind::Exit, "exited with code 1"));
        let outcome = match command.phase {
            Phase::Execute => {
                let unequal = behaviour
                    .unless_equal
                    .as_ref()
                    .is_some_and(|(a, b)| command.inputs.get(a) != command.inputs.get(b));
                if unequal || behaviour.failures > 0 {
                    behaviour.failures = behaviour.failures.saturating_sub(1);
                    failure()
                } else if behaviour.sum.is_empty() {
                    Ok(behaviour.result.clone())
                } else {
                    let sum: i64 = behaviour
                        .sum
                        .iter()
                        .filter_map(|n| command.inputs.get(n)?.as_i64())
                        .sum();
                    Ok(Value::from(sum))
                }
            }
            Phase::Revert if behaviour.revert_failures > 0 => {
                behaviour.revert_failures -= 1;
                failure()
            }
            Phase::Revert => Ok(Value::Null),
        };
        let state = match (command.phase, &outcome) {
            (Phase::Execute, Ok(_)) => "SUCCESS",
            (Phase::Execute, Err(_)) => "FAILURE",
            (Phase::Revert, Ok(_)) => "REVERTED",
            (Phase::Revert, Err(_)) => "REVERT_FAILURE",
        };
        if self
            .suspend_on
            .take_if(|(task, on)| task == last_part(&name) && on == state)
            .is_some()
        {
            self.handle(Event::Suspend(operator()));
        }
        self.handle(Event::Finished {
            atom: command.atom,
            attempt: command.attempt,
            phase: command.phase,
            outcome,
        });
        true
    }

    /// Plays on until nothing more happens.
    pub fn play_on(&mut self) -> FlowState {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "the flow never ends");
        }
        self.scheduler.state()
    }

    /// What happened, as `task:STATE` or `task:STATE=result`. Controllers go by the name of their scope
    /// with `[retry]` behind it.
    pub fn events(&self) -> Vec<String> {
        let mut last: BTreeMap<String, &str> = self.before.clone();
        let mut events = Vec::new();
        for record in &self.records {
            let Subject::Atom(atom) = record.subject else {
                continue;
            };
            let name = last_part(&self.plan.atom(atom).name).to_owned();
            let (state, result) = match &record.change {
                Change::Started { .. } => ("RUNNING", None),
                Change::Succeeded { result } | Change::Tried { value: result, .. } => {
                    ("SUCCESS", (!result.is_null()).then(|| result.to_string()))
                }
                Change::Failed { .. } => ("FAILURE", None),
                Change::Ignored => ("IGNORE", None),
                Change::Interrupted { .. } => ("INTERRUPTED", None),
                Change::Reverting => ("REVERTING", None),
                Change::Reverted { .. } => ("REVERTED", None),
                Change::RevertFailed { .. } => ("REVERT_FAILURE", None),
                Change::Reset => ("PENDING", None),
                Change::Retrying { .. } => ("RETRYING", None),
                Change::HandedOver
                | Change::RevertRetried { .. }
                | Change::GivenUp { .. }
                | Change::Permitted { .. }
                | Change::RetryDecided { .. }
                | Change::AllowDecided { .. }
                | Change::Stalled { .. }
                | Change::Flow { .. } => continue,
            };
            let before = last.insert(name.clone(), state);
            if before == Some(state) {
                continue;
            }
            events.push(match result {
                Some(result) => format!("{name}:{state}={result}"),
                None => format!("{name}:{state}"),
            });
        }
        events
    }
}

/// A person.
pub fn operator() -> jobrunner::model::Operator {
    jobrunner::model::Operator {
        who: "someone@here".to_owned(),
        why: String::new(),
    }
}
