//! The codes whose cases are no texts that one would keep: too large, no text at all, links and folders. Each is made
//! here, and checked by the program itself; the other codes have flows in `tests/suite/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use jobrunner::compile::compile;
use jobrunner::syntax::{code, parse};

use crate::kinds::KINDS;
use crate::suite::bundle_of;

/// What is made for a code, in a folder whose `inner` is where the flow stands: the flow in YAML and in the text
/// notation.
type Make = fn(&Path) -> (Vec<u8>, Vec<u8>);

const GENERATED: [(&str, Make); 11] = [
    ("not-utf8", |_| {
        (
            b"about: \xe4\ntasks: { a: { sleep: 1s } }".to_vec(),
            b"flow { about = \"\xe4\", task a { sleep = 1s } }".to_vec(),
        )
    }),
    ("binary", |_| {
        let flow = b"tasks\0".to_vec();
        (flow.clone(), flow)
    }),
    ("control-character", |_| {
        (
            b"about: a\x07\ntasks: { a: { sleep: 1s } }".to_vec(),
            b"flow { about = \"a\x07\", task a { sleep = 1s } }".to_vec(),
        )
    }),
    ("too-large", |_| {
        let flow = b"# a line of text\n".repeat((32 << 20) / 16);
        (flow.clone(), flow)
    }),
    ("value-too-large", |_| {
        let long = "x".repeat(3 << 20);
        (
            format!("about: \"{long}\"\ntasks: {{ a: {{ sleep: 1s }} }}").into(),
            format!("flow {{ about = \"{long}\", task a {{ sleep = 1s }} }}").into(),
        )
    }),
    ("too-many-values", |_| {
        const MANY: usize = 2_000_001;
        (
            format!("store:\n  a:\n{}", "  - 1\n".repeat(MANY)).into(),
            format!("flow {{ store {{ a = [{}] }} }}", "1,".repeat(MANY)).into(),
        )
    }),
    ("too-many-problems", |_| {
        let keys = |sign: &str| -> String {
            let keys = (0..150).map(|n| format!("zzz{n}{sign} 1, "));
            keys.collect()
        };
        (
            format!("tasks: {{ a: {{ {} sleep: 1s }} }}", keys(":")).into(),
            format!("flow {{ task a {{ {} sleep = 1s }} }}", keys(" =")).into(),
        )
    }),
    ("too-many-tasks", |folder| {
        let tasks: String = (0..150)
            .map(|n| format!("  t{n}: {{ sleep: 1s }}\n"))
            .collect();
        fs::write(
            folder.join("inner/part.flow.yaml"),
            format!("tasks:\n{tasks}"),
        )
        .unwrap();
        let numbers: Vec<_> = (0..9_000).map(|n| n.to_string()).collect();
        let numbers = numbers.join(", ");
        (
            format!("tasks: {{ a: {{ flow: ./part.flow.yaml, matrix: {{ n: [{numbers}] }} }} }}")
                .into(),
            format!(
                "flow {{ task a {{ flow = \"./part.flow.yaml\", matrix {{ n = [{numbers}] }} }} }}"
            )
            .into(),
        )
    }),
    ("too-many-files", |folder| {
        const MANY: usize = 1_001;
        let flow = "tasks: { a: { sleep: 1s } }";
        for n in 0..MANY {
            fs::write(folder.join(format!("inner/f{n}.flow.yaml")), flow).unwrap();
        }
        let uses = |task: &str, sign: &str| -> String {
            let uses = (0..MANY).map(|n| format!("{task}t{n}{sign}./f{n}.flow.yaml\" }}\n"));
            uses.collect()
        };
        (
            format!("tasks:\n{}", uses("  ", ": { flow: \"")).into(),
            format!("flow {{\n{}}}", uses("task ", " { flow = \"")).into(),
        )
    }),
    ("outside-folder", |folder| {
        fs::write(folder.join("out.flow.yaml"), "tasks: { a: { sleep: 1s } }").unwrap();
        uses("../out.flow.yaml")
    }),
    ("unreadable-file", |folder| {
        fs::create_dir(folder.join("inner/part.flow.yaml")).unwrap();
        uses("./part.flow.yaml")
    }),
];

fn uses(path: &str) -> (Vec<u8>, Vec<u8>) {
    (
        format!("tasks: {{ a: {{ flow: {path} }} }}").into(),
        format!("flow {{ task a {{ flow = \"{path}\" }} }}").into(),
    )
}

#[test]
fn what_no_text_can_show_is_told_in_both_notations() {
    for (code, make) in GENERATED {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let (yaml, text) = make(folder.path());
        for (name, flow) in [("a.flow.yaml", yaml), ("a.flow", text)] {
            fs::write(inner.join(name), flow).unwrap();
            let checked = Command::new(env!("CARGO_BIN_EXE_jobrunner"))
                .args(["check", name])
                .current_dir(&inner)
                .env_clear()
                .env("HOME", folder.path())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&checked.stderr).into_owned()
                + &String::from_utf8_lossy(&checked.stdout);
            assert!(
                told.contains(&format!("error[{code}]")),
                "{code} in {name}: {}",
                told.chars().take(2_000).collect::<String>()
            );
            assert_eq!(checked.status.code(), Some(2), "{code} in {name}");
        }
    }
}

#[test]
fn a_kind_that_the_compiler_does_not_have_is_unknown() {
    for (name, flow) in [
        ("a.flow.yaml", "tasks: { a: { ghost: x } }"),
        ("a.flow", "flow { task a { ghost = \"x\" } }"),
    ] {
        let (flow, problems) = parse(&bundle_of(name, flow), &["ghost"]);
        assert!(problems.is_empty(), "{problems:?}");
        let (_, problems) = compile(&flow.unwrap(), &KINDS);
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["unknown-kind"]);
    }
}

/// The codes in the annotations below a folder.
fn annotated(folder: &Path, found: &mut BTreeSet<String>) {
    let marked =
        regex::Regex::new(r"(?m)^(?:# )?(?:error|warning)(?:: |\[)([a-z0-9-]+)[ \]]").unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            annotated(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.extend(marked.captures_iter(&text).map(|code| code[1].to_owned()));
        }
    }
}

#[test]
fn every_code_has_a_case() {
    let mut cases: BTreeSet<String> = GENERATED
        .iter()
        .map(|(code, _)| (*code).to_owned())
        .collect();
    cases.insert("unknown-kind".to_owned());
    annotated(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite"),
        &mut cases,
    );
    let codes = code::all().map(|known| known.code.as_str());
    let without: BTreeSet<_> = codes.filter(|code| !cases.contains(*code)).collect();
    assert!(without.is_empty(), "without a case: {without:?}");
}
