//! The simulator: real conductors, drivers, writers and schedulers on a store and a board in memory, whose time,
//! chance, faults and tasks all come from one seed. The same seed gives the same run, event by event.
//!
//! `JOBRUNNER_CASES=100000 tests/run simulate` runs more seeds; `JOBRUNNER_SEED=7 tests/run simulate` runs one, and
//! tells its story.

mod ledger;
mod machine;
mod network;
mod people;
mod servers;
mod storm;
mod time;
mod verdict;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jobrunner::conductor::Until;
use jobrunner::ports::JobBoard;

use servers::now;
use storm::Storm;
use world::World;

/// How many seeds are run if nobody says otherwise.
const SEEDS: u64 = 2_000;
/// How long jobs may take to come to their ends once the faults have stopped.
const CALM: Duration = Duration::from_secs(3_600);
/// How often a person decides about a job that is stuck before it is abandoned.
const DECISIONS: u32 = 6;

/// Runs one seed from its first post to its verdict.
fn run(world: &Arc<World>) {
    let time = Arc::clone(&world.time);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_park(move || time.advance())
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(play(world));
}

async fn play(world: &Arc<World>) {
    let mut storm = Storm::new(world);
    let calm = storm.is_calm();
    let mut number = 0;
    for _ in 0..=world.chance.below(3) {
        // Several at once: they are claimed together, and taken on together.
        let at_once = *world.chance.pick(&[1, 1, 1, 2, 5]);
        for _ in 0..at_once {
            number += 1;
            people::post(world, &storm.people, number).await;
        }
        let until = world.time.now().plus(world.chance.millis(50, 20_000));
        storm.rage(until).await;
    }
    let until = world.time.now().plus(world.chance.millis(500, 60_000));
    storm.rage(until).await;
    storm.subside();
    let until = *world.chance.pick(&[Until::Stopped, Until::Empty]);
    storm.start(until);
    come_to_an_end(world, &mut storm).await;
    for machine in &storm.machines {
        machine.stop(world, world.chance.one_in(4));
    }
    for machine in storm.gone.drain(..).chain(storm.machines.drain(..)) {
        machine.ended(world).await;
    }
    verdict::judge(world, calm);
}

/// E10: without faults every job comes to its end; people decide what is theirs to decide.
async fn come_to_an_end(world: &Arc<World>, storm: &mut Storm) {
    let limit = world.time.now().plus(CALM);
    let mut decided = 0;
    loop {
        let states = people::states(world);
        let open = states.iter().filter(|(_, state)| !state.is_end());
        let open: Vec<_> = open.copied().collect();
        let on_board = now(world.board.snapshot(100)).expect("the board in memory answers");
        if open.is_empty() && on_board.is_empty() {
            return;
        }
        assert!(
            world.time.now() < limit,
            "E10: {open:?} have not ended; on the board: {on_board:?}"
        );
        for (job, state) in open {
            if let Some(request) = people::way_on(world, state, decided > DECISIONS) {
                decided += 1;
                people::ask(world, &storm.people, job, request).await;
            }
        }
        world.time.sleep(Duration::from_secs(5)).await;
        if storm.machines.iter().all(machine::Machine::has_ended) {
            // One that works until nothing is left has ended; what was asked since is for another.
            storm.start(Until::Empty);
        }
    }
}

/// Runs a seed; its story, and what it failed with.
fn told(seed: u64, with_story: bool) -> (Arc<World>, Option<String>) {
    let world = World::new(seed, with_story);
    let failed = catch_unwind(AssertUnwindSafe(|| run(&world))).err();
    let failed = failed.map(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    });
    (world, failed)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is to be a number, not `{text}`")),
    )
}

#[test]
fn every_seed_keeps_the_invariants() {
    if let Some(seed) = number("JOBRUNNER_SEED") {
        let (world, failed) = told(seed, true);
        for job in world.jobs().iter() {
            println!("job {}:\n{}", job.posted.id.0.as_u128(), job.text);
        }
        println!("{}", world.story().join("\n"));
        if let Some(why) = failed {
            panic!("seed {seed}: {why}");
        }
        return;
    }
    let seeds = number("JOBRUNNER_CASES").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let failures: Vec<(u64, String)> = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds || failures.len() >= 3 {
                    return failures;
                }
                failures.extend(told(seed, false).1.map(|why| (seed, why)));
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic gets here"));
        joined.flatten().collect()
    });
    for (seed, why) in &failures {
        eprintln!("JOBRUNNER_SEED={seed} tests/run simulate -- --nocapture\n    {why}\n");
    }
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let (first, second) = (told(seed, true).0, told(seed, true).0);
        let (first, second) = (first.story(), second.story());
        assert!(first.len() > 10, "seed {seed} tells nothing");
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}
