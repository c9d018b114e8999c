//! Whatever is done to a store, all stores tell the same of it, and what they tell is what was written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::collections::BTreeMap;

use jobrunner::model::{
    AtomId, AtomRow, AtomState, Change, Epoch, FlowRow, FlowState, JobId, Operator, Phase,
    Timestamp, Value,
};
use jobrunner::ports::{
    AtomWrite, Commit, Committed, LogBatch, LogChunk, LogFilter, LogTrim, Request, Store, Stream,
};
use proptest::prelude::*;

use super::store_contract::{Kind, Stores, atom, job, record, who};

/// What one does to a store. Jobs and owners by number; the store's own epoch and seq plus an offset that is nearly
/// always 0.
#[derive(Debug, Clone)]
enum Deed {
    Own(usize, u8),
    Disown(usize, u8),
    Stall(usize, u8),
    Request(usize, u8),
    Commit(Vec<Step>, Vec<Log>),
}

#[derive(Debug, Clone)]
struct Step {
    job: usize,
    owner: u8,
    epoch: i64,
    seq: i64,
    atoms: BTreeMap<u32, (AtomState, Value)>,
    flow: Option<FlowState>,
    answered: Vec<i64>,
}

#[derive(Debug, Clone)]
struct Log {
    job: usize,
    task: u8,
    n: i64,
    bytes: Vec<u8>,
    trim: bool,
}

const JOBS: usize = 3;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\u{0}-\u{1f}\"\\\\'/\u{7f}\u{2028}]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn step() -> impl Strategy<Value = Step> {
    let off = || prop_oneof![12 => Just(0i64), 1 => -1..=1i64];
    let state = prop_oneof![
        Just(AtomState::Running),
        Just(AtomState::Success),
        Just(AtomState::Failure)
    ];
    let flow = prop_oneof![
        10 => Just(None),
        4 => Just(Some(FlowState::Running)),
        2 => Just(Some(FlowState::Suspended)),
        1 => Just(Some(FlowState::Success)),
    ];
    let atoms = proptest::collection::btree_map(0..6u32, (state, value()), 0..4);
    let answered = proptest::collection::vec(1..8i64, 0..3);
    (0..JOBS, 0..2u8, off(), off(), atoms, flow, answered).prop_map(
        |(job, owner, epoch, seq, atoms, flow, answered)| Step {
            job,
            owner,
            epoch,
            seq,
            atoms,
            flow,
            answered,
        },
    )
}

fn log() -> impl Strategy<Value = Log> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..5);
    (
        0..JOBS,
        0..2u8,
        0..6i64,
        bytes,
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(job, task, n, bytes, trim)| Log {
            job,
            task,
            n,
            bytes,
            trim,
        })
}

fn deed() -> impl Strategy<Value = Deed> {
    let logs = proptest::collection::vec(log(), 0..3);
    let lone = step().prop_map(|step| Deed::Commit(vec![step], Vec::new()));
    let batch = (proptest::collection::vec(step(), 0..5), logs);
    prop_oneof![
        3 => (0..JOBS, 0..2u8).prop_map(|(job, owner)| Deed::Own(job, owner)),
        1 => (0..JOBS, 0..2u8).prop_map(|(job, owner)| Deed::Disown(job, owner)),
        1 => (0..JOBS, 0..2u8).prop_map(|(job, owner)| Deed::Stall(job, owner)),
        2 => (0..JOBS, 0..3u8).prop_map(|(job, what)| Deed::Request(job, what)),
        6 => lone,
        6 => batch.prop_map(|(steps, logs)| Deed::Commit(steps, logs)),
    ]
}

const AT: Timestamp = Timestamp(1_795_500_000_000);

/// What this test itself says that a job is made of.
#[derive(Debug, Default)]
struct Written {
    atoms: BTreeMap<AtomId, AtomRow>,
    flow: Option<FlowRow>,
    changes: Vec<Change>,
}

struct World {
    jobs: Vec<JobId>,
    written: Vec<Written>,
}

impl World {
    fn commit(&self, step: &Step, at: (Epoch, i64)) -> Commit {
        let atoms = step.atoms.iter().map(|(number, (state, result))| {
            let write = atom(*number, *state);
            AtomWrite {
                row: AtomRow {
                    result: result.clone().into(),
                    ..write.row
                },
                ..write
            }
        });
        let records = step.atoms.iter().map(|(number, (_, result))| {
            let change = Change::Succeeded {
                result: result.clone().into(),
            };
            record(*number, change)
        });
        Commit {
            job: self.jobs[step.job],
            owner: who(&step.owner.to_string()),
            epoch: Epoch(at.0.0 + step.epoch),
            seq: at.1 + step.seq,
            records: records.collect(),
            atoms: atoms.collect(),
            flow: step.flow.map(|state| FlowRow {
                state,
                since: AT,
                ..FlowRow::default()
            }),
            answered: step.answered.clone(),
        }
    }

    fn note(&mut self, index: usize, commit: Commit) {
        let written = &mut self.written[index];
        let rows = commit
            .atoms
            .into_iter()
            .map(|write| (write.atom, write.row));
        written.atoms.extend(rows);
        let changes = commit.records.into_iter().map(|record| record.change);
        written.changes.extend(changes);
        written.flow = commit.flow.or(written.flow.take());
    }

    fn logs(&self, logs: &[Log]) -> LogBatch {
        let mut batch = LogBatch::default();
        for log in logs {
            let (job, task) = (self.jobs[log.job], format!("t{}", log.task));
            let (attempt, phase) = (1, Phase::Execute);
            if log.trim {
                batch.trims.push(LogTrim {
                    job,
                    task,
                    attempt,
                    phase,
                    first: log.n,
                    end: log.n + 2,
                });
            } else {
                batch.chunks.push(LogChunk {
                    id: 0,
                    job,
                    task,
                    attempt,
                    phase,
                    n: log.n,
                    stream: Stream::Stdout,
                    at: AT,
                    bytes: log.bytes.clone(),
                });
            }
        }
        batch
    }
}

fn request(what: u8) -> Request {
    let by = Operator {
        who: "ann".into(),
        why: String::new(),
    };
    match what {
        0 => Request::Cancel(by),
        1 => Request::Suspend(by),
        _ => Request::Resume(by),
    }
}

/// All that a store tells, of all jobs.
async fn told(store: &dyn Store, world: &World) -> String {
    let mut text = String::new();
    for job in &world.jobs {
        let logs = LogFilter {
            job: *job,
            task: None,
            after: 0,
            limit: 1000,
        };
        let mut chunks = store.logs(&logs).await.unwrap();
        assert!(chunks.is_sorted_by(|one, next| one.id < next.id));
        // Their numbers rise; which they are is the store's.
        for chunk in &mut chunks {
            chunk.id = 0;
        }
        text += &format!(
            "{:#?}\n{:#?}\n{:?}\n",
            store.load(*job).await.unwrap(),
            store.events(*job, 0, 1000).await.unwrap(),
            chunks,
        );
    }
    for owner in ["0", "1"] {
        text += &format!("{:?}\n", store.requests(&who(owner)).await.unwrap());
    }
    text += &format!(
        "{:?}\n{:?}\n{:?}\n",
        store.jobs(true, 10).await.unwrap(),
        store.jobs(false, 10).await.unwrap(),
        store.ready(None, 10).await.unwrap(),
    );
    text
}

/// Does it, and tells what the store answered.
async fn act(store: &dyn Store, world: &mut World, deed: &Deed, note: bool) -> String {
    let epoch = async |job| store.load(job).await.unwrap().unwrap().job.epoch;
    let by = |owner: &u8| who(&owner.to_string());
    match deed {
        Deed::Own(job, owner) => {
            format!(
                "{:?}",
                store.own(world.jobs[*job], &by(owner)).await.unwrap()
            )
        }
        Deed::Disown(job, owner) => {
            let job = world.jobs[*job];
            let at = epoch(job).await;
            format!("{:?}", store.disown(job, &by(owner), at).await.unwrap())
        }
        Deed::Stall(job, owner) => {
            let id = world.jobs[*job];
            let at = epoch(id).await;
            let done = store.stall(id, &by(owner), at, "why", AT).await.unwrap();
            if done && note {
                let last = store.events(id, 0, 1000).await.unwrap().pop().unwrap();
                world.written[*job].changes.push(last.record.change);
                world.written[*job].flow = Some(store.load(id).await.unwrap().unwrap().job.flow);
            }
            format!("{done:?}")
        }
        Deed::Request(job, what) => {
            let done = store.request(world.jobs[*job], &request(*what), AT).await;
            format!("{:?}", done.unwrap())
        }
        Deed::Commit(steps, logs) => {
            let mut at = BTreeMap::new();
            let mut commits = Vec::new();
            for step in steps {
                let job = world.jobs[step.job];
                let row = store.load(job).await.unwrap().unwrap().job;
                let next = at.entry(step.job).or_insert((row.epoch, row.seq));
                let commit = world.commit(step, *next);
                // A second step of one job goes on where the first will have left off, if it fits.
                next.1 = commit.seq + i64::try_from(commit.records.len()).unwrap();
                commits.push(commit);
            }
            let logs = world.logs(logs);
            let answers = store.commit(&commits, &logs).await.unwrap();
            let text = format!("{answers:?}");
            if note {
                for ((step, commit), answer) in steps.iter().zip(commits).zip(answers) {
                    if answer != Committed::Fenced {
                        world.note(step.job, commit);
                    }
                }
            }
            text
        }
    }
}

/// Does the same to a store in memory and to another one.
async fn check(deeds: &[Deed], other: Stores) {
    let memory = Stores::memory();
    let mut world = World {
        jobs: Vec::new(),
        written: Vec::new(),
    };
    for n in 0..JOBS {
        let new = job(n as u64);
        memory.a.create(&new).await.unwrap();
        other.a.create(&new).await.unwrap();
        world.jobs.push(new.id);
        world.written.push(Written::default());
    }
    for deed in deeds {
        let left = act(&*memory.a, &mut world, deed, true).await;
        let right = act(&*other.a, &mut world, deed, false).await;
        assert_eq!(left, right, "{deed:?}");
    }
    for (job, written) in world.jobs.iter().zip(&world.written) {
        let loaded = other.b.load(*job).await.unwrap().unwrap();
        let atoms: BTreeMap<_, _> = loaded.checkpoint.atoms.into_iter().collect();
        assert_eq!(atoms, written.atoms);
        if let Some(flow) = &written.flow {
            assert_eq!(loaded.checkpoint.flow, *flow);
        }
        let events = other.b.events(*job, 0, 10_000).await.unwrap();
        assert_eq!(usize::try_from(loaded.job.seq).unwrap(), events.len());
        assert!(events.is_sorted_by_key(|event| (event.epoch, event.seq)));
        let changes: Vec<_> = events
            .into_iter()
            .map(|event| event.record.change)
            .collect();
        assert_eq!(changes, written.changes);
    }
    let left = told(&*memory.a, &world).await;
    let right = told(&*other.b, &world).await;
    for (left, right) in left.lines().zip(right.lines()) {
        assert_eq!(left, right);
    }
    assert_eq!(left.len(), right.len());
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work);
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    proptest::collection::vec(deed(), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_tells_what_was_written(deeds in deeds()) {
        block_on(async { check(&deeds, Stores::sqlite().await).await });
    }
}

proptest! {
    // Each has a database of its own, which takes a server a moment.
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn mariadb_tells_what_was_written(deeds in deeds()) {
        block_on(async { check(&deeds, Stores::of(Kind::MariaDb).await).await });
    }

    #[test]
    #[ignore = "needs a MySQL: tests/servers/run mysql"]
    fn mysql_tells_what_was_written(deeds in deeds()) {
        block_on(async { check(&deeds, Stores::of(Kind::MySql).await).await });
    }

    #[test]
    fn postgres_tells_what_was_written(deeds in deeds()) {
        block_on(async { check(&deeds, Stores::of(Kind::Postgres).await).await });
    }
}
