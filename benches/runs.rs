//! Whole runs of the program: from the start of its process to its end, with reading, checking and compiling.
//!
//! `cargo bench --bench runs` prints a table. With `ninja` in `PATH`, what it needs for the same processes in the
//! same round, with nothing durable.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
/// What the sleeps and the delay of `hello` add up to, one after the other.
const SLEEPS_OF_HELLO: Duration = Duration::from_millis(1500);
const PROCESSES: u32 = 500;

struct Case {
    name: &'static str,
    flow: String,
    options: &'static [&'static str],
    /// What it waits for by its nature.
    waits: Duration,
}

fn list(tasks: u32) -> String {
    let mut flow = "flow: list\ntasks:\n".to_owned();
    for task in 0..tasks {
        writeln!(flow, "  - {{ name: t{task}, sleep: 0s }}").expect("text grows");
    }
    flow
}

fn groups(groups: u32, width: u32) -> String {
    let mut flow = "flow: groups\ntasks:\n".to_owned();
    for group in 0..groups {
        writeln!(flow, "  - name: g{group}\n    tasks:").expect("text grows");
        for task in 0..width {
            writeln!(flow, "      t{task}: {{ sleep: 0s }}").expect("text grows");
        }
    }
    flow
}

fn processes(head: &str) -> String {
    let mut flow = format!("flow: processes\n{head}tasks:\n");
    for task in 0..PROCESSES {
        writeln!(flow, "  t{task}: {{exec: [\"true\"]}}").expect("text grows");
    }
    flow
}

fn cases() -> Vec<Case> {
    let case = |name, flow, options, waits| Case {
        name,
        flow,
        options,
        waits,
    };
    let none = Duration::ZERO;
    let hello = include_str!("../flows/hello.flow.yaml").to_owned();
    vec![
        case("hello, its sleeps aside", hello, &[], SLEEPS_OF_HELLO),
        case("list of 1,000 `sleep: 0s`", list(1_000), &[], none),
        case("list of 10,000 `sleep: 0s`", list(10_000), &[], none),
        case("100 groups of 100, in a list", groups(100, 100), &[], none),
        case(
            "500 `exec`, `--max-tasks 2`",
            processes(""),
            &["--max-tasks", "2"],
            none,
        ),
        case(
            "500 `exec`, `max_parallel: 2`",
            processes("max_parallel: 2\n"),
            &[],
            none,
        ),
    ]
}

/// Starts one run on a store of its own.
fn start(folder: &Path, case: &Case, round: usize) -> Child {
    let flow = folder.join("it.flow.yaml");
    std::fs::write(&flow, &case.flow).expect("a flow");
    let place = folder.join(format!("{}-{round}", case.name.len()));
    std::fs::create_dir_all(&place).expect("a folder");
    let store = place.join(format!("{}.db", fastrand::u64(..)));
    Command::new(env!("CARGO_BIN_EXE_jobrunner"))
        .arg("run")
        .arg(&flow)
        .args(case.options)
        .env("JOBRUNNER_STORE", format!("sqlite://{}", store.display()))
        .env("XDG_CONFIG_HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// How long a run takes.
fn time(mut start: impl FnMut() -> Child) -> Duration {
    let began = Instant::now();
    let ended = start().wait().expect("it ends");
    assert!(ended.success(), "{ended}");
    began.elapsed()
}

/// The most memory that a run holds at once, in MB; `None` where `/proc` does not tell. Looked at every millisecond.
fn memory(mut run: Child) -> Option<u64> {
    let status = format!("/proc/{}/status", run.id());
    let mut most = None;
    while run.try_wait().expect("it can be asked").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(kib);
        std::thread::sleep(Duration::from_millis(1));
    }
    most.map(|kib| kib.div_ceil(1024))
}

fn ninja(folder: &Path) -> Option<Child> {
    let file = folder.join("build.ninja");
    if !file.exists() {
        let mut text = "rule t\n  command = true\n".to_owned();
        for task in 0..PROCESSES {
            writeln!(text, "build t{task}: t").expect("text grows");
        }
        std::fs::write(&file, text).expect("a file");
    }
    let mut command = Command::new("ninja");
    command.args(["-j2", "-C"]).arg(folder);
    let _ = std::fs::remove_file(folder.join(".ninja_log"));
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().ok()
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let cases = cases();
    let has_ninja = ninja(folder).is_some_and(|mut run| run.wait().is_ok_and(|end| end.success()));
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); cases.len() + 1];
    for round in 0..ROUNDS {
        for (case, times) in cases.iter().zip(&mut times) {
            times.push(time(|| start(folder, case, round)).saturating_sub(case.waits));
        }
        if has_ninja {
            times[cases.len()].push(time(|| ninja(folder).expect("it started before")));
        }
    }
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "", "least", "median", "most", "memory", "ninjas"
    );
    let ninjas = times[cases.len()].clone();
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    };
    let names = cases
        .iter()
        .map(|case| case.name)
        .chain(["ninja -j2, the same 500"]);
    for (place, (name, times)) in names.zip(&times).enumerate() {
        let Some(middle) = median(times) else {
            println!("{name:<34} is not there");
            continue;
        };
        let (least, most) = (times.iter().min(), times.iter().max());
        let memory = cases
            .get(place)
            .and_then(|case| memory(start(folder, case, ROUNDS)));
        let memory = memory.map_or_else(String::new, |mb| format!("{mb} MB"));
        let ratio = match median(&ninjas) {
            Some(ninja) if name.contains("500") => {
                format!("{:.2}", middle.as_secs_f64() / ninja.as_secs_f64())
            }
            Some(_) | None => String::new(),
        };
        println!(
            "{name:<34} {:>7.3} s {:>7.3} s {:>7.3} s {memory:>9} {ratio:>8}",
            least.map_or(0.0, Duration::as_secs_f64),
            middle.as_secs_f64(),
            most.map_or(0.0, Duration::as_secs_f64),
        );
    }
}
