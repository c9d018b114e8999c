//! The two notations say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jobrunner::compile::Plan;
use jobrunner::syntax::{MAX_PROBLEMS, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::compile::compiled_from;
use crate::properties::config;
use crate::suite::{KINDS, bundle_of};
use crate::syntax::assert_presentable;

/// The folders whose flows stand there in both notations.
const PAIRED: [&str; 2] = ["flows", "examples"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compiled(path: &Path) -> Plan {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut bundle = bundle_of(name, &text);
    // What it may use stands beside it.
    for beside in flows(path.parent().unwrap()) {
        let beside = PathBuf::from(format!("{}.flow.yaml", beside.display()));
        let name = beside.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&beside).unwrap();
        bundle.files.extend(bundle_of(name, &text).files);
    }
    let (plan, problems) = compiled_from(&bundle);
    plan.unwrap_or_else(|| panic!("{}: {problems:#?}", path.display()))
}

fn flows(folder: &Path) -> BTreeSet<PathBuf> {
    let mut stems = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some((stem, _)) = name.split_once(".flow") {
            stems.insert(folder.join(stem));
        }
    }
    stems
}

#[test]
fn every_flow_stands_there_in_both_notations_and_means_the_same() {
    let mut pairs = 0;
    for folder in PAIRED {
        for stem in flows(&root().join(folder)) {
            let [yaml, text] = [".flow.yaml", ".flow"]
                .map(|ending| PathBuf::from(format!("{}{ending}", stem.display())));
            assert_eq!(
                compiled(&yaml).outline(),
                compiled(&text).outline(),
                "{}",
                stem.display()
            );
            pairs += 1;
        }
    }
    assert!(pairs >= 7);
}

const EVERYTHING: &str = include_str!("../suite/syntax/ok_everything.flow");

/// Pieces of which texts are made that are nearly flows.
fn pieces() -> impl Strategy<Value = &'static str> {
    select(vec![
        "flow", "task", "tasks", "store", "retry", "shell", "a", "é", "😀", " = ", "=", ": ", ":",
        "\n", "\n  ", "{", "}", "[", "]", "(", ")", ", ", "{{ ", " }}", "\"", "'", "\"\"\"", "#",
        "one_of(", "list<", "|", "- ", "//", "\t", "\r\n", "\r", "0755", "1.10", "10s", "null",
        "\\", "\\n", "and", " == ", "-", "\u{feff}", "\u{85}", "X", ".",
    ])
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        assert_presentable("a.flow", &text);
    }

    #[test]
    fn anything_like_a_flow_is_read_or_refused(pieces in prop::collection::vec(pieces(), 0..60)) {
        assert_presentable("a.flow", &pieces.concat());
    }

    #[test]
    fn a_flow_with_mistakes_is_read_or_refused(
        edits in prop::collection::vec((any::<Index>(), any::<Index>(), pieces()), 1..5),
    ) {
        let mut text = EVERYTHING.to_owned();
        for (at, length, piece) in edits {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            if places.is_empty() {
                break;
            }
            let from = at.index(places.len());
            let to = (from + length.index(12)).min(places.len() - 1);
            text.replace_range(places[from]..places[to], piece);
        }
        assert_presentable("a.flow", &text);
    }
}

#[test]
fn thousands_of_mistakes_are_told_as_a_hundred() {
    for line in [
        "a",
        "a: b",
        "a = b c",
        "- x",
        "a = \"x",
        "task a { x }",
        "a = {{ b }}",
        "a = 'x",
    ] {
        let text = format!("flow {{\n{}}}\n", format!("{line}\n").repeat(20_000));
        let (_, problems) = parse(&bundle_of("a.flow", &text), &KINDS);
        assert!(
            !problems.is_empty() && problems.len() <= MAX_PROBLEMS + 1,
            "{line}"
        );
    }
}

#[test]
fn a_flow_of_twenty_thousand_tasks_is_read() {
    let tasks: String = (0..20_000)
        .map(|n| {
            format!(
                "  task t{n} {{ sleep = 0s, needs = [t{}] }}\n",
                n / 2 + 20_000
            )
        })
        .collect();
    let (flow, problems) = parse(
        &bundle_of("a.flow", &format!("flow {{\n{tasks}}}\n")),
        &KINDS,
    );
    assert_eq!(problems, []);
    assert_eq!(flow.unwrap().body.tasks.len(), 20_000);
}
