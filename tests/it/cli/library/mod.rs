//! The library of task kinds: each is run for real, and undone.

mod approve;
mod cut;
mod data;
mod fetch;
mod files;
mod machines;
mod remote;
mod services;
mod web;

use std::fs;

use super::Home;

/// A flow with this task, and one behind it that fails if `fail` is set.
fn flow(task: &str) -> String {
    format!(
        "store: {{ fail: false }}\ntasks:\n  it: {task}\n  last: {{ needs: [it], when: fail, exec: ['false'] }}\n"
    )
}

/// How many jobs have left something in the folder of what tasks keep.
fn left(home: &Home) -> usize {
    fs::read_dir(home.path("data/jobrunner/state")).map_or(0, |jobs| jobs.count())
}

#[test]
fn a_program_that_is_not_installed_is_named() {
    let home = Home::with("f.flow.yaml", &flow("{ odd: {}, revert: { shell: ':' } }")).and(
        "tasks/odd.task.yaml",
        "task: odd\nrequires: [sh, no-such-tool]\nexecute: { shell: touch ran }\n",
    );
    let ran = home.run("run f.flow.yaml").exits(1);
    let why = "`it` failed: `no-such-tool` is not there";
    assert!(ran.stdout.contains(why), "{}", ran.text());
    assert!(!home.has("ran"));
    // Its own revert needs the program too, and so does that of the flow: there is nothing that they would undo.
    let home = Home::with("f.flow.yaml", &flow("{ odd: {} }")).and(
        "tasks/odd.task.yaml",
        "task: odd\nrequires: [no-such-tool]\nexecute: { shell: touch ran }\nrevert: { shell: touch undone }\n",
    );
    let ran = home.run("run f.flow.yaml").exits(1);
    assert!(ran.stdout.contains(why), "{}", ran.text());
    assert!(!home.has("ran") && !home.has("undone"));
    let home = Home::with(
        "f.flow.yaml",
        &flow("{ exec: [no-such-tool, do], revert: [no-such-tool, undo] }"),
    );
    let ran = home.run("run f.flow.yaml").exits(1);
    assert!(ran.stdout.contains(why), "{}", ran.text());
}

/// Each kind that needs programs, with parameters, and these programs.
const NEEDS: [(&str, &str, &str); 13] = [
    (
        "archive_extract",
        "{ archive: a.zip, dest: b }",
        "sh awk cp find grep head mkdir mv realpath rm rmdir tar xargs unzip",
    ),
    ("docker_run", "{ image: a, name: ab }", "bash docker cat rm"),
    (
        "download",
        "{ url: 'http://127.0.0.1:1/', dest: a }",
        "sh cp mv rm",
    ),
    (
        "file_copy",
        "{ src: t, dest: b }",
        "sh basename cp dirname mv realpath rm",
    ),
    (
        "file_write",
        "{ path: a, content: b }",
        "sh cat chmod chown cp mv rm",
    ),
    (
        "git_clone",
        "{ url: a, dest: b }",
        "sh dirname find git ls mv rm rmdir xargs",
    ),
    ("mkdir", "a", "sh chmod dirname mkdir mv rmdir xargs"),
    (
        "rsync",
        "{ src: a, dest: b }",
        "bash rsync chmod chown cp find grep ls mkdir mv rm rmdir sed sort stat tac touch wc",
    ),
    (
        "service",
        "{ command: [true] }",
        "bash setsid cat mv rm sleep tail",
    ),
    ("ssh_exec", "{ host: a, command: [b] }", "sh ssh sed"),
    ("symlink", "{ path: a, target: b }", "sh cp ln mv rm"),
    ("systemd_unit", "{ unit: a }", "sh systemctl mv readlink tr"),
    (
        "template",
        "{ src: t, path: a }",
        "sh cat chmod chown cp mv rm",
    ),
];

#[test]
fn each_kind_names_the_program_that_it_misses() {
    for (kind, parameters, programs) in NEEDS {
        let task = format!("{{ {kind}: {parameters} }}");
        let home = Home::with("f.flow.yaml", &flow(&task))
            .and("t", "")
            .and("a.zip", "");
        fs::create_dir(home.path("bin")).unwrap();
        let home = {
            let path = home.path("bin").display().to_string();
            home.set("PATH", &path)
        };
        let mut missed: Vec<&str> = programs.split(' ').collect();
        while !missed.is_empty() {
            // Nothing was done, so it is REVERTED and not STUCK.
            let ran = home.run("run f.flow.yaml").exits(1).stdout;
            let named = missed
                .iter()
                .position(|program| ran.contains(&format!("`{program}` is not there")));
            let Some(named) = named else {
                panic!("{kind} without {missed:?}: {ran}");
            };
            let program = missed.remove(named);
            let found = std::process::Command::new("sh")
                .args(["-c", &format!("command -v {program}")])
                .output()
                .unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            std::os::unix::fs::symlink(found.trim(), home.path(&format!("bin/{program}"))).unwrap();
        }
    }
    // All others need none.
    let others = ["wait_for_http", "wait_for_port", "webhook"];
    for (name, _) in jobrunner::tasks::LIBRARY {
        let known = NEEDS.iter().any(|(kind, _, _)| kind == name) || others.contains(name);
        assert!(known, "{name} is not in the table");
    }
}

#[test]
fn a_key_of_tasks_among_parameters_belongs_beside_the_kind() {
    for (task, kind) in [
        ("approve: { message: x, timeout: 1h }", "approve"),
        ("shell: { script: x, timeout: 1h }", "shell"),
        ("mkdir: { path: x, timeout: 1h }", "mkdir"),
    ] {
        let home = Home::with("f.flow.yaml", &format!("tasks: {{ a: {{ {task} }} }}\n"));
        let told = home.run("check f.flow.yaml").exits(2).stderr;
        let help =
            format!("`timeout` is a key of the task: it stands beside `{kind}`, not under it");
        assert!(told.contains(&help), "{told}");
    }
}

#[test]
fn a_parameter_that_cannot_be_made_means_that_nothing_was_done() {
    let task = r#"{ mkdir: "{{ flow.name }}/{{ {}.nothing }}" }"#;
    let home = Home::with("f.flow.yaml", &flow(task));
    // REVERTED, not STUCK: there is nothing to undo.
    home.run("run f.flow.yaml").exits(1);
}

#[test]
fn what_is_left_of_ended_jobs_is_removed_by_the_next_conductor() {
    let home = Home::with("f.flow.yaml", &flow("{ shell: ':' }"));
    let ended = home.run("post f.flow.yaml").id();
    home.run("run --until-empty").exits(0);
    let waiting = home.run("post f.flow.yaml --key later").id();
    let folder = |job: &str| home.path(&format!("data/jobrunner/state/{job}"));
    let unknown = "01a20d11-0000-7000-8000-000000000000";
    for job in [ended.as_str(), waiting.as_str(), unknown] {
        fs::create_dir_all(folder(job).join("0-0")).unwrap();
    }
    home.run(&format!("suspend {waiting}")).exits(0);
    let conductor = home.start("run");
    let started = std::time::Instant::now();
    while folder(&ended).exists() {
        home.run("show").exits(0);
        assert!(started.elapsed().as_secs() < 30);
    }
    conductor.terminate();
    // What may still be needed, or is another store's, stays.
    assert!(folder(&waiting).exists() && folder(unknown).exists());
}

#[test]
fn a_task_kind_runs_by_itself_and_a_project_may_have_its_own() {
    let kind = "task: mkdir\nabout: My own\nparams: { path: { type: path, about: Where } }\nshorthand: path\nexecute: { shell: 'touch {{ path }}.mine' }\n";
    let home = Home::with("f.flow.yaml", &flow("{ mkdir: x }")).and("tasks/mkdir.task.yaml", kind);
    home.run("run f.flow.yaml").exits(0);
    assert!(home.has("x.mine"), "the project's own goes first");
    home.run("run tasks/mkdir.task.yaml --path y").exits(0);
    assert!(home.has("y.mine"));
    let listed = home.run("tasks").exits(0).stdout;
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        listed.lines().any(|line| words(line) == "mkdir My own"),
        "{listed}"
    );
    for name in ["shell", "git_clone"] {
        assert!(listed.contains(&format!("  {name} ")), "{listed}");
    }
    let page = home.run("tasks file_write").exits(0).stdout;
    insta::assert_snapshot!(page, @r#"
    file_write: Write a file; reverting puts back what was there before

    Parameters:
      path     path    The file; the folder around it must be there. A link in its place is replaced, not followed; required
      content  string  The text that it is to hold; required
      mode     string  Its permissions, such as 0644; those that it had, or the usual ones, if empty. It keeps its owner

    Result: path

    Needs: cat, chmod, chown, cp, mv, rm

    Example:
      page: { file_write: { path: /srv/site/index.html, content: "hello {{ who }}", mode: "0644" } }
    "#);
    let schema = home.run("schema").exits(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (task, fits) in [
        (serde_json::json!({ "mkdir": "x" }), true),
        (
            serde_json::json!({ "file_write": { "path": "x", "content": "{{ y }}" } }),
            true,
        ),
        (serde_json::json!({ "file_write": { "path": "x" } }), false),
        (
            serde_json::json!({ "git_clone": { "url": "x", "dest": "y", "depth": "many" } }),
            false,
        ),
        (serde_json::json!({ "mkdir": "x", "shell": "y" }), false),
        (
            serde_json::json!({ "file_write": { "path": "x", "content": "y", "mode": 755 } }),
            true,
        ),
        (
            serde_json::json!({ "file_write": { "path": "x", "content": "y", "mode": "rwx" } }),
            false,
        ),
        (
            serde_json::json!({ "service": { "command": ["x"], "port": "80" } }),
            true,
        ),
        (
            serde_json::json!({ "service": { "command": ["x"], "port": 70000 } }),
            false,
        ),
        (serde_json::json!({ "service": { "command": [] } }), false),
        (serde_json::json!({ "service": { "command": "x" } }), true),
        (
            serde_json::json!({ "service": { "command": "{{ y }}" } }),
            true,
        ),
        (
            serde_json::json!({ "service": { "command": "x y" } }),
            false,
        ),
        (
            serde_json::json!({ "wait_for_http": { "url": "http://a.test/", "expect": 200 } }),
            true,
        ),
        (
            serde_json::json!({ "rsync": { "src": "a", "dest": "b", "delete": "true" } }),
            true,
        ),
        (
            serde_json::json!({ "flow": "x", "with": { "a": 1 }, "max_parallel": 2 }),
            true,
        ),
    ] {
        let flow = serde_json::json!({ "tasks": { "a": task } });
        assert_eq!(schema.is_valid(&flow), fits, "{flow}");
    }
    let unknown = home.run("tasks file_wite").exits(2).stderr;
    assert!(unknown.contains("did you mean `file_write`?"), "{unknown}");
}

/// `BLESS=1` writes the pages into it.
#[test]
fn the_documentation_has_the_pages_of_all_kinds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tasks.md");
    let pages = Home::new().run("tasks --format markdown").exits(0).stdout;
    let written = fs::read_to_string(path).unwrap();
    let start = written.find("| kind |").unwrap_or(written.len());
    let whole = format!("{}{pages}", &written[..start]);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, &whole).unwrap();
    }
    assert!(
        written == whole || std::env::var_os("BLESS").is_some(),
        "docs/tasks.md is not what `jobrunner tasks --format markdown` prints: BLESS=1 tests/run documentation_has"
    );
}

#[test]
fn the_examples_of_all_kinds_compile() {
    for (name, _) in jobrunner::tasks::LIBRARY {
        let page = Home::new().run(&format!("tasks {name}")).exits(0).stdout;
        let (_, example) = page.split_once("\nExample:\n").expect(name);
        let home = Home::with("f.flow.yaml", &format!("tasks:\n{example}"));
        let told = home.run("check f.flow.yaml --format json").stdout;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let problems = told["flows"][0]["problems"].as_array().unwrap();
        // The names and files that an example uses are the reader's own.
        let own = ["unknown-name", "missing-file"];
        let wrong = |problem: &&serde_json::Value| {
            problem["severity"] == "error" && own.iter().all(|code| problem["code"] != *code)
        };
        assert_eq!(problems.iter().find(wrong), None, "{name}");
    }
}
