//! Flows of both notations with the problems that they are expected to have, in comments at their ends.
//!
//! `BLESS=1 cargo test suite` writes what is found into the files; read the difference before you commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jobrunner::model::{Bundle, SourceFile};
use jobrunner::syntax::{LineIndex, Problem, Severity, parse};

pub const KINDS: [&str; 4] = ["shell", "exec", "http", "sleep"];

pub fn bundle(text: &str) -> Bundle {
    bundle_of("case.flow.yaml", text)
}

/// A flow in a file of that name, which tells its notation.
pub fn bundle_of(path: &str, text: &str) -> Bundle {
    Bundle {
        version: 1,
        files: vec![SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }],
    }
}

/// Problems as comments of YAML.
fn rendered(text: &str, problems: &[Problem]) -> String {
    let index = LineIndex::new(text);
    let mut out = String::new();
    for problem in problems {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let start = index.position(problem.span.start);
        let end = index.position(problem.span.end);
        let _ = writeln!(
            out,
            "# {severity}: {} {start}-{end} {}",
            problem.code, problem.message
        );
        if !problem.label.is_empty() {
            let _ = writeln!(out, "#   here: {}", problem.label);
        }
        for (span, what) in &problem.related {
            let _ = writeln!(out, "#   {}: {what}", index.position(span.start));
        }
        if let Some(help) = &problem.help {
            let _ = writeln!(out, "#   help: {help}");
        }
    }
    out
}

/// A file's flow, and the annotations behind it.
fn halves(text: &str) -> (&str, &str) {
    let at = ["# error: ", "# warning: "]
        .iter()
        .filter_map(|mark| text.find(&format!("\n{mark}")).map(|at| at + 1))
        .min();
    text.split_at(at.unwrap_or(text.len()))
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the suite's folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// Holds each flow of a folder to the problems that it names; `check` tells whether it can be run.
fn hold(folder: &str, check: impl Fn(&Bundle) -> (bool, Vec<Problem>)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suite")
        .join(folder);
    let bless = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    for path in cases(&folder) {
        let text = fs::read_to_string(&path).expect("a file of the suite can be read");
        let (flow, expected) = halves(&text);
        let notation = match path.extension().is_some_and(|e| e == "flow") {
            true => "case.flow",
            false => "case.flow.yaml",
        };
        let (runs, problems) = check(&bundle_of(notation, flow));
        let errors = problems.iter().any(|p| p.severity == Severity::Error);
        assert!(errors || runs, "{}", path.display());
        let found = rendered(flow, &problems);
        if bless {
            fs::write(&path, format!("{flow}{found}")).expect("a file of the suite can be written");
        } else if found != expected {
            let _ = write!(
                differences,
                "== {}\n-- expected\n{expected}-- found\n{found}",
                path.display()
            );
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn every_flow_of_the_suite_has_the_problems_that_it_names() {
    hold("syntax", |flow| {
        let (declaration, problems) = parse(flow, &KINDS);
        (declaration.is_some(), problems)
    });
}

#[test]
fn every_flow_of_the_suite_that_can_be_read_has_the_problems_that_it_names() {
    hold("compile", |flow| {
        let (plan, problems) = crate::compile::compiled_from(flow);
        (plan.is_some(), problems)
    });
}
