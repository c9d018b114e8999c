//! Flows made at random: texts that YAML and templates make something of, comments wherever they can stand.

use crate::properties::config;
use jobrunner::syntax::well_formed;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::{converted, file, formatted, hold};

/// Texts that are easily read as something else.
fn text() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "",
        " ",
        "no",
        "Yes",
        "true",
        "null",
        "~",
        "0755",
        "1.10",
        "1_000",
        "10s",
        "-1",
        "1e3",
        "80",
        "a: b",
        "a:",
        "- a",
        "-",
        "#",
        "a # b",
        "a#b",
        "'",
        "\"",
        "it's",
        "say \"hi\"",
        "\\",
        "\\n",
        "a\\",
        "{{ x }}",
        "{{x}}",
        "{{ a }} {{ b }}",
        "a {{ b }}",
        "\\{{ x }}",
        "{",
        "[a]",
        "a, b",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%",
        "@",
        "`",
        "?",
        "? a",
        "---",
        "...",
        "\t",
        "\ta",
        "a\tb",
        "a\n",
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\na",
        "\n",
        "  a\n b\n",
        "a\n  \n",
        "\"\"\"\na",
        "a\"\"\"",
        "x\n\"\"\"\ny\n",
        "é 😀",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7}",
        "\r",
        "a\r\nb",
        "\u{1b}",
        "string",
        "port",
        "list<int>",
        "<<",
        "=",
        "a == b",
        "f(x)",
        "POST",
        "https://x.test/{{ y }}",
        "2026-11-24",
        "1.5GiB",
        "a b",
        "a  b",
        "a\\\nb\n",
        "# a\nb\n",
        "'a'",
        "x: 'y'\n",
    ]);
    prop_oneof![
        3 => odd.prop_map(str::to_owned),
        1 => "[a-z]{1,12}",
        1 => "\\PC{0,20}",
        1 => "[ -~\n]{0,30}",
        1 => "[a-z ]{80,120}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        1 => any::<i32>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!(0.5)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A task that may be a good one.
fn task() -> impl Strategy<Value = Value> {
    let keys = select(vec![
        "about", "shell", "exec", "http", "sleep", "env", "needs", "provides", "retry", "when",
        "revert", "matrix", "priority", "timeout", "tasks", "name", "x y",
    ]);
    let good = select(vec![
        json!({ "shell": "echo {{ a }}\necho b\n" }),
        json!({ "exec": ["echo", "{{ a }}", "no", "1.10", 5] }),
        json!({ "sleep": "1s", "retry": { "times": 3, "delay": "5s" } }),
        json!({ "http": { "url": "https://x.test/{{ a }}", "check": "json.ok", "json": { "a": [1, "1"] } } }),
        json!({ "tasks": [{ "name": "x", "sleep": "1s" }, { "name": "y", "shell": "true" }] }),
        json!({ "tasks": { "x": { "sleep": "1s", "when": "a == \"b\"" } } }),
        json!({ "shell": "true", "provides": "out", "revert": { "shell": "false", "timeout": "1m" } }),
    ]);
    prop_oneof![
        good,
        prop::collection::vec((keys, value()), 0..5).prop_map(|entries| {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value));
            Value::Object(entries.collect())
        }),
    ]
}

fn flow() -> impl Strategy<Value = Value> {
    let store = prop::collection::vec(("[a-z]{1,3}", declared()), 0..4);
    let tasks = prop::collection::vec(("[a-z]{1,6}", task()), 0..5);
    (text(), store, tasks, any::<bool>()).prop_map(|(about, store, tasks, named)| {
        let mut flow = Map::new();
        if named {
            flow.insert("flow".to_owned(), "f".into());
        }
        flow.insert("about".to_owned(), about.into());
        flow.insert(
            "store".to_owned(),
            Value::Object(store.into_iter().collect()),
        );
        flow.insert(
            "tasks".to_owned(),
            Value::Object(tasks.into_iter().collect()),
        );
        Value::Object(flow)
    })
}

fn declared() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(|text| json!({ "type": "string", "default": text })),
        text().prop_map(|text| json!({ "default": text, "about": "x" })),
        text().prop_map(|text| json!({ "default": text, "type": "string" })),
        text().prop_map(|text| json!({ "one_of": [text, "b"], "default": text })),
        value().prop_map(|value| json!({ "type": "any", "default": value, "about": "y" })),
        Just(json!(5)),
        Just(json!(["a", "no"])),
        Just(json!({ "secret": true, "from": "env:X" })),
        value(),
    ]
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn any_flow_reads_the_same_afterwards(flow in flow(), pretty in any::<bool>()) {
        let text = match pretty {
            true => serde_json::to_string_pretty(&flow).unwrap(),
            false => flow.to_string(),
        };
        // JSON is YAML, but for what it leaves unescaped.
        let file = file("f.flow.yaml", &text.replace(['\u{feff}', '\u{85}', '\u{7f}'], ""));
        hold(&file);
        let Some(written) = formatted(&file) else { return Ok(()) };
        let values = |text: &str| well_formed(&super::file("f.flow.yaml", text)).unwrap().to_value();
        prop_assert_eq!(values(&written), values(&file.text));
    }

    #[test]
    fn comments_stay_each_once_and_in_order(
        flow in flow(),
        notes in prop::collection::vec((any::<Index>(), 0_usize..12, any::<bool>(), any::<bool>()), 0..8),
        other in any::<bool>(),
    ) {
        let plain = file("f.flow.yaml", &serde_json::to_string_pretty(&flow).unwrap());
        let Some(text) = formatted(&plain) else { return Ok(()) };
        let mut base = file("f.flow.yaml", &text);
        if other {
            let Some(found) = converted(&base) else { return Ok(()) };
            base = found;
        }
        let mut lines: Vec<String> = base.text.lines().map(str::to_owned).collect();
        for (at, indent, beside, blank) in notes {
            let at = at.index(lines.len());
            if beside {
                lines[at].push_str(" # note");
            } else {
                lines.insert(at, format!("{}# note", " ".repeat(indent)));
            }
            if blank {
                lines.insert(at, String::new());
            }
        }
        let mut n = 0;
        let text = lines.join("\n") + "\n";
        let numbered: Vec<String> = text.split("# note").map(|part| { n += 1; format!("{part}# note {n}.") }).collect();
        let noted = file(&base.path, &numbered.concat());
        if let Some(written) = formatted(&noted) {
            let found = |text: &str| text.match_indices("# note ").map(|(at, _)| text[at..].split('.').next().unwrap().to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(found(&written), found(&noted.text), "{}", written);
            hold(&noted);
        }
    }
}
