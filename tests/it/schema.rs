//! `jobrunner schema`, held against everything that ships and everything that is malformed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jobrunner::{explain, syntax};
use jsonschema::Validator;
use serde_json::Value;

use crate::cli::Home;

/// Codes of the text's own problems that a schema, which sees values alone, knows nothing of, each with the reason.
const NOT_TOLD_BY_A_SCHEMA: [(&str, &str); 14] = [
    (
        "duplicate-key",
        "YAML readers tell it, or keep one of the two",
    ),
    ("tag", "gone when the text has been read"),
    ("nesting-too-deep", "a schema does not count levels"),
    ("too-many-values", "a schema does not count values"),
    ("value-too-large", "a limit of the reader"),
    ("folded-item", "a folded text is a text"),
    ("duplicate-name", "a schema cannot compare two items"),
    ("template-in-store", "a warning: it is text"),
    (
        "secret-without-source",
        "a warning: it may be given when the flow is posted",
    ),
    (
        "max-delay-below-delay",
        "a schema cannot compare two values",
    ),
    ("missing-flow", "a schema sees one file"),
    ("missing-file", "a schema sees one file"),
    ("contains-itself", "a schema sees one file"),
    ("bad-bound", "a schema cannot compare two values"),
];

/// Codes of the compiler that a schema tells all the same.
const TOLD_OF_CALLS: [&str; 12] = [
    "bad-url",
    "bad-word",
    "for-each-in-revert",
    "missing-parameter",
    "no-arguments",
    "no-process",
    "nothing-to-provide",
    "skips-without-when",
    "template-in-key",
    "two-times",
    "unknown-parameter",
    "wrong-type",
];

fn validator() -> Validator {
    let printed = Home::new().run("schema").exits(0).stdout;
    let schema: Value = serde_json::from_str(&printed).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::draft7::new(&schema).unwrap()
}

/// What an editor makes of a text; nothing if the text is no YAML, or is in the other notation.
fn read(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

fn errors(validator: &Validator, flow: &Value) -> Vec<String> {
    validator
        .iter_errors(flow)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".flow.yaml"))
        .collect();
    paths.sort();
    paths
}

/// The first block behind `Wrong:` or `Right:`, if it is YAML.
fn example(page: &str, title: &str) -> Option<String> {
    let behind = page.split_once(&format!("\n{title}:\n\n```yaml\n"))?.1;
    Some(format!("{}\n", behind.split_once("\n```\n")?.0))
}

#[test]
fn every_flow_that_ships_and_every_right_example_fits_the_schema() {
    let validator = validator();
    let shipped = files("flows");
    let of_the_suite = files("tests/suite/syntax");
    let fine = of_the_suite.iter().filter(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("ok_")
    });
    let mut texts: Vec<(String, String)> = shipped
        .iter()
        .chain(fine)
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    assert!(texts.len() >= 5, "{texts:?}");
    for (code, _) in explain::codes() {
        let right = example(explain::page(code).unwrap().text, "Right");
        texts.extend(right.map(|text| (format!("the right example of {code}"), text)));
    }
    for (what, text) in texts {
        let found = errors(&validator, &read(&text).unwrap());
        assert!(found.is_empty(), "{what}: {found:#?}");
    }
}

#[test]
fn what_is_wrong_with_a_shape_or_a_single_value_does_not_fit_the_schema() {
    let validator = validator();
    let of_the_text: BTreeSet<&str> = syntax::code::OF_THE_TEXT
        .iter()
        .map(|known| known.code.as_str())
        .collect();
    let exempt: BTreeSet<&str> = NOT_TOLD_BY_A_SCHEMA.iter().map(|(code, _)| *code).collect();
    let mut surprises = Vec::new();
    for (code, _) in explain::codes() {
        let Some(wrong) = example(explain::page(code).unwrap().text, "Wrong") else {
            continue;
        };
        let Some(flow) = read(&wrong) else {
            if exempt.contains(code) {
                surprises.push(format!("{code}: told by every reader of YAML"));
            }
            continue;
        };
        let told = !errors(&validator, &flow).is_empty();
        let expected = match of_the_text.contains(code) {
            true => !exempt.contains(code),
            false => TOLD_OF_CALLS.contains(&code),
        };
        if told != expected {
            surprises.push(format!("{code}: told {told}, expected {expected}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[test]
fn each_malformed_flow_of_the_suite_fits_the_schema_or_not_as_its_problems_say() {
    let validator = validator();
    let mut surprises = Vec::new();
    for path in [files("tests/suite/syntax"), files("tests/suite/compile")].concat() {
        let text = fs::read_to_string(&path).unwrap();
        let Some(flow) = read(&text) else { continue };
        let exempt: BTreeSet<&str> = NOT_TOLD_BY_A_SCHEMA.iter().map(|(code, _)| *code).collect();
        let named: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# error: ")?.split(' ').next())
            .collect();
        let told_codes = named.iter().any(|code| {
            syntax::code::OF_THE_TEXT
                .iter()
                .any(|known| known.code == *code)
                && !exempt.contains(code)
                || TOLD_OF_CALLS.contains(code)
        });
        let found = errors(&validator, &flow);
        let missed = told_codes && found.is_empty();
        let invented = named.is_empty() && !found.is_empty();
        if missed || invented {
            surprises.push(format!("{}: {named:?} {found:?}", path.display()));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}
