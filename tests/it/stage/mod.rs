//! What engine and conductor are tried on: a clock that is set by hand, a task kind that does as it is told,
//! a store that writes down what it is asked to commit, and a board.

mod servers;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::compile::{Action, Atom, AtomKind, Plan, Task, Template};
use jobrunner::model::{
    AtomId, Bundle, Digest, Failure, FailureKind, JobId, KindSchema, NewJob, Param, Phase,
    Priority, ScopeId, Shape, Timestamp, Value, Waits,
};
use jobrunner::ports::{Call, Clock, Kinds, Outcome, Stream, TaskKind};
use petgraph::graph::DiGraph;
use serde_json::json;
pub use servers::{Flaky, Recording};
use tokio::sync::watch;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits something that must come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// A clock that stands still until it is set.
pub struct ManualClock {
    now: watch::Sender<i64>,
    /// Pauses end by this clock too, not by the machine's.
    pauses: bool,
}

impl ManualClock {
    /// One whose pauses are real: for those who wait for something that is to be tried again.
    pub fn new() -> Arc<Self> {
        Self::made(false)
    }

    /// One by which nothing ends, no pause either, before it is set.
    pub fn still() -> Arc<Self> {
        Self::made(true)
    }

    fn made(pauses: bool) -> Arc<Self> {
        let now = watch::Sender::new(1_000_000);
        Arc::new(Self { now, pauses })
    }

    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by.as_millis() as i64);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.now.borrow())
    }

    async fn sleep_until(&self, instant: Timestamp) {
        let mut now = self.now.subscribe();
        let _ = now.wait_for(|now| *now >= instant.0).await;
    }

    async fn sleep(&self, duration: Duration) {
        if self.pauses {
            self.sleep_until(self.now().plus(duration)).await;
        } else {
            tokio::time::sleep(duration).await;
        }
    }
}

/// What happened, in order, as lines of text.
#[derive(Clone, Default)]
pub struct Journal {
    lines: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Journal {
    pub fn note(&self, line: impl Into<String>) {
        let mut lines = self.lines.lock().unwrap();
        lines.push(line.into());
        self.count.send_replace(lines.len());
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn has(&self, line: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|l| l == line)
    }

    pub fn count(&self, line: &str) -> usize {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|l| *l == line).count()
    }

    pub fn position(&self, line: &str) -> usize {
        let lines = self.lines();
        let at = lines.iter().position(|l| l == line);
        at.unwrap_or_else(|| panic!("`{line}` is not among {lines:#?}"))
    }

    /// Returns when the line has been written `times` times.
    pub async fn wait_for(&self, line: &str, times: usize) {
        let mut count = self.count.subscribe();
        let written = async {
            while self.count(line) < times {
                count.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, written).await.is_err() {
            panic!("`{line}` did not come {times} times: {:#?}", self.lines());
        }
    }
}

/// A task kind that does what its parameter `do` says, and writes it down:
/// `pass`, `fail`, `hold` (until it is let go or cancelled), `deaf` (the same, but it ignores that it is cancelled),
/// `panic`, `large`, `print`, `freeze` (the thread, and with it the conductor, until it is thawed; once).
pub struct Scripted {
    journal: Journal,
    gates: watch::Sender<BTreeMap<String, bool>>,
    frozen: Arc<(Mutex<Ice>, Condvar)>,
    waits: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Ice {
    NotYet,
    Frozen,
    Thawed,
}

impl Scripted {
    pub fn new(journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            journal: journal.clone(),
            gates: watch::Sender::new(BTreeMap::new()),
            frozen: Arc::new((Mutex::new(Ice::NotYet), Condvar::new())),
            waits: false,
        })
    }

    /// The same as a kind that only waits, under the name `wait`.
    pub fn waiting(journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            journal: journal.clone(),
            gates: watch::Sender::new(BTreeMap::new()),
            frozen: Arc::new((Mutex::new(Ice::NotYet), Condvar::new())),
            waits: true,
        })
    }

    /// Lets the thread that a `freeze` holds go on.
    pub fn thaw(&self) {
        *self.frozen.0.lock().unwrap() = Ice::Thawed;
        self.frozen.1.notify_all();
    }

    fn freeze(&self) {
        let (ice, changed) = &*self.frozen;
        let mut ice = ice.lock().unwrap();
        if *ice == Ice::NotYet {
            *ice = Ice::Frozen;
            self.journal.note("frozen");
            let frozen = changed.wait_timeout_while(ice, PATIENCE, |ice| *ice == Ice::Frozen);
            drop(frozen);
        }
    }

    /// Lets the tasks of this name that hold go on, now and later.
    pub fn let_go(&self, task: &str) {
        self.gates.send_modify(|gates| {
            gates.insert(task.to_owned(), true);
        });
    }

    pub fn kinds(self: &Arc<Self>) -> Kinds {
        let mut kinds = Kinds::default();
        kinds.add(Arc::clone(self) as Arc<dyn TaskKind>);
        kinds
    }
}

const SCRIPT: KindSchema = KindSchema {
    name: "script",
    about: "does as it is told",
    params: &[
        Param {
            name: "do",
            shape: Shape::Text,
            required: true,
            about: "what",
        },
        Param {
            name: "text",
            shape: Shape::Text,
            required: false,
            about: "what to give back or print",
        },
    ],
    shorthand: Some("do"),
    process: false,
    result: &["text"],
    whole: Some("text"),
    waits: Waits::Nothing,
};

const WAIT: KindSchema = KindSchema {
    name: "wait",
    waits: Waits::Instant,
    ..SCRIPT
};

#[async_trait]
impl TaskKind for Scripted {
    fn schema(&self) -> &KindSchema {
        if self.waits { &WAIT } else { &SCRIPT }
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let side = match call.phase {
            Phase::Execute => call.task.clone(),
            Phase::Revert => format!("revert {}", call.task),
        };
        self.journal.note(format!("start {side}"));
        let text = call.spec["text"].as_str().unwrap_or_default().to_owned();
        let outcome = match call.spec["do"].as_str().unwrap_or_default() {
            "pass" => Ok(json!({"text": text})),
            "fail" => Err(Failure::new(FailureKind::Exit, text)),
            what @ ("hold" | "deaf") => {
                let mut gates = self.gates.subscribe();
                let open = gates.wait_for(|gates| gates.contains_key(&call.task));
                tokio::select! {
                    _ = open => Ok(json!({"text": text})),
                    () = call.cancel.cancelled(), if what == "hold" => {
                        Err(Failure::new(FailureKind::Cancelled, "cancelled"))
                    }
                }
            }
            "freeze" => {
                self.freeze();
                Ok(json!({"text": text}))
            }
            "panic" => panic!("{text}"),
            "large" => Ok(json!({"text": "x".repeat(2 << 20)})),
            "print" => {
                call.log.write(Stream::Stdout, text.as_bytes());
                Ok(json!({"text": text}))
            }
            other => Err(Failure::new(
                FailureKind::Other,
                format!("what is `{other}`?"),
            )),
        };
        self.journal.note(match &outcome {
            Ok(_) => format!("end {side}"),
            Err(failure) => format!("{} {side}", failure.kind),
        });
        outcome
    }

    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        self.journal.note(format!("undo {}", call.task));
        Ok(())
    }
}

/// A task of a plan that a test writes: its name, what must come before it, and its parameters.
pub struct Sketch {
    pub name: &'static str,
    pub after: &'static [&'static str],
    pub params: Template,
    pub change: fn(&mut Task),
}

/// A task that does `what`.
pub fn task(name: &'static str, after: &'static [&'static str], what: &str, text: &str) -> Sketch {
    Sketch {
        name,
        after,
        params: Template::Literal(json!({"do": what, "text": text})),
        change: |_| {},
    }
}

/// A plan of tasks in one flow, all of kind `script`.
pub fn plan(sketches: Vec<Sketch>) -> Plan {
    let mut graph = DiGraph::new();
    let mut atoms = Vec::new();
    for (sketch, id) in sketches.iter().zip(0u32..) {
        let node = graph.add_node(AtomId(id));
        for before in sketch.after {
            let before = sketches.iter().position(|s| s.name == *before).unwrap();
            graph.add_edge((before as u32).into(), node, Vec::new());
        }
        let mut task = Task::new(Action {
            kind: "script".to_owned(),
            params: sketch.params.clone(),
            check: None,
            result: None,
            needs: Vec::new(),
        });
        (sketch.change)(&mut task);
        atoms.push(Atom {
            name: sketch.name.to_owned(),
            scope: ScopeId::FLOW,
            kind: AtomKind::Task(Box::new(task)),
        });
    }
    Plan::flat("test", atoms, graph)
}

/// A job to be put into a store.
pub fn new_job(number: u128) -> NewJob {
    NewJob {
        id: JobId(uuid::Uuid::from_u128(number)),
        name: "test".to_owned(),
        key: None,
        bundle: Bundle {
            version: 1,
            files: Vec::new(),
        },
        digest: Digest("test".to_owned()),
        inputs: Default::default(),
        secrets: Default::default(),
        requires: "[]".to_owned(),
        priority: Priority::Normal,
        created_at: Timestamp(1_000_000),
    }
}
