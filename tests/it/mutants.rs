//! Planted bugs: each is to be caught by the suite. A property that none of them can break proves nothing.
//!
//! `tests/mutants/list.yaml` says where each one is planted. `tests/mutants/run` plants all of them in a copy of the
//! tree, behind a switch each, builds that once, and runs the suites with one switch on at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// Where they are listed.
const LIST: &str = "tests/mutants/list.yaml";
/// Where the result of the last run stands.
const RESULT: &str = "docs/mutants.md";
/// The suites that are run, in this order, after those that are expected to catch a bug.
const SUITES: [&str; 8] = [
    "conformance::",
    "scenarios::",
    "engine::",
    "conductor::",
    "::memory::",
    "invariants::",
    "properties::",
    "simulate::every_seed",
];
/// How long one suite may take; a bug that makes it run on is caught.
const PATIENCE: Duration = Duration::from_secs(300);

/// A bug that is planted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// The file that it is in, from the root.
    file: String,
    /// The place, with what is replaced between « and »: an expression, or statements that end with `;`.
    text: String,
    /// What stands there instead.
    instead: String,
    /// What it breaks.
    breaks: String,
    /// The suites that are run first.
    caught_by: Vec<String>,
}

impl Mutant {
    /// Its row in the table of results, up to what caught it.
    fn row(&self, by: &str) -> String {
        format!("| `{}` | {} | {by}", self.name, self.breaks)
    }

    /// The text as it stands in the file.
    fn original(&self) -> String {
        self.text.replace(['«', '»'], "")
    }

    /// The text with both, and a switch between them.
    fn switched(&self) -> String {
        let (before, rest) = self.text.split_once('«').expect("marked");
        let (replaced, after) = rest.split_once('»').expect("marked");
        let (name, instead) = (&self.name, &self.instead);
        let planted =
            format!("if crate::planted(\"{name}\") {{ {instead} }} else {{ {replaced} }}");
        let statement = replaced.trim_end().ends_with(';');
        let planted = if statement {
            planted
        } else {
            format!("({planted})")
        };
        format!("{before}{planted}{after}")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn list() -> Vec<Mutant> {
    let text = fs::read_to_string(root().join(LIST)).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

#[test]
fn each_planted_bug_has_exactly_one_place() {
    let list = list();
    assert!(list.len() >= 25, "{}", list.len());
    let mut names: Vec<&str> = list.iter().map(|mutant| mutant.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let recorded = fs::read_to_string(root().join(RESULT)).unwrap();
    assert_eq!(names.len(), list.len(), "two have one name");
    for mutant in &list {
        let file = fs::read_to_string(root().join(&mutant.file)).unwrap();
        let (name, count) = (&mutant.name, file.matches(&mutant.original()).count());
        assert_eq!(
            count, 1,
            "`{name}` has {count} places in {}: {}",
            mutant.file, mutant.text
        );
        assert_ne!(mutant.switched(), mutant.original());
        assert!(
            recorded.contains(&mutant.row("")),
            "`{name}` is not in {RESULT}: tests/mutants/run"
        );
        for suite in &mutant.caught_by {
            assert!(
                SUITES.contains(&suite.as_str()),
                "`{name}`: no suite {suite}"
            );
        }
    }
}

/// Plants all bugs in a copy of the tree and builds its tests; the program that runs them.
fn build(list: &[Mutant], copy: &Path) -> PathBuf {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    for file in files.split_terminator('\0') {
        let to = copy.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(file), to).unwrap();
    }
    let mut planted: BTreeMap<&str, String> = BTreeMap::new();
    for mutant in list {
        let read = || fs::read_to_string(copy.join(&mutant.file)).unwrap();
        let file = planted.entry(&mutant.file).or_insert_with(read);
        *file = file.replace(&mutant.original(), &mutant.switched());
    }
    let switch = "
/// Whether a bug is switched on.
#[doc(hidden)]
pub fn planted(name: &str) -> bool {
    static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var(\"JOBRUNNER_MUTANT\").ok()).as_deref() == Some(name)
}
";
    let library = fs::read_to_string(copy.join("src/lib.rs")).unwrap();
    planted.insert("src/lib.rs", library + switch);
    for (file, text) in planted {
        fs::write(copy.join(file), text).unwrap();
    }
    let built = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--no-run", "--test", "it"])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", root().join("target"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "the bugs do not compile:\n{told}");
    let program = told.lines().rev().find_map(|line| {
        let path = line.trim().strip_prefix("Executable ")?;
        Some(path.split_once('(')?.1.trim_end_matches(')').to_owned())
    });
    let built = copy.join(program.expect("cargo names what it has built"));
    // Whatever is built there from now on, this one stays.
    let kept = copy.join("planted");
    fs::copy(built, &kept).unwrap();
    kept
}

/// Whether the program has a test of that suite.
fn has(program: &Path, suite: &str) -> bool {
    let listed = Command::new(program).args(["--list", suite]).output();
    String::from_utf8_lossy(&listed.unwrap().stdout).contains(": test")
}

/// Whether a suite fails, or does not come to its end.
fn fails(program: &Path, copy: &Path, suite: &str, mutant: Option<&Mutant>) -> bool {
    let mut command = Command::new(program);
    command
        .arg(suite)
        .current_dir(copy)
        .env_remove("JOBRUNNER_SEED")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(mutant) = mutant {
        command.env("JOBRUNNER_MUTANT", &mutant.name);
    }
    let mut child = command.spawn().unwrap();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            drop(ended);
            return !status.success();
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        let _ = end.recv_timeout(Duration::from_millis(50));
    }
}

/// Run by `tests/mutants/run`: it builds the whole program once more, and takes minutes.
#[test]
#[ignore = "takes minutes: tests/mutants/run"]
fn each_planted_bug_is_caught() {
    let only = std::env::var("JOBRUNNER_MUTANTS").unwrap_or_default();
    let list = list();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("jobrunner");
    let program = build(&list, &copy);
    for suite in SUITES {
        assert!(has(&program, suite), "{suite} has no test");
        assert!(
            !fails(&program, &copy, suite, None),
            "{suite} fails without any bug"
        );
    }
    let mut rows = Vec::new();
    let mut survived = Vec::new();
    for mutant in list.iter().filter(|mutant| mutant.name.contains(&only)) {
        let expected = mutant.caught_by.iter().map(String::as_str);
        let others = SUITES.into_iter();
        let others = others.filter(|suite| !mutant.caught_by.iter().any(|known| known == suite));
        let mut suites = expected.chain(others);
        let caught = suites.find(|suite| fails(&program, &copy, suite, Some(mutant)));
        let by = caught.map_or("nothing", |suite| suite.trim_matches(':'));
        let row = mutant.row(&format!("`{by}` |"));
        println!("{row}");
        rows.push(row);
        if caught.is_none() {
            survived.push(&mutant.name);
        }
    }
    assert!(survived.is_empty(), "not caught: {survived:?}");
    if only.is_empty() {
        let page = fs::read_to_string(root().join(RESULT)).unwrap();
        let head = "| planted bug | what it breaks | caught by |\n| --- | --- | --- |\n";
        let before = page.split(head).next().expect("the text before the table");
        let page = format!("{before}{head}{}\n", rows.join("\n"));
        fs::write(root().join(RESULT), page).unwrap();
    }
}
