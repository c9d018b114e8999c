//! The library of task kinds: each is run for real, and undone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::Home;

/// A flow with this task, and one behind it that fails if `fail` is set.
fn flow(task: &str) -> String {
    format!(
        "store: {{ fail: false }}\ntasks:\n  it: {task}\n  last: {{ needs: [it], when: fail, exec: ['false'] }}\n"
    )
}

#[test]
fn mkdir_makes_folders_and_removes_those_that_it_made() {
    let home = Home::with(
        "f.flow.yaml",
        &flow("{ mkdir: { path: there/a/b, mode: '0750' } }"),
    );
    fs::create_dir(home.path("there")).unwrap();
    home.run("run f.flow.yaml").exits(0);
    let mode = fs::metadata(home.path("there/a/b"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
    // Now everything is there already: undoing removes nothing.
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(home.has("there/a/b"));
    fs::remove_dir_all(home.path("there/a")).unwrap();
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(home.has("there") && !home.has("there/a"));
    assert_eq!(left(&home), 0, "what the tasks kept is gone");
}

#[test]
fn mkdir_leaves_what_somebody_put_into_its_folder() {
    let task = "{ tasks: [{ name: a, mkdir: x/y }, { name: b, shell: touch x/kept }] }";
    let home = Home::with("f.flow.yaml", &flow(task));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(home.has("x/kept") && !home.has("x/y"));
}

#[test]
fn file_write_puts_back_what_was_there() {
    let task = r#"{ file_write: { path: "a b.txt", content: "new $HOME 'q'" } }"#;
    let home = Home::with("f.flow.yaml", &flow(task));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(!home.has("a b.txt"), "there was nothing");
    fs::write(home.path("a b.txt"), "old\n").unwrap();
    fs::set_permissions(home.path("a b.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    home.run("run f.flow.yaml --set fail=true").exits(1);
    let text = || fs::read_to_string(home.path("a b.txt")).unwrap();
    assert_eq!(text(), "old\n");
    home.run("run f.flow.yaml").exits(0);
    assert_eq!(text(), "new $HOME 'q'");
    let mode = fs::metadata(home.path("a b.txt"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!home.has("a b.txt.jobrunner-new"));
    assert_eq!(left(&home), 0, "what the tasks kept is gone");
}

#[test]
fn file_write_tried_again_still_knows_what_was_there_first() {
    let task = r#"
    retry: { times: 2, as: time }
    tasks:
      - { name: write, file_write: { path: x.txt, content: "try {{ time }}" } }
      - { name: check, exec: [test, "{{ time }}", =, "2"] }"#;
    let home = Home::with("f.flow.yaml", &flow(task)).and("x.txt", "first");
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert_eq!(fs::read_to_string(home.path("x.txt")).unwrap(), "first");
    home.run("run f.flow.yaml").exits(0);
    assert_eq!(fs::read_to_string(home.path("x.txt")).unwrap(), "try 2");
}

fn repository(home: &Home) -> String {
    let script = "git init -q -b main origin && cd origin && git config user.email a@b.test && git config user.name a && echo 1 > file && git add file && git commit -qm one && git branch other && echo 2 > file && git commit -qam two";
    let made = Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(home.path(""))
        .status();
    assert!(made.unwrap().success());
    format!("--url={}", home.path("origin").display())
}

#[test]
fn git_clone_clones_a_branch_and_removes_the_clone() {
    let flow = r#"
store: { url: string, branch: { default: "" }, fail: false }
tasks:
  source:
    git_clone: { url: "{{ url }}", dest: "src/{{ flow.name }}", branch: "{{ branch }}" }
    provides: { commit: commit, place: path }
  last: { when: fail, exec: [test, "{{ commit }}", =, "{{ place }}"] }
provides: [commit, place]
"#;
    let home = Home::with("f.flow.yaml", flow);
    let url = repository(&home);
    let ran = home
        .run(&format!("run f.flow.yaml {url} --set fail=true"))
        .exits(1);
    assert!(!home.has("src/f"), "{}", ran.text());
    let ran = home
        .run(&format!("run f.flow.yaml {url} --branch other"))
        .exits(0);
    assert!(ran.stdout.contains("place: src/f"), "{}", ran.text());
    assert_eq!(fs::read_to_string(home.path("src/f/file")).unwrap(), "1\n");
    // A second one refuses, and leaves alone what it did not make.
    home.run(&format!("run f.flow.yaml {url}")).exits(1);
    assert_eq!(fs::read_to_string(home.path("src/f/file")).unwrap(), "1\n");
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

/// How many jobs have left something in the folder of what tasks keep.
fn left(home: &Home) -> usize {
    fs::read_dir(home.path("data/jobrunner/state")).map_or(0, |jobs| jobs.count())
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
    assert!(listed.contains("  mkdir       My own\n"), "{listed}");
    for name in ["shell", "git_clone"] {
        assert!(listed.contains(&format!("  {name} ")), "{listed}");
    }
    let page = home.run("tasks file_write").exits(0).stdout;
    insta::assert_snapshot!(page, @r#"
    file_write: Write a file; reverting puts back what was there before

    Parameters:
      path     path    The file; its folder must be there; required
      content  string  The text that it is to hold; required
      mode     string  Its permissions, such as 0644; those that it had, or the usual ones, if empty

    Result: path

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
