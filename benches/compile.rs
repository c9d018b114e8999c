//! From text to a plan: what a flow of 100,000 tasks takes, against one of 1,000.
//!
//! `cargo bench --bench compile` prints a table, and the growth exponent (1.0 is linear).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexMap;
use jobrunner::model::{Bundle, SourceFile};
use jobrunner::ports::SystemClock;
use jobrunner::{compile, syntax, tasks};

/// Each task after the one before it.
fn chain(count: usize) -> String {
    let mut text = "tasks:\n".to_owned();
    for index in 0..count {
        let before = match index {
            0 => String::new(),
            _ => format!("needs: [t{}], ", index - 1),
        };
        let _ = writeln!(text, "  t{index}: {{ {before}exec: [\"true\"] }}");
    }
    text
}

/// Groups of ten, one after the other.
fn groups(count: usize) -> String {
    let mut text = "store: { x: 1 }\ntasks:\n".to_owned();
    for index in 0..count / 10 {
        let _ = writeln!(text, "  - name: g{index}\n    tasks:");
        for task in 0..10 {
            let _ = writeln!(text, "      t{task}: {{ shell: \"echo {{{{ x }}}}\" }}");
        }
    }
    text
}

fn main() {
    let settings = tasks::Settings::new("bench:1:1".to_owned(), Vec::new(), Arc::new(SystemClock));
    let kinds = tasks::builtin(settings);
    let schemas: Vec<_> = kinds.schemas().collect();
    let names: Vec<_> = schemas.iter().map(|schema| schema.name).collect();
    println!("shape    tasks     read ms   compile ms  inputs ms");
    for (shape, flow) in [("chain", chain as fn(usize) -> String), ("groups", groups)] {
        let mut totals = Vec::new();
        for tasks in [1_000, 10_000, 100_000] {
            let bundle = Bundle {
                version: 1,
                files: vec![SourceFile {
                    path: "bench.flow.yaml".to_owned(),
                    text: flow(tasks),
                }],
            };
            let begun = Instant::now();
            let (declaration, _) = syntax::parse(&bundle, &names);
            let read = begun.elapsed();
            let declaration = declaration.expect("the flow is well formed");
            let begun = Instant::now();
            let (plan, _) = compile::compile(&declaration, &schemas);
            let compiled = begun.elapsed();
            let plan = plan.expect("the flow compiles");
            let begun = Instant::now();
            plan.with_inputs(&IndexMap::new())
                .expect("every input has a default");
            let complete = begun.elapsed();
            totals.push((read + compiled + complete).as_secs_f64());
            let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
            println!(
                "{shape:<8} {tasks:<9} {:<9.1} {:<11.1} {:.1}",
                ms(read),
                ms(compiled),
                ms(complete)
            );
        }
        let exponent = (totals[2] / totals[0]).ln() / 100f64.ln();
        println!("{shape:<8} growth exponent {exponent:.2}");
    }
}
