//! Whatever the bytes: flows that were damaged at random are read by the program itself, with little memory and little
//! time. It says what is wrong with each, and never more than that.
//!
//! `JOBRUNNER_CASES=N` damages each flow N times; `JOBRUNNER_SEED=N` begins elsewhere. A flow that brings the program
//! down is printed, to become a case of the suite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fastrand::Rng;

/// What the fuzzers hold to.
#[path = "../../fuzz/src/lib.rs"]
mod fuzzed;

/// How often each flow is damaged.
const CASES: usize = 12;
/// So many are read by one process.
const BATCH: usize = 250;
/// What one process may take: address space in KiB, seconds of processor time.
const LIMITS: &str = "ulimit -v 1500000; ulimit -t 60; ulimit -c 0";

/// What means something to a reader of flows.
const WORDS: &[&str] = &[
    "{{ ",
    " }}",
    "{{ '",
    "\t",
    "- ",
    ": ",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "? ",
    "\"",
    "'",
    "\"\"\"",
    "|\n",
    ">-\n",
    "[",
    "]",
    "{",
    "}",
    "${",
    "$((",
    "$(",
    "`",
    "<<'E'\n",
    "\n",
    "\r",
    "\0",
    "\u{feff}",
    "\u{2028}",
    "#",
    "---\n",
    "tasks:",
    "retry: ",
    "for_each: ",
    "matrix: ",
    "needs: ",
    "when: ",
    "provides: ",
    "revert: ",
    "shell: ",
    "flow: ",
    "task x ",
    "1e999",
    "99999999999999999999",
    "-1",
    "0x10",
    "no",
    "9999h",
    "| ",
    "~",
    "%",
    "@",
    "a.b.c",
    "store:",
];

/// Every file of the project that holds a flow or a task kind.
pub fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["tests/suite", "flows", "stdlib-tasks", "examples"]
        .iter()
        .map(|name| root.join(name))
        .filter(|folder| folder.exists())
        .collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy();
            if path.is_dir() {
                folders.push(path);
            } else if [".flow", ".flow.yaml", ".task", ".task.yaml"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                found.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 30, "the suite is there");
    found
}

fn place(rng: &mut Rng, bytes: &[u8]) -> usize {
    rng.usize(..=bytes.len())
}

fn range(rng: &mut Rng, bytes: &[u8]) -> std::ops::Range<usize> {
    let start = place(rng, bytes);
    start..(start + rng.usize(..40)).min(bytes.len())
}

/// One kind of damage.
fn damage(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    match rng.u8(..9) {
        0 => {
            let at = place(rng, bytes);
            bytes.insert(at, rng.u8(..));
        }
        1 => {
            let range = range(rng, bytes);
            bytes.drain(range);
        }
        2 => {
            let copy = bytes[range(rng, bytes)].to_vec();
            let at = place(rng, bytes);
            bytes.splice(at..at, copy);
        }
        3 => {
            let at = place(rng, bytes);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[place(rng, other)..]);
        }
        4 => {
            let times = 1 << rng.u8(..13);
            let word = WORDS[rng.usize(..WORDS.len())].repeat(times);
            let at = place(rng, bytes);
            bytes.splice(at..at, word.bytes());
        }
        _ => {
            let word = WORDS[rng.usize(..WORDS.len())];
            let range = if rng.bool() { range(rng, bytes) } else { 0..0 };
            let range = if range.is_empty() {
                let at = place(rng, bytes);
                at..at
            } else {
                range
            };
            bytes.splice(range, word.bytes());
        }
    }
}

/// How the program ends when it reads these flows; none if a signal ends it.
fn check(folder: &Path, names: &[String]) -> Option<i32> {
    let script = format!("{LIMITS}; exec \"$0\" check \"$@\"");
    let status = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_jobrunner")])
        .args(names)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().code()
}

fn is_well(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 2))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Each file of the corpus, damaged `cases` times.
pub fn damaged(cases: usize) -> Vec<(String, Vec<u8>)> {
    let corpus = corpus();
    let mut rng = Rng::with_seed(number("JOBRUNNER_SEED").unwrap_or(7));
    let mut found = Vec::new();
    for case in 0..cases {
        for (n, (path, whole)) in corpus.iter().enumerate() {
            let mut bytes = whole.clone();
            let other = &corpus[rng.usize(..corpus.len())].1;
            for _ in 0..rng.u8(1..5) {
                damage(&mut rng, &mut bytes, other);
            }
            let name = format!("{case}-{n}-{}", path.file_name().unwrap().to_string_lossy());
            found.push((name, bytes));
        }
    }
    found
}

/// How often each flow is to be damaged.
pub fn cases() -> usize {
    number("JOBRUNNER_CASES").map_or(CASES, |n| usize::try_from(n).unwrap())
}

#[test]
fn damaged_flows_bring_nothing_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for (name, bytes) in damaged(cases()) {
        fs::write(folder.path().join(&name), bytes).unwrap();
        names.push(name);
    }
    for batch in names.chunks(BATCH) {
        if is_well(check(folder.path(), batch)) {
            continue;
        }
        let culprit = batch.iter().find_map(|name| {
            let code = check(folder.path(), std::slice::from_ref(name));
            (!is_well(code)).then_some((name, code))
        });
        let (name, code) = culprit.expect("what brings it down among others does so alone");
        let bytes = fs::read(folder.path().join(name)).unwrap();
        panic!("{name} ends it with {code:?}:\n{}", bytes.escape_ascii());
    }
}

/// The files of a folder of the corpus, by name.
fn seeds(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(folder);
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() >= 10, "the corpus is there");
    found
}

#[test]
fn the_corpus_of_the_fuzzers_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for (seeds, ending) in [(seeds("yaml"), "flow.yaml"), (seeds("text"), "flow")] {
        for (name, bytes) in seeds {
            let name = format!("{name}.{ending}");
            fs::write(folder.path().join(&name), &bytes).unwrap();
            names.push(name);
        }
    }
    // Each alone: none may take much.
    for name in &names {
        let code = check(folder.path(), std::slice::from_ref(name));
        assert!(is_well(code), "{name} ends it with {code:?}");
    }
}

#[test]
fn the_expressions_of_the_corpus_end_with_a_value_or_an_error() {
    for (name, bytes) in seeds("expression") {
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let text = serde_json::Value::from(text);
        let flow = format!(
            "store: {{ a: 1, g: true, b: {{ default: text }}, c: [1, 2], d: {{ type: map, default: {{ e: {{ f: 0.5 }} }} }} }}\n\
             tasks: {{ x: {{ when: {text}, shell: ':' }} }}\n"
        );
        fs::write(folder.path().join("e.flow.yaml"), flow).unwrap();
        let script = format!("{LIMITS}; exec \"$0\" run e.flow.yaml");
        let status = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_jobrunner")])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let code = status.unwrap().code();
        assert!(matches!(code, Some(0..=2)), "{name} ends it with {code:?}");
    }
}

#[test]
fn what_the_fuzzers_hold_to_holds_for_their_corpus() {
    for (name, bytes) in [seeds("yaml"), seeds("text"), seeds("expression")].concat() {
        let held = std::panic::catch_unwind(|| {
            fuzzed::yaml(&bytes);
            fuzzed::text(&bytes);
            fuzzed::flow(&bytes);
            fuzzed::layout(&bytes);
        });
        assert!(held.is_ok(), "{name}");
    }
    for (name, bytes) in seeds("expression") {
        assert!(
            std::panic::catch_unwind(|| fuzzed::expression(&bytes)).is_ok(),
            "{name}"
        );
    }
}
