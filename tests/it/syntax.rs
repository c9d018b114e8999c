//! What the reading of flows promises for any input, and what it makes of good ones.

use std::fmt::Write as _;

use jobrunner::model::{Declared, Duration, Priority, Type};
use jobrunner::syntax::{
    FlowDeclaration, KindDeclaration, MAX_PROBLEMS, NodeValue, Order, ProvidesDeclaration,
    Severity, TriesDeclaration, parse, read_source,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::properties::config;
use crate::suite::{KINDS, bundle, bundle_of};

/// The declaration of a flow without problems.
fn flow(text: &str) -> FlowDeclaration {
    let (flow, problems) = parse(&bundle(text), &KINDS);
    assert_eq!(problems, [], "{text}");
    flow.expect("a flow without problems has a declaration")
}

fn store(entries: &str) -> Vec<Declared> {
    let text = format!("store:\n{entries}\ntasks: {{ t: {{ sleep: 1s }} }}\n");
    flow(&text).store.into_iter().map(|(_, d)| d).collect()
}

#[test]
fn short_forms_of_the_store_are_types_or_defaults() {
    let shorts = store("  a: url\n  b: 8080\n  c: false\n  d: [eu, us]\n  e: list<int>\n  f: 0.5");
    let told: Vec<(String, Option<Value>)> = shorts
        .into_iter()
        .map(|d| (d.ty.to_string(), d.default))
        .collect();
    assert_eq!(
        told,
        [
            ("url".to_owned(), None),
            ("int".to_owned(), Some(json!(8080))),
            ("bool".to_owned(), Some(json!(false))),
            ("list<string>".to_owned(), Some(json!(["eu", "us"]))),
            ("list<int>".to_owned(), None),
            ("float".to_owned(), Some(json!(0.5))),
        ]
    );
}

#[test]
fn long_forms_of_the_store_are_in_canonical_form() {
    let declared = store(
        "  a: { type: size, default: 20GiB, min: 1KiB }\n  b: { one_of: [stage, prod] }\n  \
         c: { type: duration, default: 90s }\n  d: { secret: true, from: env:T }\n  \
         e: { type: path, default: . }\n  f: { default: main, max: 10 }",
    );
    assert_eq!(declared[0].default, Some(json!(21_474_836_480_u64)));
    assert_eq!(declared[0].min, Some(json!(1024)));
    assert_eq!(declared[1].ty, Type::String);
    assert_eq!(declared[1].one_of, [json!("stage"), json!("prod")]);
    assert_eq!(declared[2].default, Some(json!("1m30s")));
    assert!(declared[3].secret && declared[3].from.is_some());
    assert_eq!(declared[4].default, Some(json!(".")));
    assert_eq!(
        (&declared[5].ty, &declared[5].max),
        (&Type::String, &Some(json!(10)))
    );
}

#[test]
fn a_mapping_of_tasks_is_a_graph_and_a_list_is_in_order() {
    let declared = flow(
        "tasks:\n  a: { sleep: 1s }\n  g:\n    provides: [x]\n    tasks:\n      - name: b\n        exec: [b]\n        provides: x\n      - name: c\n        sleep: 1s\n",
    );
    assert_eq!(declared.name.value, "case");
    assert_eq!(declared.body.order, Order::Graph);
    let group = &declared.body.tasks[1];
    let KindDeclaration::Group(body) = &group.kind else {
        panic!("a group");
    };
    assert_eq!(body.order, Order::List);
    assert_eq!(body.tasks[1].name.value, "c");
    assert!(matches!(&group.provides, ProvidesDeclaration::Inner(names) if names[0].value == "x"));
    assert!(
        matches!(&body.tasks[0].provides, ProvidesDeclaration::Whole(name) if name.value == "x")
    );
}

#[test]
fn a_revert_is_of_the_same_kind_unless_it_has_one_of_its_own() {
    let declared = flow(
        "tasks:\n  a: { exec: [up], revert: [down] }\n  b: { exec: [up], revert: { shell: down, timeout: 3s, retry: { times: 2 } } }\n  \
         c: { http: { url: u, method: POST }, revert: { url: u, method: DELETE } }\n",
    );
    let reverts: Vec<_> = declared
        .body
        .tasks
        .iter()
        .map(|task| task.revert.as_ref().unwrap())
        .collect();
    assert_eq!(reverts[0].kind, None);
    assert!(matches!(&reverts[0].params.value, NodeValue::List(_)));
    assert_eq!(reverts[1].kind.as_ref().unwrap().value, "shell");
    assert_eq!(reverts[1].params.text(), Some("down"));
    assert_eq!(
        reverts[1].timeout.as_ref().unwrap().value,
        Duration::from_secs(3)
    );
    assert_eq!(reverts[2].kind, None);
    assert!(matches!(&reverts[2].params.value, NodeValue::Map(entries) if entries.len() == 2));
}

#[test]
fn a_retry_has_defaults_for_what_it_does_not_say() {
    let declared = flow(
        "priority: low\nretry: { times: 3, delay: 1s, jitter: true }\ntasks:\n  a:\n    sleep: 1s\n    retry: { for_each: [a, b], as: x, backoff: 2, max_delay: 1m, on: failure.status == 503 }\n",
    );
    assert_eq!(declared.priority, Priority::Low);
    let outer = declared.retry.unwrap();
    assert_eq!(outer.tries, TriesDeclaration::Times(3));
    assert_eq!((outer.delay, outer.backoff), (Duration::from_secs(1), 1.0));
    assert_eq!((outer.jitter, outer.max_delay), (0.5, None));
    let inner = declared.body.tasks[0].retry.clone().unwrap();
    assert!(matches!(inner.tries, TriesDeclaration::ForEach(_)));
    assert_eq!(inner.variable.unwrap().value, "x");
    assert_eq!(inner.on.unwrap().value, "failure.status == 503");
    assert_eq!(inner.max_delay, Some(Duration::from_secs(60)));
}

#[test]
fn a_declaration_is_there_if_all_names_are_in_it() {
    for (text, there) in [
        ("tasks: { a: { sleep: 1s, timeout: 5 } }", true),
        ("tasks: { a: { sleep: 1s, tiemout: 5s } }", true),
        ("tasks: { a: { slep: 1s } }", true),
        ("tasks: { a: { timeout: 5s } }", false),
        ("tasks: { a: {{ x }} }", false),
        ("tasks: { a: { sleep: 1s, provides: [x] } }", true),
        ("store: { a: strng }\ntasks: { a: { sleep: 1s } }", true),
    ] {
        let (flow, problems) = parse(&bundle(text), &KINDS);
        assert!(
            problems.iter().any(|p| p.severity == Severity::Error),
            "{text}"
        );
        assert_eq!(flow.is_some(), there, "{text}: {problems:?}");
    }
}

#[test]
fn a_flow_of_a_hundred_thousand_tasks_is_read() {
    let mut text = "tasks:\n".to_owned();
    for n in 0..100_000 {
        let _ = writeln!(
            text,
            "  t{n}: {{ sleep: 0s, needs: [t{}] }}",
            n / 2 + 100_000
        );
    }
    assert_eq!(flow(&text).body.tasks.len(), 100_000);
    let mut text = "tasks:\n".to_owned();
    for n in 0..100_000 {
        let _ = writeln!(text, "  - name: t{n}\n    sleep: 0s");
    }
    assert_eq!(flow(&text).body.tasks.len(), 100_000);
}

#[test]
fn a_hundred_thousand_mistakes_are_told_as_a_hundred() {
    for line in [
        "colour: red",
        "colour",
        "{{ x }}: {{ y }}",
        "<<: 1",
        "a: !t b",
        "- - -",
        "a: b: c",
    ] {
        let text = format!("{line}\n").repeat(100_000);
        let (_, problems) = parse(&bundle(&text), &KINDS);
        assert!(
            !problems.is_empty() && problems.len() <= MAX_PROBLEMS + 1,
            "{line}"
        );
    }
}

#[test]
fn a_file_of_one_huge_line_is_told_about_as_fast_as_any() {
    let mut tasks = String::new();
    for n in 0..50_000 {
        let _ = write!(
            tasks,
            "\"a{n}\": {{\"shel\": \"x\", \"timeout\": 5, \"needs\": \"b\"}}, "
        );
    }
    let text = format!("{{\"tasks\": {{{tasks}}}}}");
    let (_, problems) = parse(&bundle(&text), &KINDS);
    assert_eq!(problems.len(), MAX_PROBLEMS + 1);
}

#[test]
fn types_and_patterns_have_their_limits() {
    let deep = format!(
        "store: {{ a: {}int{} }}\n",
        "list<".repeat(100_000),
        ">".repeat(100_000)
    );
    let pattern = "store: { a: { type: string, pattern: '(a{1000}){1000}' } }\n";
    for (text, code) in [(deep.as_str(), "unknown-type"), (pattern, "bad-pattern")] {
        let (_, problems) = parse(&bundle(text), &KINDS);
        assert!(problems.iter().any(|p| p.code == code), "{problems:?}");
    }
}

/// Whatever is read, what is said about it can be shown.
pub fn assert_presentable(path: &str, text: &str) {
    let (flow, problems) = parse(&bundle_of(path, text), &KINDS);
    assert!(problems.len() <= MAX_PROBLEMS + 1);
    assert!(flow.is_some() || !problems.is_empty());
    for problem in &problems {
        let related = problem.related.iter().map(|(span, _)| *span);
        for span in related.chain([problem.span]) {
            assert!(text.get(span.range()).is_some(), "{problem:?} in {text:?}");
        }
        assert!(!problem.message.is_empty() && problem.message.len() < 1_000);
        assert!(problem.help.is_some(), "{problem:?}");
        assert!(
            jobrunner::syntax::code::OF_THE_TEXT
                .iter()
                .any(|known| known.code == problem.code),
            "{problem:?}"
        );
    }
    let mut arranged = problems.clone();
    arranged.sort_by_key(|p| p.span.start);
    assert_eq!(
        arranged.iter().map(|p| p.span.start).collect::<Vec<_>>(),
        problems.iter().map(|p| p.span.start).collect::<Vec<_>>()
    );
}

const EVERYTHING: &str = include_str!("../suite/syntax/ok_everything.flow.yaml");

/// Pieces of which texts are made that are nearly flows.
fn pieces() -> impl Strategy<Value = &'static str> {
    select(vec![
        "tasks", "store", "retry", "shell", "http", "revert", "times", "for_each", "provides", "a",
        "é", "😀", ": ", ":", "\n", "\n  ", "\n    ", "\n- ", "- ", "{", "}", "[", "]", ", ",
        "{{ ", " }}", "\"", "'", "|\n", ">\n", "#", " #", "&a ", "*a", "!t ", "<<", "---\n",
        "...\n", "\t", "\r\n", "0755", "1.10", "no", "10s", "~", "null", "%", "@", "`", "\\", "? ",
        "\u{feff}", "\0",
    ])
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(file) = read_source("a", &bytes) {
            assert_presentable("a.flow.yaml", &file.text);
        }
    }

    #[test]
    fn anything_like_a_flow_is_read_or_refused(pieces in prop::collection::vec(pieces(), 0..60)) {
        assert_presentable("a.flow.yaml", &pieces.concat());
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
        assert_presentable("a.flow.yaml", &text);
    }
}
