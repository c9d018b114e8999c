//! Texts in, trees and problems out.

use super::*;
use crate::syntax::problem::arrange;
use crate::syntax::{LineIndex, NodeValue, Style};

fn problems_of(text: &str) -> (Option<Node>, String) {
    let mut problems = Problems::default();
    let node = read(0, text, &mut problems);
    let index = LineIndex::new(text);
    let lines: Vec<String> = arrange(problems.into_arranged())
        .iter()
        .map(|p| {
            let shown = text.get(p.span.range()).unwrap_or("?");
            format!("{} {} `{shown}`", index.position(p.span.start), p.code)
        })
        .collect();
    (node, lines.join("\n"))
}

fn codes(text: &str) -> String {
    problems_of(text).1
}

#[test]
fn plain_scalars_stay_text_and_spans_tell_their_place() {
    let text = "a: é 1.10 # note\nb: [no, \"0755\"]\nc: |\n  x\n   y\n\nd:\n";
    let (node, problems) = problems_of(text);
    assert_eq!(problems, "");
    let NodeValue::Map(entries) = node.unwrap().value else {
        panic!("a mapping");
    };
    let written = |node: &Node| &text[node.span.range()];
    assert_eq!(written(&entries[0].1), "é 1.10");
    assert_eq!(written(&entries[1].1), "[no, \"0755\"]");
    let NodeValue::List(items) = &entries[1].1.value else {
        panic!("a list");
    };
    assert_eq!(
        items[0].value,
        NodeValue::Scalar {
            text: "no".to_owned(),
            style: Style::Plain
        }
    );
    assert_eq!(
        items[1].value,
        NodeValue::Scalar {
            text: "0755".to_owned(),
            style: Style::Text
        }
    );
    assert_eq!(
        entries[2].1.value,
        NodeValue::Scalar {
            text: "x\n y\n".to_owned(),
            style: Style::Text
        }
    );
    assert!(written(&entries[2].1).ends_with("x\n   y"));
    assert_eq!(entries[3].1.value, NodeValue::Null);
    assert_eq!(written(&entries[3].1), "d");
}

#[test]
fn everyday_mistakes_do_not_end_the_reading() {
    let text =
        "a: {{ x }}/y\nb: note: this: that\nc: { d: {{ e }}, f: https://h/{{ g }} }\ng: 1\ng: 2\n";
    let (node, problems) = problems_of(text);
    assert_eq!(
        problems,
        "1:4 unquoted-template `{{ x }}`\n2:8 second-colon `:`\n3:9 unquoted-template `{{ e }}`\n\
         3:31 unquoted-template `{{ g }}`\n5:1 duplicate-key `g`"
    );
    let NodeValue::Map(entries) = node.unwrap().value else {
        panic!("a mapping");
    };
    assert_eq!(entries[0].1.text(), Some("{{ x }}/y"));
    assert_eq!(entries[1].1.text(), Some("note: this: that"));
}

#[test]
fn what_is_to_be_written_instead_has_quotes_around_the_whole_value() {
    for (text, written) in [
        (
            "{ a: echo {{ x }} and b, c: d }",
            "{ a: \"echo {{ x }} and b\", c: d }",
        ),
        ("[a, b {{ x }} c]", "[a, \"b {{ x }} c\"]"),
        ("[b{{ x }}/c]", "[\"b{{ x }}/c\"]"),
        (
            "{ a: https://b/{{ x }}?c }",
            "{ a: \"https://b/{{ x }}?c\" }",
        ),
        ("- {{ x }} c", "- \"{{ x }} c\""),
        ("a: b: {{ x }} c", "a: \"b: {{ x }} c\""),
    ] {
        let mut problems = Problems::default();
        read(0, text, &mut problems);
        let problems = problems.into_arranged();
        let help = problems[0].help.as_deref().unwrap();
        assert_eq!(help.strip_prefix("quote it: "), Some(written), "{text}");
    }
}

#[test]
fn troubles_have_codes_and_places() {
    let cases = [
        ("", "1:1 empty-file ``"),
        ("# nothing\n", "1:1 empty-file ``"),
        ("a: 1\n---\nb: 2\n", "2:1 several-documents `---`"),
        ("a:\n\tb: 1\n", "2:1 tab `\t`"),
        ("a:\n  b: 1\n  \tc: 2\n", "3:3 tab `\t`"),
        ("a: !!str 1\n", "1:4 tag `!!str`"),
        ("a: {<<: 1}\n", "1:5 merge-key `<<`"),
        ("a: *b\n", "1:4 unknown-alias `*b`"),
        ("a: &b [*b]\n", "1:8 recursive-alias `*b`"),
        ("a: [1, 2\n", "1:4 unclosed-bracket `[`"),
        ("a: [1, 2\nb: 3\n", "2:2 unclosed-bracket `:`"),
        ("a: \"b\nc: d\n", "1:4 unclosed-quote `\"`"),
        ("a: \"b\"c\n", "1:7 text-after-quote `c`"),
        ("a: \"\\q\"\n", "1:4 bad-escape `\"`"),
        ("a: @b\n", "1:4 reserved-character `@`"),
        ("a: 1\nb\nc: 2\n", "2:1 missing-colon `b`"),
        ("a:\n  b: 1\n c: 2\n", "3:2 indentation `c: 2`"),
        ("a:\n  b: x\n   c: 2\n", "3:4 indentation `c: 2`"),
        ("a:\n  - b\n    - c\n", "3:5 folded-item `- c`"),
        ("x:\n  [a]: 1\n", "2:3 key-not-text `[a]`"),
        (": 1\n", "1:1 key-not-text ``"),
        ("a: ]\n", "1:4 unclosed-bracket `]`"),
    ];
    let found: Vec<_> = cases.iter().map(|(text, _)| (*text, codes(text))).collect();
    let expected: Vec<_> = cases
        .iter()
        .map(|(text, e)| (*text, (*e).to_owned()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_could_exhaust_memory_is_refused() {
    let deep = "[".repeat(100_000);
    assert!(
        codes(&deep).contains("nesting-too-deep"),
        "{}",
        codes(&deep)
    );
    let deep = (0..1_000).fold(String::new(), |text, n| text + &" ".repeat(n) + "a:\n");
    assert!(codes(&deep).contains("nesting-too-deep"));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb += &format!("a{n}: &a{n} [{items}]\n");
    }
    assert!(codes(&bomb).contains("alias-budget"));
    let huge = format!("a: {}\n", "x".repeat(2 << 20));
    assert!(codes(&huge).contains("value-too-large"));
    let many = "- a\n".repeat(MAX_VALUES + 1);
    assert!(codes(&many).contains("too-many-values"));
    let held = format!("a:\n [{}]\n", "a,".repeat(1 << 20));
    assert!(codes(&held).contains("value-too-large"));
}

#[test]
fn json_is_read_like_any_flow() {
    let items = vec!["\"a\""; 600_000].join(", ");
    let (node, problems) = problems_of(&format!("{{\"k\": [{items}]}}"));
    assert_eq!(problems, "");
    assert!(node.is_some());
}
