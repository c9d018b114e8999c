//! The scheduler alone, without I/O: time and memory for each atom, from 1,000 to 1,000,000 atoms.
//!
//! `cargo bench --bench scheduler` prints a table, and the growth exponent (1.0 is linear) over the whole range.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jobrunner::compile::{Action, Atom, AtomKind, Plan, Task, Template};
use jobrunner::model::{AtomId, Checkpoint, FlowState, Phase, ScopeId, Timestamp, Value};
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
    let step = scheduler
        .handle(Event::Resumed, Timestamp(now))
        .expect("it fits");
    running.extend(
        step.commands
            .into_iter()
            .map(|c| (c.atom, c.attempt, c.phase)),
    );
    while let Some((atom, attempt, phase)) = running.pop_front() {
        now += 1;
        let outcome = if fail && atom == last && phase == Phase::Execute {
            Err(jobrunner::model::Failure::new(
                jobrunner::model::FailureKind::Exit,
                "exited with code 1",
            ))
        } else {
            Ok(Value::Null)
        };
        let event = Event::Finished {
            atom,
            attempt,
            phase,
            outcome,
        };
        let step = scheduler.handle(event, Timestamp(now)).expect("it fits");
        running.extend(
            step.commands
                .into_iter()
                .map(|c| (c.atom, c.attempt, c.phase)),
        );
        if now % 1024 == 0 {
            peak = peak.max(IN_USE.load(Ordering::Relaxed) - before);
        }
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

fn main() {
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
        for fail in [false, true] {
            let mut points: Vec<(f64, f64)> = Vec::new();
            for atoms in [1_000, 10_000, 100_000, 1_000_000] {
                let plan = Arc::new(shape(atoms));
                let count = plan.atoms.len();
                let rounds = (200_000 / count).clamp(1, 50);
                let mut best = f64::MAX;
                let mut memory = 0;
                for _ in 0..=rounds {
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
            let ((a, x), (b, y)) = (points[0], points[points.len() - 1]);
            let exponent = (y / x).ln() / (b / a).ln();
            println!("{name:<8} growth exponent {exponent:.2}");
        }
    }
}
