//! What may be written at the cursor.

use serde_json::{Value, json};

use super::client::{Editor, TEXT, YAML};

/// What is proposed at the mark.
fn proposed(editor: &mut Editor, uri: &str, marked: &str) -> Vec<String> {
    let items = editor.ask_at(uri, marked, "textDocument/completion", json!({}));
    let items = items.as_array().unwrap();
    items
        .iter()
        .map(|item| item["label"].as_str().unwrap().to_owned())
        .collect()
}

/// The mark stands in a text that does not parse, as it is while it is written.
#[test]
fn keys_kinds_words_and_names_are_proposed_where_they_may_stand() {
    let mut editor = Editor::new();
    let cases: [(&str, &[&str], &[&str]); 30] = [
        ("¦", &["tasks", "store", "retry"], &["shell", "needs"]),
        (
            "about: x\nst¦\ntasks:\n  a: { shell: x }\n",
            &["store"],
            &["about"],
        ),
        (
            "tasks:\n  a:\n    sh¦\n",
            &["shell", "http", "needs", "tasks"],
            &["store", "name", "times"],
        ),
        (
            "tasks:\n  a:\n    shell: x\n    ¦\n  b: { shell: x }\n",
            &["needs", "revert"],
            &["http", "shell", "tasks"],
        ),
        (
            "tasks:\n  - name: a\n    ¦\n",
            &["shell", "when"],
            &["name"],
        ),
        ("tasks:\n  - ¦\n", &["name", "shell"], &["store"]),
        (
            "tasks:\n  a: { exec: [x], w¦ }\n",
            &["when", "revert"],
            &["with"],
        ),
        ("tasks:\n  a: { flow: x, w¦ }\n", &["with"], &["shell"]),
        (
            "tasks:\n  a:\n    exec: [\"{{ ¦ }}\"]\n    revert: { shell: x }\n",
            &["flow", "task"],
            &["result", "failure"],
        ),
        ("tasks:\n  a: { shell: x, ne¦ }\n", &["needs"], &["shell"]),
        (
            "tasks:\n  a:\n    retry:\n      ti¦\n",
            &["times", "for_each", "delay"],
            &["needs"],
        ),
        (
            "tasks:\n  a:\n    retry: { times: 3, ¦\n",
            &["delay", "backoff"],
            &["times", "shell"],
        ),
        (
            "tasks:\n  a:\n    http:\n      url: https://a.test\n      ¦\n",
            &["method", "expect"],
            &["url", "needs"],
        ),
        (
            "tasks:\n  a:\n    http: { url: https://a.test, method: ¦ }\n",
            &["GET", "DELETE"],
            &["url"],
        ),
        (
            "tasks:\n  a:\n    revert:\n      ¦\n",
            &["shell", "timeout", "retry"],
            &["needs"],
        ),
        ("priority: ¦\n", &["high", "very_low"], &["tasks"]),
        (
            "tasks:\n  a:\n    allow_failure: ¦\n",
            &["true", "false"],
            &["shell"],
        ),
        (
            "store:\n  port: ¦\n",
            &["port", "url", "list<string>"],
            &["default"],
        ),
        (
            "store:\n  port:\n    ¦\n",
            &["type", "default", "one_of"],
            &["shell"],
        ),
        (
            "store:\n  port: { type: po¦ }\n",
            &["port", "path"],
            &["default"],
        ),
        (
            "capabilities:\n  - ¦\n",
            &["has_command", "port_is_free"],
            &["tasks"],
        ),
        (
            "tasks:\n  fetch: { shell: x }\n  build:\n    needs: [¦\n  test: { shell: x }\n",
            &["fetch"],
            &["build"],
        ),
        (
            "tasks:\n  fetch: { shell: x }\n  build:\n    shell: x\n    needs: [fe¦]\n",
            &["fetch"],
            &["build"],
        ),
        (
            "tasks:\n  fetch: { shell: x }\n  g:\n    tasks:\n      one: { shell: x }\n      two:\n        shell: x\n        needs:\n          - ¦\n",
            &["one", "fetch"],
            &["two", "g"],
        ),
        (
            "store: { port: 1 }\ntasks:\n  a: { shell: x, provides: made }\n  b:\n    shell: echo {{ ¦ }}\n",
            &["port", "made", "flow", "task"],
            &["a", "shell"],
        ),
        (
            "store: { port: 1 }\ntasks:\n  a:\n    shell: |\n      echo one\n      echo {{ po¦ }}\n",
            &["port"],
            &[],
        ),
        (
            "tasks:\n  a:\n    shell: x\n    revert: echo {{ failure.¦ }}\n",
            &["kind", "exit_code"],
            &["failure"],
        ),
        (
            "store: { port: 1 }\ntasks:\n  a:\n    shell: x\n    when: ¦\n",
            &["port"],
            &["true"],
        ),
        (
            "tasks:\n  a: { shell: x, provides: made }\nprovides: [¦]\n",
            &["made"],
            &["a"],
        ),
        ("tasks:\n  a: { shell: x } # ¦\n", &[], &["needs"]),
    ];
    for (marked, expected, absent) in cases {
        let found = proposed(&mut editor, YAML, marked);
        for name in expected {
            assert!(
                found.iter().any(|found| found == name),
                "{name} at {marked}: {found:?}"
            );
        }
        for name in absent {
            assert!(
                !found.iter().any(|found| found == name),
                "{name} at {marked}: {found:?}"
            );
        }
    }
}

#[test]
fn the_text_notation_is_completed_too() {
    let mut editor = Editor::new();
    let cases: [(&str, &[&str], &[&str]); 14] = [
        ("flow {\n  ¦\n}\n", &["store", "task", "about"], &["shell"]),
        (
            "flow {\n  task a {\n    sh¦\n  }\n}\n",
            &["shell", "needs", "task"],
            &["store"],
        ),
        (
            "flow {\n  task a {\n    shell = \"x\"\n    ¦\n  }\n}\n",
            &["needs"],
            &["shell", "http"],
        ),
        (
            "flow {\n  task a { retry { ti¦",
            &["times", "delay"],
            &["needs"],
        ),
        (
            "flow {\n  task a { http { url = \"https://a.test\", method = ¦ } }\n}\n",
            &["GET"],
            &["url"],
        ),
        ("flow {\n  priority = ¦\n}\n", &["very_high"], &["task"]),
        (
            "flow {\n  store { port: ¦ }\n}\n",
            &["port", "duration"],
            &["default"],
        ),
        (
            "flow {\n  store { port: port = 80 { ¦ } }\n}\n",
            &["about", "min"],
            &["shell"],
        ),
        (
            "flow {\n  task fetch { shell = \"x\" }\n  task build { shell = \"x\", needs = [¦] }\n}\n",
            &["fetch"],
            &["build"],
        ),
        (
            "flow {\n  store { port = 80 }\n  task a { exec = [\"serve\", ¦] }\n}\n",
            &["port"],
            &["a"],
        ),
        (
            "flow {\n  store { port = 80 }\n  task a { shell = \"echo {{ ¦ }}\" }\n}\n",
            &["port"],
            &["a"],
        ),
        (
            "flow {\n  store { port = 80 }\n  task a { shell = \"\"\"\n    echo {{ po¦ }}\n  \"\"\" }\n}\n",
            &["port"],
            &["a"],
        ),
        (
            "flow {\n  store { port = 80 }\n  task a { shell = \"x\", when = ¦ }\n}\n",
            &["port"],
            &["a"],
        ),
        (
            "flow {\n  tasks = [\n    task a { shell = \"x\" }\n    task b { ne¦ }\n  ]\n}\n",
            &["needs", "shell"],
            &["store"],
        ),
    ];
    for (marked, expected, absent) in cases {
        let found = proposed(&mut editor, TEXT, marked);
        for name in expected {
            assert!(
                found.iter().any(|found| found == name),
                "{name} at {marked}: {found:?}"
            );
        }
        for name in absent {
            assert!(
                !found.iter().any(|found| found == name),
                "{name} at {marked}: {found:?}"
            );
        }
    }
}

#[test]
fn what_is_chosen_replaces_the_word_at_the_cursor() {
    let mut editor = Editor::new();
    let marked = "tasks:\n  a:\n    she¦\n";
    let items = editor.ask_at(YAML, marked, "textDocument/completion", json!({}));
    let items = items.as_array().unwrap();
    let shell = items.iter().find(|item| item["label"] == "shell").unwrap();
    assert_eq!(
        shell["textEdit"],
        json!({
            "range": { "start": { "line": 2, "character": 4 }, "end": { "line": 2, "character": 7 } },
            "newText": "shell: ",
        })
    );
    assert!(
        shell["documentation"]["value"]
            .as_str()
            .unwrap()
            .contains("`interpreter`")
    );
    let text = "flow { re¦ }";
    let plain = editor.ask_at(TEXT, text, "textDocument/completion", json!({}));
    let retry = |items: &Value| {
        let items = items.as_array().unwrap();
        items.iter().find(|item| item["label"] == "retry").unwrap()["textEdit"]["newText"].clone()
    };
    assert_eq!(retry(&plain), "retry { ");
    let snippets = json!({ "textDocument": { "completion": { "completionItem": { "snippetSupport": true } } } });
    let mut editor = Editor::start(crate::cli::Home::new(), &snippets);
    let with = editor.ask_at(TEXT, text, "textDocument/completion", json!({}));
    assert_eq!(retry(&with), "retry { $0 }");
}
