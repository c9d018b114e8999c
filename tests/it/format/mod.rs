//! What `fmt` and `convert` promise for any file: the same values, the same comments, the same layout the second time.

mod layout;
mod random;

use jobrunner::format::{Refusal, convert, format, other_path};
use jobrunner::model::SourceFile;
use jobrunner::syntax::read_source;

use crate::compile::compiled_from;
use crate::damage::{cases, corpus, damaged};
use crate::kinds::KINDS;
use crate::suite::bundle_of;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

/// A file in the usual layout; `None` if it is malformed.
fn formatted(file: &SourceFile) -> Option<String> {
    let text = match format(file) {
        Ok(text) => text,
        Err(Refusal::Malformed(problems)) => {
            assert!(!problems.is_empty());
            return None;
        }
        Err(refusal) => panic!("{}: {refusal}\n{}", file.path, file.text),
    };
    let again = SourceFile {
        text: text.clone(),
        ..file.clone()
    };
    let twice = format(&again).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(twice, text, "of\n{}", file.text);
    Some(text)
}

/// A file in the other notation; `None` if it has none.
fn converted(file: &SourceFile) -> Option<SourceFile> {
    let text = match convert(file, &KINDS) {
        Ok(text) => text,
        Err(Refusal::Malformed(_) | Refusal::NoMapping) => return None,
        Err(refusal) => panic!("{}: {refusal}\n{}", file.path, file.text),
    };
    let path = other_path(&file.path);
    Some(SourceFile { path, text })
}

/// All that is promised about a file.
fn hold(file: &SourceFile) {
    if formatted(file).is_none() {
        assert_eq!(converted(file), None, "{}", file.text);
        return;
    }
    let Some(other) = converted(file) else {
        return;
    };
    let laid_out = formatted(&other).expect("what was written can be read");
    assert_eq!(laid_out, other.text, "of\n{}", file.text);
    let back = converted(&other).expect("it came from there");
    let plan = |file: &SourceFile| {
        let (plan, _) = compiled_from(&bundle_of(&file.path, &file.text));
        plan.map(|plan| plan.outline())
    };
    let whole = plan(file);
    if whole.is_some() {
        assert_eq!(whole, plan(&other), "{}", other.text);
        assert_eq!(whole, plan(&back), "{}", back.text);
    }
}

#[test]
fn every_file_of_the_project_reads_the_same_afterwards() {
    for (path, bytes) in corpus() {
        if let Ok(file) = read_source(path.to_str().unwrap(), &bytes) {
            hold(&file);
        }
    }
}

#[test]
fn damaged_files_are_malformed_or_read_the_same_afterwards() {
    for (path, bytes) in damaged(cases()) {
        if let Ok(file) = read_source(path, &bytes) {
            hold(&file);
        }
    }
}

#[test]
fn what_ships_is_laid_out_so() {
    for (path, bytes) in corpus() {
        let shown = path.display().to_string();
        if shown.contains("/tests/suite/") && !shown.contains("/ok_") {
            continue;
        }
        let file = read_source(shown.clone(), &bytes).unwrap();
        let text = format(&file).unwrap_or_else(|e| panic!("{shown}: {e}"));
        assert!(
            text == file.text,
            "{shown} is laid out otherwise: jobrunner fmt {shown}"
        );
    }
}
