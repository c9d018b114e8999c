//! A flow in a program of one's own, with a task kind of one's own.
//!
//! `cargo run --example embedded`, or `cargo run --example embedded -- boom` to see how it is undone.

use std::sync::{Arc, Mutex, PoisonError};

use jobrunner::conductor::Ended;
use jobrunner::model::{Failure, FailureKind, KindSchema, Param, Shape, Value, Waits};
use jobrunner::ports::{Call, Outcome, TaskKind};
use jobrunner::runner::{Flow, Guard, Runner};

/// Books a room in a calendar that only this program has.
struct Book {
    calendar: Arc<Mutex<Vec<String>>>,
}

#[async_trait::async_trait]
impl TaskKind for Book {
    fn schema(&self) -> &KindSchema {
        &KindSchema {
            name: "book",
            about: "books a room",
            params: &[Param {
                name: "room",
                shape: Shape::Text,
                required: true,
                about: "which one",
            }],
            shorthand: Some("room"),
            process: false,
            result: &["number"],
            whole: Some("number"),
            waits: Waits::Nothing,
        }
    }

    async fn execute(&self, call: Call) -> Result<Value, Failure> {
        let room = call.spec["room"].as_str().unwrap_or_default();
        if room == "boom" {
            return Err(Failure::new(FailureKind::Other, "there is no such room"));
        }
        let mut calendar = self.calendar.lock().unwrap_or_else(PoisonError::into_inner);
        // The key is the same for each rerun of an attempt: booked once, however often it runs.
        let entry = format!("{room} for {}", call.job);
        if !calendar.contains(&entry) {
            calendar.push(entry);
        }
        Ok(serde_json::json!({ "number": calendar.len() }))
    }

    async fn revert(&self, call: Call, _: Outcome) -> Result<(), Failure> {
        let room = call.spec["room"].as_str().unwrap_or_default();
        let mut calendar = self.calendar.lock().unwrap_or_else(PoisonError::into_inner);
        calendar.retain(|entry| *entry != format!("{room} for {}", call.job));
        Ok(())
    }
}

const FLOW: &str = r#"
store: { second: string }
tasks:
  first: { book: blue, provides: number }
  told: { shell: "echo booking {{ number }}", provides: said }
  second: { needs: [told], book: "{{ second }}" }
provides: [said]
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First of all: this program is also started as the guard of its own processes.
    let guard = Guard::enter();
    let second = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "green".to_owned());

    let calendar = Arc::new(Mutex::new(Vec::new()));
    let runner = Runner::in_memory(&guard).with_kind(Book {
        calendar: Arc::clone(&calendar),
    });
    // `Runner::open(&guard, "sqlite://jobs.db")` instead lets jobs survive this program.
    let flow = Flow::from_text("rooms.flow.yaml", FLOW, &runner)?;
    let ended = runner.run(&flow, [("second", second.as_str())]).await?;

    match ended {
        Ended::AtRest { flow, provided } => {
            println!("{}", flow.state);
            for (name, value) in provided {
                println!("{name}: {value}");
            }
            if let Some(cause) = flow.cause {
                println!("`{}` failed: {cause}", cause.task);
            }
        }
        other => println!("{other:?}"),
    }
    println!(
        "calendar: {:?}",
        calendar.lock().unwrap_or_else(PoisonError::into_inner)
    );
    Ok(())
}
