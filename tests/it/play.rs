//! Plays a flow through the real scheduler, with made-up outcomes and no time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jobrunner::compile::{self, Input, Plan};
use jobrunner::model::{
    Bundle, Change, Checkpoint, Failure, FailureKind, FlowState, KindSchema, Param, Phase, Record,
    Shape, SourceFile, Subject, Timestamp, Value,
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
    result: &[],
    whole: None,
    waits: false,
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

/// Compiles a flow of probes that must compile.
pub fn plan(text: &str) -> Arc<Plan> {
    try_plan(text, &[]).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"))
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
    suspend_on: Option<(String, String)>,
}

pub fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Player {
    pub fn new(plan: &Arc<Plan>, checkpoint: Checkpoint) -> Self {
        let scheduler = Scheduler::new(plan.clone(), checkpoint, 7).expect("the checkpoint fits");
        Self {
            plan: plan.clone(),
            scheduler,
            behaviours: BTreeMap::new(),
            now: Timestamp(1_000),
            running: VecDeque::new(),
            records: Vec::new(),
            given: Vec::new(),
            suspend_on: None,
        }
    }

    pub fn behave(mut self, task: &str, behaviour: Behaviour) -> Self {
        self.behaviours.insert(task.to_owned(), behaviour);
        self
    }

    pub fn fails(self, task: &str, times: usize) -> Self {
        self.behave(
            task,
            Behaviour {
                failures: times,
                ..Behaviour::default()
            },
        )
    }

    /// Asks for a suspend as soon as that task comes into that state.
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
        let from = self.records.len();
        self.records.extend(step.records);
        self.running.extend(step.commands);
        if let Some((task, state)) = &self.suspend_on {
            let hit = self.events(from).iter().any(|e| {
                e == &format!("{task}:{state}") || e.starts_with(&format!("{task}:{state}="))
            });
            if hit {
                self.suspend_on = None;
                self.handle(Event::Suspend(operator()));
            }
        }
        count
    }

    /// Carries out the oldest command; `false` if there is none.
    pub fn step(&mut self) -> bool {
        let Some(command) = self.running.pop_front() else {
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
        self.given.push(Given {
            task: last_part(&name).to_owned(),
            phase: command.phase,
            inputs: command.inputs.clone(),
            failed: command.failure.as_ref().is_some_and(|f| f.task == name),
            result: command.result.clone(),
            failures: command
                .failures
                .iter()
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
        self.handle(Event::Finished {
            atom: command.atom,
            attempt: command.attempt,
            phase: command.phase,
            outcome,
        });
        true
    }

    /// Plays until nothing more happens.
    pub fn play(&mut self) -> FlowState {
        self.handle(Event::Resumed);
        self.play_on()
    }

    pub fn play_on(&mut self) -> FlowState {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "the flow never ends");
        }
        self.scheduler.state()
    }

    /// What happened from a record on, as `task:STATE` or `task:STATE=result`. Controllers go by the name of their scope
    /// with `[retry]` behind it.
    pub fn events(&self, from: usize) -> Vec<String> {
        let mut running: BTreeMap<String, &str> = BTreeMap::new();
        let mut events = Vec::new();
        for (at, record) in self.records.iter().enumerate() {
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
                | Change::Flow { .. } => continue,
            };
            let before = running.insert(name.clone(), state);
            if at < from || before == Some(state) {
                continue;
            }
            events.push(match result {
                Some(result) => format!("{name}:{state}={result}"),
                None => format!("{name}:{state}"),
            });
        }
        events
    }

    /// The story in one line.
    pub fn story(&self) -> String {
        self.events(0).join(" ")
    }
}

/// A person.
pub fn operator() -> jobrunner::model::Operator {
    jobrunner::model::Operator {
        who: "someone@here".to_owned(),
        why: String::new(),
    }
}
