//! The language server, as an editor meets it.

mod client;
mod completion;

use serde_json::{Value, json};

use crate::cli::Home;
pub use client::{Editor, YAML};
use client::{TEXT, edited, unmarked};

/// A flow in both notations, with the mark at the same place of each.
fn both(yaml: &'static str, text: &'static str) -> [(&'static str, &'static str); 2] {
    [(YAML, yaml), (TEXT, text)]
}

fn codes(problems: &[Value]) -> Vec<&str> {
    problems
        .iter()
        .map(|problem| problem["code"].as_str().unwrap())
        .collect()
}

#[test]
fn problems_follow_what_is_typed() {
    let mut editor = Editor::new();
    editor.open(YAML, "tasks:\n  a: { shel: x }\n");
    let problems = editor.problems(YAML, 1);
    assert_eq!(codes(&problems), ["unknown-key"]);
    assert_eq!(
        problems[0]["range"],
        json!({ "start": { "line": 1, "character": 7 }, "end": { "line": 1, "character": 11 } })
    );
    assert_eq!(
        (&problems[0]["severity"], &problems[0]["source"]),
        (&json!(1), &json!("jobrunner"))
    );
    assert!(
        problems[0]["message"]
            .as_str()
            .unwrap()
            .contains("did you mean `shell`?")
    );
    let insert =
        json!({ "start": { "line": 1, "character": 11 }, "end": { "line": 1, "character": 11 } });
    editor.change(YAML, 2, json!({ "range": insert, "text": "l" }));
    assert_eq!(editor.problems(YAML, 2), Vec::<Value>::new());
    editor.replace(YAML, 3, "tasks:\n  a: { shell: x }\n  a: { shell: x }\n");
    let problems = editor.problems(YAML, 3);
    assert_eq!(codes(&problems), ["duplicate-key"]);
    let related = &problems[0]["relatedInformation"][0];
    assert_eq!(related["location"]["range"]["start"]["line"], 1);

    editor.open(
        TEXT,
        "flow {\n  task a { shell = \"x\", tiemout = 3s }\n}\n",
    );
    assert_eq!(codes(&editor.problems(TEXT, 1)), ["unknown-key"]);
    editor.replace(
        TEXT,
        2,
        "flow {\n  task a { shell = \"x\", timeout = 3s }\n}\n",
    );
    assert_eq!(editor.problems(TEXT, 2), Vec::<Value>::new());

    // What is closed is forgotten.
    editor.replace(YAML, 4, "tasks:\n");
    assert_eq!(codes(&editor.problems(YAML, 4)), ["no-tasks"]);
    editor.say(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": YAML } }),
    );
    assert_eq!(editor.goodbye(), Some(0));
}

#[test]
fn a_file_is_laid_out_by_one_edit_of_what_differs() {
    let mut editor = Editor::new();
    let ask = |uri: &str| {
        let options = json!({ "tabSize": 4, "insertSpaces": true });
        json!({ "textDocument": { "uri": uri }, "options": options })
    };
    for (uri, text, laid_out) in [
        (
            YAML,
            "about: é # é\ntasks:\n    a: {shell: 'x'}   # c\n\n\n    b:\n        shell: y\n# end\n",
            "about: é # é\ntasks:\n  a: { shell: x } # c\n\n  b:\n    shell: y\n# end\n",
        ),
        (
            TEXT,
            "flow {\n  task a { shell=\"x\" }\n}\n",
            "flow {\n  task a { shell = \"x\" }\n}\n",
        ),
    ] {
        editor.open(uri, text);
        let edits = editor.ask("textDocument/formatting", ask(uri));
        assert_eq!(edits.as_array().unwrap().len(), 1);
        assert_ne!(edits[0]["range"]["start"]["line"], 0);
        assert_eq!(edited(text, &edits), laid_out);
        editor.replace(uri, 2, laid_out);
        assert_eq!(editor.ask("textDocument/formatting", ask(uri)), json!([]));
        // What cannot be read is left alone.
        editor.replace(uri, 3, "a: \"");
        assert_eq!(editor.ask("textDocument/formatting", ask(uri)), Value::Null);
    }
    assert_eq!(editor.goodbye(), Some(0));
}

#[test]
fn fast_typing_costs_few_checks() {
    let mut editor = Editor::new();
    let tasks = (0..1_000).map(|n| format!("  t{n}: {{ shell: echo {n} }}\n"));
    let text = format!("tasks:\n{}", tasks.collect::<String>());
    editor.open(YAML, &text);
    let end = json!({ "line": 1_001, "character": 0 });
    for version in 2..302 {
        let at = json!({ "start": end, "end": end });
        editor.change(YAML, version, json!({ "range": at, "text": "#" }));
    }
    assert_eq!(editor.problems(YAML, 301), Vec::<Value>::new());
    assert!(editor.times_told(YAML) < 100, "{}", editor.times_told(YAML));
}

#[test]
fn columns_are_counted_as_was_agreed() {
    let text = "about: 😀 é\ntasks: { a: { about: 😀é, shel: x } }\n";
    let column = |editor: &mut Editor| {
        editor.open(YAML, text);
        editor.problems(YAML, 1)[0]["range"]["start"]["character"].clone()
    };
    let mut editor = Editor::new();
    assert_eq!(editor.hello["capabilities"]["positionEncoding"], "utf-16");
    assert_eq!(column(&mut editor), 26);
    let offered = json!({ "general": { "positionEncodings": ["utf-8", "utf-16"] } });
    let mut editor = Editor::start(Home::new(), &offered);
    assert_eq!(editor.hello["capabilities"]["positionEncoding"], "utf-8");
    assert_eq!(column(&mut editor), 29);
}

#[test]
fn what_is_no_flow_is_left_alone() {
    let mut editor = Editor::new();
    let other = "file:///nowhere/compose.yaml";
    editor.open(other, "services: { }\n");
    let params =
        json!({ "textDocument": { "uri": other }, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", params), Value::Null);
    assert_eq!(editor.times_told(other), 0);
    assert!(
        editor
            .try_ask("textDocument/formatting", json!({}))
            .is_err()
    );
    assert!(
        editor
            .try_ask("textDocument/hover", json!({ "x": 1 }))
            .is_err()
    );
    assert_eq!(editor.vanish(), Some(0));
}

fn said(hover: &Value) -> &str {
    hover["contents"]["value"].as_str().unwrap_or_default()
}

#[test]
fn the_pointer_tells_what_stands_under_it() {
    let mut editor = Editor::new();
    let yaml = |marked: &str, editor: &mut Editor| {
        let hover = editor.ask_at(YAML, marked, "textDocument/hover", json!({}));
        said(&hover).to_owned()
    };
    let flow = "store:\n  port: { type: port, default: 8080, about: Where to listen }\ntasks:\n  serve:\n    about: Serve it\n    exec: [serve, \"{{ port }}\"]\n    provides: pid\n    retry: { times: 3, delay: 1s }\n  stop:\n    needs: [serve]\n    http: { url: https://a.test, bearer: \"{{ pid }}\" }\n    revert: echo {{ failure.kind }}\n";
    for (place, expected) in [
        ("po¦rt: {", "in the store"),
        ("\"{{ po¦rt }}\"", "Where to listen"),
        ("{{ p¦id }}", "provided by the task `serve`"),
        ("[se¦rve]", "Serve it"),
        ("ret¦ry:", "when it fails"),
        ("de¦lay:", "before the second attempt"),
        ("ht¦tp:", "sends one HTTP request"),
        ("bea¦rer:", "Authorization"),
        ("type: po¦rt", "1 to 65535"),
        ("failure.ki¦nd", "What happened"),
        ("sto¦re:", "when the flow is posted"),
        ("exec: [ser¦ve, ", ""),
    ] {
        let plain = place.replace('¦', "");
        assert!(flow.contains(&plain), "{plain}");
        let marked = flow.replacen(&plain, place, 1);
        let told = yaml(&marked, &mut editor);
        assert!(
            told.contains(expected) && told.is_empty() == expected.is_empty(),
            "{place}: {told}"
        );
    }
    let text = "flow {\n  store { port: port = 8080 { about = \"Where to listen\" } }\n  task serve {\n    exec = [\"serve\", po¦rt]\n    retry { times = 3 }\n  }\n}\n";
    let hover = editor.ask_at(TEXT, text, "textDocument/hover", json!({}));
    assert!(said(&hover).contains("Where to listen"), "{hover}");
    let text = text.replace('¦', "").replace("tim", "ti¦m");
    let hover = editor.ask_at(TEXT, &text, "textDocument/hover", json!({}));
    assert!(said(&hover).contains("How many executions"), "{hover}");
}

/// The line and column of a place, from 0.
fn start(location: &Value) -> (u64, u64) {
    let start = &location["range"]["start"];
    (
        start["line"].as_u64().unwrap(),
        start["character"].as_u64().unwrap(),
    )
}

#[test]
fn a_name_leads_to_where_it_comes_from() {
    let mut editor = Editor::new();
    let flow = "store: { port: 8080 }\ntasks:\n  group:\n    provides: [pid]\n    tasks:\n      serve: { shell: \"serve {{ port }}\", provides: pid }\n      check: { needs: [serve], shell: \"check {{ pid }}\" }\n  stop:\n    needs: [group]\n    retry: { for_each: [1, 2], as: signal }\n    shell: |\n      kill -{{ signal }} {{ pid }}\nprovides: [pid]\n";
    for (place, expected) in [
        ("serve {{ po¦rt }}", (0, 9)),
        ("needs: [ser¦ve]", (5, 6)),
        ("check {{ p¦id }}", (5, 52)),
        ("needs: [gro¦up]", (2, 2)),
        ("-{{ sig¦nal }}", (9, 35)),
        ("{{ signal }} {{ p¦id", (5, 52)),
        ("\nprovides: [p¦id]", (5, 52)),
        ("    provides: [p¦id]", (5, 52)),
    ] {
        let plain = place.replace('¦', "");
        let marked = flow.replacen(&plain, place, 1);
        let found = editor.ask_at(YAML, &marked, "textDocument/definition", json!({}));
        assert_eq!(found["uri"], YAML, "{place}: {found}");
        assert_eq!(start(&found), expected, "{place}");
    }
    let marked = flow.replacen("ser", "s¦er", 1);
    let context = json!({ "context": { "includeDeclaration": false } });
    let found = editor.ask_at(YAML, &marked, "textDocument/references", context);
    assert_eq!(
        found
            .as_array()
            .unwrap()
            .iter()
            .map(start)
            .collect::<Vec<_>>(),
        [(6, 23)]
    );
    let text = "flow {\n  task serve { shell = \"serve\", provides = pid }\n  task stop { needs = [serve], exec = [\"kill\", p¦id] }\n}\n";
    let found = editor.ask_at(TEXT, text, "textDocument/definition", json!({}));
    assert_eq!(start(&found), (1, 43));
}

#[test]
fn a_task_is_renamed_wherever_it_is_named_and_nothing_else_is() {
    let mut editor = Editor::new();
    let flows = both(
        "# build\nstore: { build: 1 }\ntasks:\n  bu¦ild:\n    shell: build {{ build }} \"build\"\n  test: { needs: [build], shell: build }\n  group:\n    tasks:\n      build: { shell: x }\n      inner: { needs: [build], shell: x }\n  deep: { tasks: { x: { needs: [build], shell: x } } }\n",
        "# build\nflow {\n  store { build = 1 }\n  task bu¦ild {\n    shell = \"build {{ build }}\"\n  }\n  task test { needs = [build], exec = [\"build\", build] }\n  task group {\n    task build { shell = \"x\" }\n    task inner { needs = [build], shell = \"x\" }\n  }\n  task deep { task x { needs = [build], shell = \"x\" } }\n}\n",
    );
    for (uri, marked) in flows {
        let new = json!({ "newName": "compile" });
        let changes = editor.ask_at(uri, marked, "textDocument/rename", new);
        let (text, _) = unmarked(marked);
        let after = edited(&text, &changes["changes"][uri]);
        let named = if uri == YAML {
            [
                ("  build:\n    shell", "  compile:\n    shell"),
                ("test: { needs: [build]", "test: { needs: [compile]"),
                ("x: { needs: [build]", "x: { needs: [compile]"),
            ]
        } else {
            [
                (
                    "task build {\n    shell = \"build",
                    "task compile {\n    shell = \"build",
                ),
                (
                    "task test { needs = [build]",
                    "task test { needs = [compile]",
                ),
                ("task x { needs = [build]", "task x { needs = [compile]"),
            ]
        };
        let expected = named.iter().fold(text.clone(), |text, (old, new)| {
            assert!(text.contains(old), "{old}");
            text.replacen(old, new, 1)
        });
        assert_eq!(after, expected);
        // Before the text is another: of what is replaced soon, no problems are told.
        let before: Vec<Value> = editor.problems(uri, 1);
        editor.replace(uri, 2, &after);
        assert_eq!(codes(&editor.problems(uri, 2)), codes(&before));
    }
}

#[test]
fn the_name_of_a_value_is_renamed_wherever_it_is_used() {
    let mut editor = Editor::new();
    let marked = "store: { port: 8080 }\ncapabilities: [{ port_is_free: \"{{ port }}\" }]\ntasks:\n  a:\n    when: port > 1 and \"port\" != \"x\"\n    shell: |\n      echo {{ po¦rt }} port {{ x.port if x is defined else port }}\n    provides: { x: port_of }\n";
    let changes = editor.ask_at(
        YAML,
        marked,
        "textDocument/rename",
        json!({ "newName": "number" }),
    );
    let (text, _) = unmarked(marked);
    let expected = text
        .replace("{ port: 8080", "{ number: 8080")
        .replace("\"{{ port }}\"", "\"{{ number }}\"")
        .replace("when: port", "when: number")
        .replace("echo {{ port }}", "echo {{ number }}")
        .replace("else port }}", "else number }}");
    assert_eq!(edited(&text, &changes["changes"][YAML]), expected);
    for (new, why) in [
        ("two words", "cannot be a name"),
        ("failure", "the language keeps it for itself"),
        ("x", "is called `x` already"),
    ] {
        let refused = editor.try_ask_at(
            YAML,
            marked,
            "textDocument/rename",
            json!({ "newName": new }),
        );
        assert!(refused.unwrap_err().contains(why), "{new}");
    }
    let place = editor.ask_at(YAML, marked, "textDocument/prepareRename", json!({}));
    assert_eq!(place["start"], json!({ "line": 6, "character": 14 }));
    let nowhere = marked
        .replace('¦', "")
        .replace("about", "")
        .replace("echo", "ec¦ho");
    assert_eq!(
        editor.ask_at(YAML, &nowhere, "textDocument/prepareRename", json!({})),
        Value::Null
    );
}

#[test]
fn the_symbols_of_a_file_are_its_store_and_its_tasks() {
    let mut editor = Editor::new();
    let flows = both(
        "store: { port: 8080 }\ntasks:\n  group:\n    tasks:\n      inner: { shell: x, about: Do it }\n  list:\n    tasks:\n      - name: first\n        shell: x\n¦",
        "flow {\n  store { port = 8080 }\n  task group {\n    task inner { shell = \"x\", about = \"Do it\" }\n  }\n  task list {\n    tasks = [task first { shell = \"x\" }]\n  }\n}\n¦",
    );
    for (uri, marked) in flows {
        let symbols = editor.ask_at(uri, marked, "textDocument/documentSymbol", json!({}));
        let names: Vec<_> = symbols
            .as_array()
            .unwrap()
            .iter()
            .map(|symbol| &symbol["name"])
            .collect();
        assert_eq!(names, ["port", "group", "list"], "{symbols}");
        let inner = &symbols[1]["children"][0];
        assert_eq!(
            (&inner["name"], &inner["detail"]),
            (&json!("inner"), &json!("Do it"))
        );
        assert_eq!(symbols[2]["children"][0]["name"], "first");
        let (all, name) = (&inner["range"], &inner["selectionRange"]);
        assert!(all["start"]["character"].as_u64() <= name["start"]["character"].as_u64());
    }
}

#[test]
fn whatever_is_typed_the_server_goes_on() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut editor = Editor::new();
    let pieces = [
        "{{ ", " }}", "{", "}", "[", "]", "\"", "'", "|\n", "- ", ":", ": ", "=", "\n", "\n    ",
        "a", "é😀", "tasks", "task x {", "needs", "(", ")", "\\", "#", "\"\"\"", "\t",
    ];
    let seeds = [
        (
            YAML,
            include_str!("../../suite/syntax/ok_everything.flow.yaml"),
        ),
        (TEXT, include_str!("../../suite/syntax/ok_everything.flow")),
    ];
    for (uri, text) in seeds {
        editor.open(uri, text);
        let lines = u32::try_from(text.lines().count()).unwrap();
        for version in 2..152 {
            let (line, character) = (random.u32(0..lines), random.u32(0..40));
            let start = json!({ "line": line, "character": character });
            let end = json!({ "line": line, "character": character + random.u32(0..4) });
            let piece = pieces[random.usize(0..pieces.len())];
            editor.change(
                uri,
                version,
                json!({ "range": { "start": start, "end": end }, "text": piece }),
            );
            let at = json!({
                "textDocument": { "uri": uri },
                "position": { "line": random.u32(0..lines), "character": random.u32(0..60) },
                "newName": "renamed",
                "context": { "includeDeclaration": true },
            });
            for method in [
                "completion",
                "hover",
                "definition",
                "references",
                "rename",
                "prepareRename",
                "documentSymbol",
            ] {
                // A refusal is an answer too.
                drop(editor.try_ask(&format!("textDocument/{method}"), at.clone()));
            }
        }
        assert!(editor.times_told(uri) > 0);
    }
    assert_eq!(editor.goodbye(), Some(0));
}
