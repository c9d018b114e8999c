//! What may be written at the cursor.

use serde_json::{Value, json};

use super::client::{Editor, TEXT, YAML};
use crate::cli::Home;

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
fn kinds_that_are_written_in_the_language_and_sub_flows_are_completed_too() {
    let greet = "task: greet\nabout: Say hello\nparams:\n  who: { type: string, about: Who is greeted }\n  tone: { one_of: [warm, cold], default: warm }\nexecute: { shell: 'echo {{ who }} {{ tone }}' }\nresult: { text: stdout }\n";
    let inner = "store: { title: string, loud: false }\ntasks: { a: { exec: [echo, '{{ title }}', '{{ loud }}'], provides: said } }\nprovides: [said]\n";
    let home = Home::with("tasks/greet.task.yaml", greet).and("inner.flow.yaml", inner);
    let (yaml, text) = (home.path("f.flow.yaml"), home.path("f.flow"));
    let uri = |path: &std::path::Path| format!("file://{}", path.display());
    let (yaml, text) = (uri(&yaml), uri(&text));
    let mut editor = Editor::start(home, &json!({}));
    let cases: [(&str, &str, &[&str], &[&str]); 17] = [
        (
            &yaml,
            "tasks:\n  a:\n    ¦\n",
            &["greet", "file_write", "mkdir"],
            &[],
        ),
        (
            &text,
            "flow { task a { ¦ } }",
            &["greet", "file_write"],
            &[],
        ),
        (YAML, "tasks:\n  a:\n    ¦\n", &["file_write"], &["greet"]),
        // What undoes a task is a kind that is built in.
        (
            &yaml,
            "tasks:\n  a:\n    mkdir: x\n    revert:\n      ¦\n",
            &["shell"],
            &["greet", "mkdir"],
        ),
        (
            &yaml,
            "tasks:\n  a: { mkdir: x, ¦ }\n",
            &["needs"],
            &["shell"],
        ),
        (
            &yaml,
            "tasks:\n  a:\n    file_write:\n      path: x\n      ¦\n",
            &["content", "mode"],
            &["path", "needs"],
        ),
        (
            &yaml,
            "tasks:\n  a: { greet: { ¦ } }\n",
            &["who", "tone"],
            &[],
        ),
        (
            &text,
            "flow { task a { greet { ¦ } } }",
            &["who", "tone"],
            &[],
        ),
        (
            &yaml,
            "tasks:\n  a: { greet: { tone: ¦ } }\n",
            &["warm", "cold"],
            &["who"],
        ),
        (
            &yaml,
            "tasks:\n  a: { archive_extract: { replace: ¦ } }\n",
            &["true", "false"],
            &[],
        ),
        (
            &yaml,
            "tasks:\n  a:\n    flow: inner.flow.yaml\n    with: { ¦ }\n",
            &["title", "loud"],
            &["a"],
        ),
        (
            &text,
            "flow {\n  task a {\n    flow = \"inner\"\n    with { ¦ }\n  }\n}",
            &["title", "loud"],
            &[],
        ),
        (
            &yaml,
            "tasks:\n  a:\n    flow: inner.flow.yaml\n    provides: { x: ¦ }\n",
            &["said"],
            &["title"],
        ),
        (
            &yaml,
            "tasks:\n  a:\n    greet: x\n    provides:\n      x: ¦\n",
            &["text"],
            &["stdout"],
        ),
        (
            &yaml,
            "tasks:\n  a:\n    shell: x\n    provides: { x: ¦ }\n",
            &["stdout", "exit_code"],
            &[],
        ),
        (
            &yaml,
            "store: { x: 1 }\ntasks:\n  a:\n    shell: echo {{ x | ¦\n",
            &["upper", "join"],
            &["x"],
        ),
        (
            &yaml,
            "store: { x: 1 }\ntasks:\n  a:\n    when: x is not ¦\n",
            &["defined", "odd"],
            &["x"],
        ),
    ];
    for (uri, marked, present, absent) in cases {
        let found = proposed(&mut editor, uri, marked);
        let holds = |name: &&str| found.iter().any(|found| found == name);
        assert!(present.iter().all(holds), "{marked}: {found:?}");
        assert!(!absent.iter().any(holds), "{marked}: {found:?}");
    }
    // A word that is text has quotes where one without them would be a name.
    let marked = "flow { task a { greet { tone = ¦ } } }";
    let items = editor.ask_at(&text, marked, "textDocument/completion", json!({}));
    assert_eq!(items[0]["textEdit"]["newText"], "\"warm\"");
    let hover = editor.ask_at(
        &yaml,
        "tasks: { a: { gre¦et: { who: x } } }\n",
        "textDocument/hover",
        json!({}),
    );
    let said = hover["contents"]["value"].as_str().unwrap();
    assert!(
        said.contains("Say hello") && said.contains("Who is greeted"),
        "{said}"
    );
    for (marked, file) in [
        (
            "tasks: { a: { gre¦et: { who: x } } }\n",
            "tasks/greet.task.yaml",
        ),
        (
            "tasks: { a: { flow: inn¦er, with: { title: x } } }\n",
            "inner.flow.yaml",
        ),
    ] {
        let found = editor.ask_at(&yaml, marked, "textDocument/definition", json!({}));
        let uri = found["uri"].as_str().unwrap();
        assert!(uri.ends_with(file), "{found}");
    }
    let found = editor.ask_at(
        &yaml,
        "tasks: { a: { mk¦dir: x } }\n",
        "textDocument/definition",
        json!({}),
    );
    assert_eq!(found, Value::Null, "it stands in no file");
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
    let mut editor = Editor::start(Home::new(), &snippets);
    let with = editor.ask_at(TEXT, text, "textDocument/completion", json!({}));
    assert_eq!(retry(&with), "retry { $0 }");
}
