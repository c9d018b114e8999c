//! The layers of `docs/architecture.md`, held by reading the `use crate::` lines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and what it may import.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("syntax", &["model"]),
    ("compile", &["model", "syntax"]),
    ("explain", &["syntax", "compile"]),
    ("schema", &["model", "syntax", "compile"]),
    ("lsp", &["model", "syntax", "compile"]),
    ("scheduler", &["model", "syntax", "compile"]),
    ("rehearsal", &["model", "syntax", "compile", "scheduler"]),
    ("ports", &["model"]),
    (
        "engine",
        &["model", "syntax", "compile", "scheduler", "ports"],
    ),
    (
        "conductor",
        &["model", "syntax", "compile", "scheduler", "ports", "engine"],
    ),
    ("sql", &["model", "ports"]),
    ("stores", &["model", "ports", "sql"]),
    ("boards", &["model", "ports", "sql"]),
    ("tasks", &["model", "ports"]),
    (
        "runner",
        &[
            "model",
            "syntax",
            "compile",
            "ports",
            "conductor",
            "stores",
            "boards",
            "tasks",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "syntax",
            "compile",
            "explain",
            "schema",
            "lsp",
            "scheduler",
            "rehearsal",
            "ports",
            "engine",
            "conductor",
            "sql",
            "stores",
            "boards",
            "tasks",
        ],
    ),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_module_imports_only_what_stands_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    assert!(found.len() > 40, "only {} files", found.len());
    let mut wrong = BTreeSet::new();
    for path in found {
        let inside = path.strip_prefix(&src).expect("below src");
        let module = inside
            .components()
            .next()
            .and_then(|part| part.as_os_str().to_str())
            .map(|part| part.trim_end_matches(".rs"))
            .expect("a module");
        if module == "lib" || module == "main" {
            continue;
        }
        let (_, allowed) = LAYERS
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("`{module}` stands in no layer"));
        let text = fs::read_to_string(&path).expect("readable");
        for (at, _) in text.match_indices("crate::") {
            let used: String = text[at + "crate::".len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.insert(format!("{} uses `{used}`", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What waits past the clock that it is given can neither be set by a test nor be frozen by the simulator.
#[test]
fn engine_and_conductor_wait_by_the_clock_that_they_are_given() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src.join("engine"), &mut found);
    files(&src.join("conductor"), &mut found);
    assert!(found.len() > 10, "{found:?}");
    for path in found {
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(
            !text.contains("tokio::time"),
            "{} waits by tokio's time; use the `Clock`",
            path.display()
        );
    }
}
