//! Flows of several files: sub-flows and task kinds, with the problems that they are expected to have.
//!
//! `BLESS=1 tests/run files` writes what is found into `expected.txt` of each case; read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Home;

/// The files below a folder, by their paths from there.
fn below(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => below(&entry.path(), &format!("{name}/"), files),
            false => files.push((name, fs::read_to_string(entry.path()).unwrap())),
        }
    }
}

/// The codes of what the program says, in no order.
fn codes(told: &str) -> Vec<&str> {
    let heads = told.lines().filter_map(|line| line.split_once("]: "));
    let mut codes: Vec<_> = heads.map(|(head, _)| head).collect();
    codes.sort_unstable();
    codes
}

#[test]
fn every_flow_of_several_files_has_the_problems_that_it_names() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/files");
    let bless = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    let mut cases: Vec<_> = fs::read_dir(&suite)
        .unwrap()
        .map(|case| case.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let mut files = Vec::new();
        below(&case, "", &mut files);
        let expected = files.iter().find(|(name, _)| name == "expected.txt");
        let expected = expected.map_or("", |(_, text)| text.as_str());
        let home = files
            .iter()
            .filter(|(name, _)| name != "expected.txt")
            .fold(Home::new(), |home, (name, text)| home.and(name, text));
        let found = home.run("check main.flow.yaml").exits(2).stderr;
        // The same in the other notation: what is wrong with the other files, and with what is used of them.
        home.run("convert main.flow.yaml -o main.flow").exits(0);
        let other = home.run("check main.flow").exits(2).stderr;
        assert_eq!(codes(&other), codes(&found), "{}", case.display());
        if bless {
            fs::write(case.join("expected.txt"), &found).unwrap();
        } else if found != expected {
            let _ = write!(differences, "== {}\n{found}", case.display());
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

const NOTIFY: &str = "store: { text: string }\ntasks: { say: { shell: \"echo {{ text }}\", provides: said } }\nprovides: [said]\n";

fn uses(path: &str) -> String {
    format!("tasks: {{ tell: {{ flow: {path}, with: {{ text: hi }} }} }}\n")
}

#[test]
fn a_file_outside_of_the_flows_folder_is_refused_unless_that_is_allowed() {
    let home = Home::with("notify.flow.yaml", NOTIFY)
        .and("work/up.flow.yaml", uses("../notify.flow.yaml"))
        .and("work/link.flow.yaml", uses("linked.flow.yaml"))
        .and("work/sub/inner.flow.yaml", uses("../beside.flow.yaml"))
        .and("work/beside.flow.yaml", NOTIFY)
        .and(
            "work/inside.flow.yaml",
            "tasks: { tell: { flow: sub/inner.flow.yaml } }\n",
        );
    std::os::unix::fs::symlink("../notify.flow.yaml", home.path("work/linked.flow.yaml")).unwrap();
    let refused = home.run("check work/up.flow.yaml").exits(2).stderr;
    assert!(
        refused.contains("error[outside-folder]: `notify.flow.yaml` stands outside"),
        "{refused}"
    );
    let refused = home.run("run work/link.flow.yaml").exits(2).stderr;
    assert!(
        refused.contains("`work/linked.flow.yaml` is a link to"),
        "{refused}"
    );
    home.run("check work/up.flow.yaml --outside").exits(0);
    home.run("run --outside work/link.flow.yaml").exits(0);
    // From a folder further in, `..` is still inside.
    home.run("run work/inside.flow.yaml").exits(0);
}

#[test]
fn a_posted_job_needs_none_of_its_files_any_more() {
    let flow = r#"
store: { text: { default: "it's \"me\" $HOME" }, times: [1, 2] }
tasks:
  made: { shell: "echo {{ text }}", provides: made }
  tell:
    matrix: { time: "{{ times }}" }
    retry: { for_each: [wrong, "right one"], as: word }
    flow: notify
    with: { text: "{{ made }}-{{ word }}-{{ time }}-{{ flow.name }}" }
    provides: { heard: said }
  end: { shell: "echo \"{{ heard }}\"", provides: all }
provides: [all]
"#;
    let notify = r#"
store: { text: string }
env: { TEXT: "{{ text }}" }
tasks:
  check: { shell: "case \"$TEXT\" in *wrong*) exit 1;; esac" }
  say: { needs: [check], greet: { who: "{{ text }}" }, provides: said }
provides: [said]
"#;
    let greet = "task: greet\nparams: { who: string }\nexecute: { exec: [echo, hello, \"{{ who }}\"] }\nresult: stdout\n";
    let home = Home::with("main.flow.yaml", flow)
        .and("notify.flow.yaml", notify)
        .and("tasks/greet.task.yaml", greet);
    let tree = home.run("post main.flow.yaml --hierarchy").exits(0).stdout;
    insta::assert_snapshot!(tree, @r"
    main
    ├─ made  shell  provides made
    ├─ tell  matrix after made
    │  ├─ tell[time=1]  flow   retry for_each of 2 values as word
    │  │  ├─ check  shell
    │  │  └─ say    greet  provides said, after check
    │  └─ tell[time=2]  flow   retry for_each of 2 values as word
    │     ├─ check  shell
    │     └─ say    greet  provides said, after check
    └─ end   shell  provides all, after tell
    ");
    let id = home.run("post main.flow.yaml").id();
    for file in [
        "main.flow.yaml",
        "notify.flow.yaml",
        "tasks/greet.task.yaml",
    ] {
        fs::remove_file(home.path(file)).unwrap();
    }
    home.run("run --until-empty").exits(0);
    let shown = home.run(&format!("show {id}")).exits(0).stdout;
    let said = home.run(&format!("logs {id} end")).exits(0).stdout;
    for time in [1, 2] {
        let heard = format!(r#"hello it's \"me\" $HOME-right one-{time}-main"#);
        assert!(said.contains(&heard), "{said}");
    }
    assert!(shown.contains("tell[time=1]"), "{shown}");
    let graph = home.run(&format!("graph {id}")).exits(0).stdout;
    assert!(graph.contains("<b>tell[time=2]</b>"), "{graph}");
}

#[test]
fn a_sub_flow_that_fails_for_good_is_undone_and_may_be_passed_over() {
    let sub = r#"
store: { place: path, broken: false }
tasks:
  - { name: make, exec: [mkdir, "{{ place }}"], revert: [rmdir, "{{ place }}"] }
  - { name: work, when: broken, skips: flow, exec: ["false"] }
"#;
    let flow = r#"
tasks:
  fine: { flow: sub, with: { place: fine } }
  broken: { flow: sub, with: { place: broken, broken: true }, allow_failure: true }
  end: { needs: [fine, broken], shell: touch end }
"#;
    let home = Home::with("main.flow.yaml", flow).and("sub.flow.yaml", sub);
    home.run("run main.flow.yaml").exits(0);
    assert!(home.has("fine") && home.has("end") && !home.has("broken"));
}

#[test]
fn a_value_that_turns_out_to_be_of_another_type_fails_the_task_that_uses_it() {
    let flow = r#"
tasks:
  made: { shell: echo abc, provides: port, revert: touch undone }
  serve: { flow: serve, with: { port: "{{ port }}" } }
"#;
    let serve = "store: { port: port }\ntasks: { listen: { shell: \"echo {{ port }}\" } }\n";
    let home = Home::with("main.flow.yaml", flow).and("serve.flow.yaml", serve);
    let ran = home.run("run main.flow.yaml").exits(1);
    let why = "`serve.listen` failed: `port` of `serve`: `abc` is not a port";
    assert!(ran.stdout.contains(why), "{}", ran.text());
    assert!(home.has("undone"));
}

#[test]
fn secrets_reach_a_sub_flow_and_its_kinds_and_are_kept() {
    let flow = r#"
store: { token: { type: string, secret: true, from: env:TOKEN } }
env: { HEADER: "Bearer {{ token }}" }
tasks:
  a: { flow: sub, with: { key: "{{ token }}" }, provides: { of_flow: out } }
  b: { use_it: { key: "{{ token }}" }, provides: of_kind }
  end: { shell: "echo {{ of_flow }} {{ of_kind }}", provides: all }
provides: [all]
"#;
    let sub = r#"
store: { key: { type: string, secret: true }, own: { type: string, secret: true, from: env:OWN } }
tasks:
  use:
    shell: test "$KEY" = hunter"2" && test "$OWN_KEY" = correct"horse" && test "$HEADER" = "Bearer hunter""2" && echo "same $KEY"
    env: { KEY: "{{ key }}", OWN_KEY: "{{ own }}" }
    provides: out
provides: [out]
"#;
    let kind = "task: use_it\nparams: { key: { type: string, secret: true } }\nexecute:\n  shell: test \"$KEY\" = hunter\"2\" && test \"$HEADER\" = \"Bearer hunter\"\"2\" && echo \"kind $KEY\"\nenv: { KEY: \"{{ key }}\" }\nresult: stdout\n";
    let home = Home::with("main.flow.yaml", flow)
        .and("sub.flow.yaml", sub)
        .and("tasks/use_it.task.yaml", kind)
        .set("TOKEN", "hunter2")
        .set("OWN", "correcthorse");
    let ran = home.run("run main.flow.yaml").exits(0);
    assert!(
        ran.stdout.contains("all: same *** kind ***"),
        "{}",
        ran.text()
    );
    let store = fs::read(home.path("data/jobrunner/jobs.db")).unwrap();
    let wal = fs::read(home.path("data/jobrunner/jobs.db-wal")).unwrap_or_default();
    for secret in ["hunter2", "correcthorse"] {
        let found = |bytes: &[u8]| {
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        };
        assert!(!found(&store) && !found(&wal), "{secret}");
    }
}
