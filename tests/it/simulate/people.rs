//! What people do: post jobs, and ask things of them.

use std::sync::Arc;

use jobrunner::model::{Bundle, FlowState, JobId, NewJob, Operator, Priority, SourceFile, Verb};
use jobrunner::ports::{Created, JobBoard, Notice, Request, Store};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::network::Line;
use super::servers::{RemoteBoard, RemoteStore, now};
use super::world::{Job, World};
use crate::random::{flow_of, flows};

/// A random flow from chance.
fn flow(world: &World) -> (String, Arc<jobrunner::compile::Plan>) {
    let mut seed = [0; 32];
    seed.fill_with(|| world.chance.below(256) as u8);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = flows().new_tree(&mut runner).expect("nothing is filtered");
    let (items, list, retry) = tree.current();
    flow_of(&items, list, world.chance.one_in(4), retry)
}

/// Posts a job over a line that may fail, as often as it takes; one in three has a key, and is posted twice at once.
pub async fn post(world: &Arc<World>, line: &Line, number: u128) {
    let (text, plan) = flow(world);
    let job = NewJob {
        id: JobId(uuid::Uuid::from_u128(number)),
        name: "f".to_owned(),
        key: world.chance.one_in(3).then(|| format!("key {number}")),
        bundle: Bundle {
            version: 1,
            files: vec![SourceFile {
                path: "f.flow.yaml".to_owned(),
                text: text.clone(),
            }],
        },
        digest: plan.digest.clone(),
        inputs: Default::default(),
        secrets: Default::default(),
        requires: "[]".to_owned(),
        priority: *world.chance.pick(&Priority::ALL),
        created_at: world.time.now(),
    };
    let twin = job.key.is_some().then(|| NewJob {
        id: JobId(uuid::Uuid::from_u128(number + 1000)),
        ..job.clone()
    });
    for one in std::iter::once(&job).chain(&twin) {
        world.jobs().push(Job {
            posted: one.clone(),
            text: text.clone(),
            plan: Arc::clone(&plan),
        });
    }
    match &twin {
        None => bring(world, line, &job).await,
        Some(twin) => {
            let ((), ()) = tokio::join!(bring(world, line, &job), bring(world, line, twin));
        }
    }
}

/// Brings one job to the store, and then to the board.
async fn bring(world: &Arc<World>, line: &Line, job: &NewJob) {
    let store = RemoteStore(line.clone());
    let mut id = job.id;
    loop {
        match store.create(job).await {
            Ok(Created::New) => break,
            Ok(Created::Existing(first)) => {
                id = first;
                break;
            }
            Err(_) => world.time.sleep(world.chance.millis(10, 500)).await,
        }
    }
    world.tell(|| format!("job {} is posted as {}", job.id.0.as_u128(), id.0.as_u128()));
    // Whether or not the board hears of it: the sweep finds it.
    let _ = RemoteBoard::new(line.clone())
        .post(&notice(id, job.priority), None)
        .await;
}

fn notice(job: JobId, priority: Priority) -> Notice {
    Notice {
        job,
        priority,
        requires: "[]".to_owned(),
    }
}

/// Asks something of a job.
pub async fn ask(world: &Arc<World>, line: &Line, job: JobId, request: Request) {
    world.tell(|| format!("somebody asks of job {}: {request:?}", job.0.as_u128()));
    let store = RemoteStore(line.clone());
    if let Ok(true) = store.request(job, &request, world.time.now()).await {
        let board = RemoteBoard::new(line.clone());
        let _ = board.post(&notice(job, Priority::Normal), None).await;
        let _ = board.wake().await;
    }
}

fn by() -> Operator {
    Operator {
        who: "ann".to_owned(),
        why: String::new(),
    }
}

/// Something that may be asked of a job at any time.
pub fn whim(world: &World) -> Request {
    match world.chance.below(8) {
        0 | 1 => Request::Suspend(by()),
        2..=4 => Request::Resume(by()),
        5 => Request::Cancel(by()),
        _ => decision(world, false),
    }
}

fn decision(world: &World, last: bool) -> Request {
    let verbs = [Verb::Retry, Verb::MarkReverted, Verb::Abandon];
    Request::Decide {
        verb: if last {
            Verb::Abandon
        } else {
            *world.chance.pick(&verbs)
        },
        task: None,
        by: by(),
    }
}

/// What a job at rest needs in order to go on: nothing, if it has ended. `last`: it has been stuck often enough.
pub fn way_on(world: &World, state: FlowState, last: bool) -> Option<Request> {
    match state {
        FlowState::Suspended => Some(Request::Resume(by())),
        FlowState::Stuck => Some(decision(world, last)),
        FlowState::Pending
        | FlowState::Running
        | FlowState::Reverting
        | FlowState::Success
        | FlowState::Reverted
        | FlowState::Abandoned => None,
    }
}

/// Where the jobs that the store has stand.
pub fn states(world: &World) -> Vec<(JobId, FlowState)> {
    let jobs = now(world.store.jobs(true, 1_000)).expect("the store in memory answers");
    jobs.iter().map(|job| (job.id, job.flow.state)).collect()
}
