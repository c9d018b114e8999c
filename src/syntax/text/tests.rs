//! Texts in, trees and problems out.

use super::*;
use crate::model::Value;
use crate::syntax::problem::arrange;
use crate::syntax::{LineIndex, NodeValue, Style};

fn read_text(text: &str) -> (Option<Node>, String) {
    let mut problems = Problems::default();
    let source = SourceFile {
        path: "a.flow".to_owned(),
        text: text.to_owned(),
    };
    let read = read(0, &source, &mut problems);
    let index = LineIndex::new(text);
    let lines: Vec<String> = arrange(problems.into_arranged())
        .iter()
        .map(|p| {
            let shown = text.get(p.span.range()).unwrap_or("?");
            format!("{} {} `{shown}`", index.position(p.span.start), p.code)
        })
        .collect();
    (read.root, lines.join("\n"))
}

/// The tree of a flow without mistakes, as JSON.
fn tree(inside: &str) -> String {
    let (root, problems) = read_text(&format!("flow {{ {inside}\n }}"));
    assert_eq!(problems, "", "{inside}");
    root.map_or(Value::Null, |root| root.to_value()).to_string()
}

#[test]
fn each_form_becomes_the_tree_that_yaml_would_have() {
    for (text, json) in [
        ("a = 1, b = 0.5\nc = true", r#"{"a":1,"b":0.5,"c":true}"#),
        ("a = \"x\"\nb = 'y\\d'", r#"{"a":"x","b":"y\\d"}"#),
        ("a = null, b = []\nc = {}", r#"{"a":null,"b":[],"c":{}}"#),
        ("a = 20m, b = 2026-11-24", r#"{"a":"20m","b":"2026-11-24"}"#),
        (
            "a = 2026-12-24T18:00:00Z, b = POST",
            r#"{"a":"2026-12-24T18:00:00Z","b":"POST"}"#,
        ),
        (
            "a = name, b = x.y == \"z\"",
            r#"{"a":"{{ name }}","b":"{{ x.y == \"z\" }}"}"#,
        ),
        (
            "a = \"z\" in (x\n or y) # why",
            r#"{"a":"{{ \"z\" in (x\n or y) }}"}"#,
        ),
        ("a { b = 1, \"c d\" = 2 }", r#"{"a":{"b":1,"c d":2}}"#),
        (
            "a = [ 1\n2, # two\n [x], { y = 3 } ]",
            r#"{"a":[1,2,["{{ x }}"],{"y":3}]}"#,
        ),
        ("a = \"\"\"\n   x\n    y\n  \"\"\"", r#"{"a":"x\n y\n"}"#),
        (
            "a = f(x)[0], b = [g(1)]",
            r#"{"a":"{{ f(x)[0] }}","b":["{{ g(1) }}"]}"#,
        ),
        (
            "capabilities = [gpu, f(\"x\"), g([1, y])]",
            r#"{"capabilities":["{{ gpu }}",{"f":"x"},{"g":[1,"{{ y }}"]}]}"#,
        ),
        (
            "task a { task b { c = 1 } }\ntask d { }",
            r#"{"tasks":{"a":{"tasks":{"b":{"c":1}}},"d":{}}}"#,
        ),
        (
            "tasks = [task a { b = 1 }, task c { }]",
            r#"{"tasks":[{"name":"a","b":1},{"name":"c"}]}"#,
        ),
        (
            "store { a: url, b: port = 80, c = \"x\", d: list<int> }",
            r#"{"store":{"a":"url","b":{"type":"port","default":80},"c":{"default":"x"},"d":"list<int>"}}"#,
        ),
        (
            "store { a: one_of(1, \"b\") = 1 { about = \"x\" }\n b { from = \"env:X\" } }",
            r#"{"store":{"a":{"one_of":[1,"b"],"default":1,"about":"x"},"b":{"from":"env:X"}}}"#,
        ),
        (
            "a = \"\\{{ x }} \\\\ \\u{e4}\"",
            r#"{"a":"\\{{ x }} \\ ä"}"#,
        ),
    ] {
        assert_eq!(tree(text), json, "{text}");
    }
}

#[test]
fn names_without_quotes_are_told_from_text() {
    let (root, _) = read_text("flow { a = name, b = \"{{ name }}\", c = 3 }");
    let NodeValue::Map(entries) = root.unwrap().value else {
        panic!("a mapping");
    };
    let styles: Vec<_> = entries
        .iter()
        .map(|(_, node)| match &node.value {
            NodeValue::Scalar { style, .. } => *style,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(styles, [Style::Bare, Style::Text, Style::Plain]);
    assert_eq!(entries[0].1.text(), Some("{{ name }}"));
    assert_eq!(entries[0].1.word(), Some("name"));
    assert_eq!(entries[1].1.word(), Some("{{ name }}"));
}

#[test]
fn mistakes_have_codes_and_places_and_end_with_their_entry() {
    let cases = [
        ("a", "1:8 missing-value `a`"),
        ("a =", "1:8 missing-value `a =`"),
        ("a: 3, b = 1", "1:9 no-equals-sign `:`"),
        ("a 3\nb = 1", "1:10 no-equals-sign `3`"),
        ("a := 3", "1:10 no-equals-sign `:=`"),
        ("a = x y", "1:12 unquoted-text `x y`"),
        ("a = /tmp", "1:12 unquoted-text `/tmp`"),
        ("a = x, y z", "1:17 no-equals-sign `z`"),
        ("a = \"x\" y", "1:16 text-after-quote `y`"),
        ("a = {{ x }}", "1:12 unquoted-template `{{ x }}`"),
        ("a = x{{ y }}", "1:12 unquoted-template `x{{ y }}`"),
        ("a = |", "1:12 text-syntax `|`"),
        ("a = 1 b = 2", "1:14 text-syntax `b`"),
        ("a = 1 { b = 2 }", "1:14 text-syntax `{`"),
        ("a = \"\\q\"", "1:13 bad-escape `\\q`"),
        ("task a b { }", "1:13 text-syntax `a b`"),
        ("group a { b = 1 }", "1:8 text-syntax `group`"),
        ("- a", "1:8 text-syntax `-`"),
        ("// a", "1:8 text-syntax `//`"),
        ("a = 1, a = 2", "1:15 duplicate-key `a`"),
        ("task a { }, task a { }", "1:25 duplicate-key `a`"),
        ("task a { }, tasks = []", "1:20 duplicate-key `tasks`"),
        ("store { a = x }", "1:20 unquoted-text `x`"),
        ("store { a = url }", "1:20 no-equals-sign `url`"),
        ("a = [1, =, 2, b c, d e]", "1:16 text-syntax `=`"),
    ];
    let found: Vec<_> = cases
        .iter()
        .map(|(text, _)| (*text, read_text(&format!("flow {{ {text}\n }}")).1))
        .collect();
    let expected: Vec<_> = cases
        .iter()
        .map(|(text, e)| (*text, (*e).to_owned()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn brackets_and_quotes_that_do_not_end_are_told_at_their_beginning() {
    for (text, told) in [
        (
            "flow {\n  task a {\n    b = 1\n  task c {\n  }\n}\n",
            "2:10 unclosed-bracket `{`",
        ),
        (
            "flow {\n  a = [1, 2\n  b = 3\n}\n",
            "4:1 unclosed-bracket `}`",
        ),
        ("flow {\n  a = [\"x, 2]\n}\n", "2:8 unclosed-quote `\"`"),
        (
            "flow {\n  a = \"x\n  b c\n}\n",
            "2:7 unclosed-quote `\"`\n3:5 no-equals-sign `c`",
        ),
        (
            "flow {\n  a = \"\"\"\n  b\n}\n",
            "2:7 unclosed-quote `\"\"\"`",
        ),
        ("flow { }\n}\n", "2:1 unclosed-bracket `}`"),
        ("a = 1\n", "1:1 wrong-level `a`"),
        ("flow { a = 1 }\nflow { }\n", "2:1 several-documents `flow`"),
        ("", "1:1 empty-file ``"),
        ("# nothing\n", "1:1 empty-file ``"),
    ] {
        let (_, found) = read_text(text);
        assert_eq!(found, told, "{text}");
    }
}

#[test]
fn what_could_exhaust_memory_or_the_stack_is_refused() {
    for (text, code) in [
        ("[".repeat(100_000), "nesting-too-deep"),
        ("a {".repeat(100_000), "nesting-too-deep"),
        (
            format!("flow {{ {} {} }}", "task a {".repeat(40), "}".repeat(40)),
            "nesting-too-deep",
        ),
        (
            format!("flow {{ a = \"{}\" }}", "x".repeat(2 << 20)),
            "value-too-large",
        ),
        (",".repeat(MAX_VALUES + 1), "too-many-values"),
    ] {
        let (root, problems) = read_text(&text);
        assert!(problems.contains(code), "{problems}");
        assert!(root.is_none());
    }
    // As deep as it may be, with a mistake on every level.
    for inside in [
        format!("{}b = 1{}", "a { ".repeat(30), " } x".repeat(30)),
        format!("a = {}1{}", "[".repeat(60), "] x".repeat(60)),
        format!("a = {}1{} y", "f(".repeat(60), " x)".repeat(60)),
    ] {
        let (_, problems) = read_text(&format!("flow {{ {inside} }}"));
        assert!(!problems.is_empty(), "{inside}");
    }
}
