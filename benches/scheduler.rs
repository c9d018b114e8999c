//! The scheduler alone, without I/O: time and memory for each atom, from 1,000 to 1,000,000 atoms.
//!
//! `cargo bench --bench scheduler [-- SHAPE]` prints a table, and the growth exponent (1.0 is linear): the fit over all
//! sizes, each the best of several rounds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jobrunner::compile::{Action, Atom, AtomKind, Plan, Task, Template};
use jobrunner::model::{
    AtomId, Checkpoint, Failure, FailureKind, FlowState, Phase, ScopeId, Timestamp, Value,
};
use jobrunner::scheduler::{Event, Scheduler};
use petgraph::graph::{DiGraph, NodeIndex};

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator that counts cannot be written without it"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn task(name: String) -> Atom {
    Atom {
        name,
        scope: ScopeId::FLOW,
        kind: AtomKind::Task(Box::new(Task::new(Action {
            kind: "sleep".to_owned(),
            params: Template::Literal(Value::Null),
            check: None,
            result: None,
            needs: Vec::new(),
        }))),
    }
}

/// A flow of `layers` layers of `width` tasks, each layer behind a gate.
fn layered(layers: usize, width: usize) -> Plan {
    let mut graph: DiGraph<AtomId, Vec<String>> = DiGraph::new();
    let mut atoms = Vec::new();
    let add = |atoms: &mut Vec<Atom>, graph: &mut DiGraph<_, _>, atom: Atom| -> NodeIndex {
        atoms.push(atom);
        graph.add_node(AtomId(atoms.len() as u32 - 1))
    };
    let mut before: Vec<NodeIndex> = Vec::new();
    for layer in 0..layers {
        if before.len() > 1 {
            let gate = add(
                &mut atoms,
                &mut graph,
                Atom {
                    name: format!("gate{layer}"),
                    scope: ScopeId::FLOW,
                    kind: AtomKind::End,
                },
            );
            for node in &before {
                graph.add_edge(*node, gate, Vec::new());
            }
            before = vec![gate];
        }
        let mut row = Vec::with_capacity(width);
        for at in 0..width {
            let node = add(&mut atoms, &mut graph, task(format!("t{layer}_{at}")));
            for earlier in &before {
                graph.add_edge(*earlier, node, Vec::new());
            }
            row.push(node);
        }
        before = row;
    }
    Plan::flat("bench", atoms, graph)
}

/// A side ends: well, unless it is the execute side of `failing`.
fn finished((atom, attempt, phase): (AtomId, u32, Phase), failing: Option<AtomId>) -> Event {
    let outcome = if failing == Some(atom) && phase == Phase::Execute {
        Err(Failure::new(FailureKind::Exit, "exited with code 1"))
    } else {
        Ok(Value::Null)
    };
    Event::Finished {
        atom,
        attempt,
        phase,
        outcome,
    }
}

/// Runs the flow, forward (`fail` false) or forward up to the last atom and all the way back.
fn run(plan: &Arc<Plan>, fail: bool) -> (f64, usize) {
    let before = IN_USE.load(Ordering::Relaxed);
    let start = Instant::now();
    let mut scheduler =
        Scheduler::new(plan.clone(), Checkpoint::default(), 1).expect("an empty checkpoint fits");
    let mut running = VecDeque::new();
    let mut now = 0;
    let mut peak = 0;
    let last = AtomId(plan.atoms.len() as u32 - 1);
    let mut event = Some(Event::Resumed);
    while let Some(next) = event {
        now += 1;
        let step = scheduler.handle(next, Timestamp(now)).expect("it fits");
        let begun = step.commands.iter();
        running.extend(begun.map(|c| (c.atom, c.attempt, c.phase)));
        if now % 1024 == 0 {
            peak = peak.max(IN_USE.load(Ordering::Relaxed) - before);
        }
        event = if scheduler.next_wakeup().is_some() {
            Some(Event::Tick)
        } else {
            running
                .pop_front()
                .map(|side| finished(side, fail.then_some(last)))
        };
    }
    let expected = if fail {
        FlowState::Reverted
    } else {
        FlowState::Success
    };
    assert_eq!(scheduler.state(), expected);
    peak = peak.max(IN_USE.load(Ordering::Relaxed) - before);
    (start.elapsed().as_secs_f64(), peak)
}

/// The power of the size that the time grows with: the slope of the line that fits the logarithms best.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let logs = || points.iter().map(|(size, time)| (size.ln(), time.ln()));
    let (x, y) = logs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a / count, y + b / count));
    let rise: f64 = logs().map(|(a, b)| (a - x) * (b - y)).sum();
    let run: f64 = logs().map(|(a, _)| (a - x) * (a - x)).sum();
    rise / run
}

fn main() {
    let wanted: Option<String> = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    type Shape = fn(usize) -> Plan;
    let shapes: [(&str, Shape); 3] = [
        ("chain", |n| layered(n, 1)),
        ("wide", |n| layered(1, n)),
        ("layered", |n| {
            let side = (n as f64).sqrt() as usize;
            layered(side, side)
        }),
    ];
    println!("shape    atoms     direction   ns/atom  atoms/s     bytes/atom");
    for (name, shape) in shapes {
        if wanted.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        for fail in [false, true] {
            let mut points: Vec<(f64, f64)> = Vec::new();
            for atoms in [1_000, 10_000, 100_000, 1_000_000] {
                let plan = Arc::new(shape(atoms));
                let count = plan.atoms.len();
                let rounds = (1_000_000 / count).clamp(3, 100);
                let mut best = f64::MAX;
                let mut memory = 0;
                for _ in 0..rounds {
                    let (seconds, peak) = run(&plan, fail);
                    best = best.min(seconds);
                    memory = memory.max(peak);
                }
                let each = best / count as f64;
                points.push((count as f64, best));
                println!(
                    "{name:<8} {count:<9} {:<11} {:<8.0} {:<11.0} {}",
                    if fail { "and back" } else { "forward" },
                    each * 1e9,
                    1.0 / each,
                    memory / count
                );
            }
            let exponent = exponent(&points);
            println!("{name:<8} growth exponent {exponent:.2}");
        }
    }
}
