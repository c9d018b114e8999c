//! Flows of both notations with the problems that they are expected to have, in comments at their ends.
//!
//! What can be said in both notations stands there in both, `NAME.flow.yaml` and `NAME.flow`, with the same problems.
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

/// What a problem says of a place, whatever the notation: its code, and the words that it underlines. Without words,
/// it underlines what each notation has in its own way: brackets, nothing.
fn told(text: &str, problem: &Problem) -> (&'static str, String) {
    let underlined = text.get(problem.span.range()).unwrap_or("");
    let line = underlined.lines().next().unwrap_or("");
    let words = line.chars().filter(|c| c.is_alphanumeric() || *c == '_');
    let words: String = words.collect();
    (problem.code.as_str(), words.replace("null", ""))
}

/// Holds each flow that stands there in both notations to the same problems at the same places.
fn hold_pairs(folder: &str, check: impl Fn(&Bundle) -> Vec<Problem>) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suite")
        .join(folder);
    let mut pairs = 0;
    for path in cases(&folder) {
        let twin = PathBuf::from(format!("{}.yaml", path.display()));
        if !twin.exists() {
            continue;
        }
        pairs += 1;
        let [text, yaml] = [(&path, "case.flow"), (&twin, "case.flow.yaml")].map(|(path, name)| {
            let text = fs::read_to_string(path).expect("a file of the suite can be read");
            let flow = halves(&text).0;
            let problems = check(&bundle_of(name, flow));
            // Text without quotes is ambiguous in YAML alone.
            let problems = problems.iter().filter(|p| p.code != "ambiguous-text");
            let mut told: Vec<_> = problems.map(|problem| told(flow, problem)).collect();
            told.sort();
            told
        });
        let codes = |told: &[(&'static str, String)]| -> Vec<&str> {
            told.iter().map(|(code, _)| *code).collect()
        };
        assert_eq!(codes(&text), codes(&yaml), "{}", path.display());
        for (code, words) in text.iter().filter(|(_, words)| !words.is_empty()) {
            let there = yaml.iter().any(|(c, w)| c == code && w == words);
            assert!(
                there,
                "{}: {code} at `{words}`, not at one of {yaml:?}",
                path.display()
            );
        }
    }
    pairs
}

#[test]
fn a_flow_in_both_notations_has_the_same_problems_at_the_same_places() {
    let read = hold_pairs("syntax", |flow| parse(flow, &KINDS).1);
    let compiled = hold_pairs("compile", |flow| crate::compile::compiled_from(flow).1);
    assert!(read > 20 && compiled > 10, "{read} and {compiled}");
}

/// Cases that only one of the notations can have, beside those that are named after it.
const IN_ONE_NOTATION: [(&str, &str); 5] = [
    (
        "long_lines",
        "a type is never taken for a default in the text notation",
    ),
    (
        "shape_not_a_mapping",
        "a file in the text notation is a mapping",
    ),
    ("wrong_notation_text", "it is about the other one"),
    (
        "ok_http_server",
        "as it was first written; `flows/` has both",
    ),
    ("ok_vm", "as it was first written; `examples/` has both"),
];

#[test]
fn what_both_notations_can_have_wrong_stands_there_in_both() {
    let mut alone = Vec::new();
    for folder in ["syntax", "compile"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/suite")
            .join(folder);
        for path in cases(&folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let (stem, _) = name.split_once('.').unwrap();
            let one = stem.starts_with("yaml_") || stem.starts_with("text_");
            let exempt = one || IN_ONE_NOTATION.iter().any(|(known, _)| *known == stem);
            let both = [".flow", ".flow.yaml"]
                .map(|ending| folder.join(format!("{stem}{ending}")).exists());
            if !exempt && both != [true, true] {
                alone.push(name.to_owned());
            }
        }
    }
    assert!(alone.is_empty(), "in one notation alone: {alone:?}");
}

#[test]
fn help_speaks_the_notation_of_the_file() {
    // A key with a colon before brackets or in a line of its own: YAML. `name: type` belongs to both.
    let yaml =
        regex::Regex::new(r"[a-z_]+: ?[\[{]|`[a-z_]+: [^`]*`|- name:|without indentation").unwrap();
    let typed =
        regex::Regex::new(r"`[a-z_]+: (?:TYPE|string|url)`|retry = \{ times: 3 \}").unwrap();
    let mut lines = 0;
    for folder in ["syntax", "compile"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/suite")
            .join(folder);
        for path in cases(&folder) {
            if path.extension().is_none_or(|ending| ending != "flow") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a file of the suite can be read");
            for line in halves(&text).1.lines() {
                let Some(help) = line.strip_prefix("#   help: ") else {
                    continue;
                };
                lines += 1;
                let help = typed.replace_all(help, "");
                assert!(!yaml.is_match(&help), "{}: {help}", path.display());
            }
        }
    }
    assert!(lines > 150, "{lines} lines of help");
}
