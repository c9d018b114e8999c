//! Jobs from being posted to their end: what people see of them and say to them.

use super::Home;

/// Two tasks side by side, and one that takes what they made.
const BUILD: &str = "\
about: Build and pack
tasks:
  compile: { shell: 'echo compiled', provides: what }
  docs: { shell: 'echo written; echo careful >&2' }
  pack: { needs: [docs], shell: 'echo {{ what }} and packed' }
";

#[test]
fn a_posted_job_is_shown_run_and_shown_again() {
    let home = Home::with("build.flow.yaml", BUILD);
    let posted = home.run("post build.flow.yaml");
    let id = posted.id();
    assert_eq!(id.len(), 36);
    insta::assert_snapshot!(posted.text(), @r"
    exit 0
    -- out
    [id]
    -- err
    a conductor runs it: `jobrunner run`, or `jobrunner run --until-empty`; `jobrunner show [id]` tells how far it is
    ");
    insta::assert_snapshot!(home.run("show").text(), @r"
    exit 0
    -- out
    NAME   ID        STATE    OWNER  AGE
    build  [id]  PENDING  -      [age]
    ");
    insta::assert_snapshot!(home.run(&format!("show {}", &id[..13])).text(), @r"
    exit 0
    -- out
    · build  [id]  PENDING
      posted [age] ago, waits for a conductor: `jobrunner run`
      · compile  PENDING
      · docs     PENDING
      · pack     PENDING
    ");
    home.run("run --until-empty").exits(0);
    insta::assert_snapshot!(home.run("show").text(), @r"
    exit 0
    -- out
    No jobs; 1 ended: `jobrunner show --all`.
    ");
    insta::assert_snapshot!(home.run("show --all").text(), @r"
    exit 0
    -- out
    NAME   ID        STATE    OWNER  AGE
    build  [id]  SUCCESS  -      [age]
    ");
    let text = home.run(&format!("show {id}")).exits(0).text();
    let tasks: String = text.split("steps").next().unwrap().into();
    insta::assert_snapshot!(tasks, @r"
    exit 0
    -- out
    ✓ build  [id]  SUCCESS [took]
      posted [age] ago
      ✓ compile  SUCCESS [took]
      ✓ docs     SUCCESS [took]
      ✓ pack     SUCCESS [took]
    ");
    assert!(
        text.lines().filter(|line| line.contains("SUCCESS")).count() >= 7,
        "{text}"
    );
}

#[test]
fn logs_tell_what_each_task_put_out() {
    let home = Home::with("build.flow.yaml", BUILD);
    let id = home.run("post build.flow.yaml").id();
    home.run("run --until-empty").exits(0);
    let mut lines: Vec<String> = home
        .run(&format!("logs {id}"))
        .exits(0)
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "compile │ compiled",
            "docs │ careful",
            "docs │ written",
            "pack │ compiled and packed"
        ]
    );
    assert_eq!(
        home.run(&format!("logs {id} pack -f")).exits(0).stdout,
        "compiled and packed\n"
    );
    insta::assert_snapshot!(home.run(&format!("logs {id} pakc")).text(), @r"
    exit 2
    -- err
    error: the job has no task `pakc`
      = help: did you mean `pack`?
    ");
}

#[test]
fn a_key_posts_once() {
    let home = Home::with("build.flow.yaml", BUILD);
    let first = home.run("post build.flow.yaml --key nightly").id();
    let second = home.run("post build.flow.yaml --key nightly");
    let told = &second.stderr;
    assert!(
        told.starts_with("posted before with the key `nightly`\n`jobrunner show "),
        "{told}"
    );
    assert_eq!(second.id(), first);
    assert_ne!(home.run("post build.flow.yaml --key other").id(), first);
}

#[test]
fn a_job_is_named_by_the_beginning_of_its_id() {
    let home = Home::with("build.flow.yaml", BUILD);
    let ids = [
        home.run("post build.flow.yaml").id(),
        home.run("post build.flow.yaml").id(),
    ];
    for id in &ids {
        home.run(&format!("show {}", id.to_uppercase())).exits(0);
        home.run(&format!("show {}", id.replace('-', ""))).exits(0);
    }
    insta::assert_snapshot!(home.run(&format!("show {}", &ids[0][..4])).exits(2).text(), @r"
    exit 2
    -- err
    error: several jobs' ids begin with `01a2`
      = help: [id]  build  PENDING
      = help: [id]  build  PENDING
    ");
    insta::assert_snapshot!(home.run("show ffff").exits(2).text(), @r"
    exit 2
    -- err
    error: no job's id begins with `ffff`
      = help: the latest jobs are [id] (build), [id] (build)
      = help: `jobrunner show --all` lists them all
    ");
    insta::assert_snapshot!(home.run("cancel build").exits(2).text(), @r"
    exit 2
    -- err
    error: `build` is not the id of a job
      = help: the latest jobs are [id] (build), [id] (build)
      = help: `jobrunner show --all` lists them all
    ");
    // What `show` lists can be typed.
    for line in home.run("show").stdout.lines().skip(1) {
        let short = line.split_whitespace().nth(1).unwrap();
        home.run(&format!("show {short}")).exits(0);
    }
}

#[test]
fn what_is_asked_of_a_job_that_nobody_has_waits_for_a_conductor() {
    let home = Home::with("build.flow.yaml", BUILD);
    let id = home.run("post build.flow.yaml").id();
    let say = |what: &str| home.run(&format!("{what} {id}")).text();
    insta::assert_snapshot!(say("suspend --why later"), @r"
    exit 0
    -- out
    build is to be suspended: what runs is awaited, nothing new starts
    -- err
    no conductor has the job: the next one that looks carries it out, such as `jobrunner run --until-empty`
    ");
    insta::assert_snapshot!(home.run("show").text(), @r"
    exit 0
    -- out
    NAME   ID        STATE                     OWNER  AGE
    build  [id]  PENDING, to be suspended  -      [age]
    ");
    home.run("run --until-empty").exits(0);
    assert!(home.run("show").stdout.contains("SUSPENDED"));
    assert_eq!(home.run(&format!("suspend {id}")).code, Some(2));
    insta::assert_snapshot!(say("resume"), @r"
    exit 0
    -- out
    build is to go on
    -- err
    no conductor has the job: the next one that looks carries it out, such as `jobrunner run --until-empty`
    ");
    insta::assert_snapshot!(say("cancel"), @r"
    exit 0
    -- out
    build is to be undone
    -- err
    no conductor has the job: the next one that looks carries it out, such as `jobrunner run --until-empty`
    ");
    home.run("run --until-empty").exits(0);
    assert!(home.run("show --all").stdout.contains("REVERTED"));
    insta::assert_snapshot!(say("cancel"), @r"
    exit 2
    -- err
    error: `build` has ended already: REVERTED
      = help: an ended job stays ended; running it again is posting it again
    ");
    insta::assert_snapshot!(say("retry"), @r"
    exit 2
    -- err
    error: `build` has ended already: REVERTED
      = help: an ended job stays ended; running it again is posting it again
    ");
}

#[test]
fn what_is_stuck_is_decided_by_a_person() {
    let flow = "\
tasks:
  make: { shell: 'true', revert: 'test -e there' }
  fail: { needs: [make], shell: 'echo broken; exit 3' }
";
    let home = Home::with("stuck.flow.yaml", flow);
    let ran = home.run("run stuck.flow.yaml").exits(3);
    insta::assert_snapshot!(ran.text(), @r"
    exit 3
    -- out
    POSTED         stuck  [id]
    RUNNING        stuck
    RUNNING        make
    SUCCESS        make [took]
    RUNNING        fail
    FAILURE        fail [took]  exited with code 3
    REVERTING      stuck  `fail` failed: exited with code 3
    REVERTED       fail  nothing to undo
    REVERTING      make
    REVERT_FAILURE make  exited with code 1
    STUCK          stuck
    last output of fail:
      │ broken
    ! stuck is stuck: `fail` failed: exited with code 3
      REVERT_FAILURE make  exited with code 1
      what happened                         jobrunner show [id]
      try again what could not be undone    jobrunner retry [id]
      it has been undone by hand            jobrunner mark-reverted [id]
      leave it as it is, and end the job    jobrunner abandon [id]
    ");
    let shown = home.run("show").stdout;
    let id = shown
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    insta::assert_snapshot!(home.run(&format!("retry {id} mkae")).exits(2).text(), @r"
    exit 2
    -- err
    error: the job has no task `mkae`
      = help: did you mean `make`?
    ");
    insta::assert_snapshot!(home.run(&format!("retry {id} fail")).exits(2).text(), @r"
    exit 2
    -- err
    error: `fail` waits for no decision
      = help: `jobrunner show [id]` tells which tasks do
    ");
    home.run(&format!("retry {id} make")).exits(0);
    home.run("run --until-empty").exits(0);
    assert!(
        home.run("show").stdout.contains("STUCK"),
        "the file is still not there"
    );
    std::fs::write(home.path("there"), "").unwrap();
    home.run(&format!("retry {id}")).exits(0);
    home.run("run --until-empty").exits(0);
    assert!(home.run("show --all").stdout.contains("REVERTED"));
}

#[test]
fn show_tells_programs_everything() {
    let home = Home::with("build.flow.yaml", BUILD);
    let id = home.run("post build.flow.yaml").id();
    home.run("run --until-empty").exits(0);
    let json = |arguments: &str| -> serde_json::Value {
        serde_json::from_str(&home.run(arguments).exits(0).stdout).unwrap()
    };
    assert_eq!(
        json("show --format json")["jobs"].as_array().unwrap().len(),
        0
    );
    let listed = json("show --all --format json");
    assert_eq!(
        (&listed["version"], &listed["jobs"][0]["id"]),
        (&1.into(), &id.as_str().into())
    );
    let job = &json(&format!("show {id} --format json"))["jobs"][0];
    assert_eq!(job["state"], "SUCCESS");
    assert_eq!(job["tasks"][2]["name"], "pack");
    assert_eq!(job["tasks"][2]["state"], "SUCCESS");
    assert_eq!(job["tasks"][2]["attempt"], 1);
    assert!(job["steps"].as_array().unwrap().len() >= 8);
}

#[test]
fn graphs_and_trees_are_printed() {
    let home = Home::with("build.flow.yaml", BUILD);
    let dot = home.run("graph build.flow.yaml").exits(0).stdout;
    assert!(
        dot.starts_with("digraph") && dot.contains("compile") && dot.contains("what"),
        "{dot}"
    );
    let tree = home.run("post build.flow.yaml --hierarchy").exits(0).stdout;
    assert!(tree.contains("pack"), "{tree}");
    assert!(!home.has("data"), "nothing was posted");
    let id = home.run("post build.flow.yaml").id();
    assert!(
        home.run(&format!("graph {id}"))
            .exits(0)
            .stdout
            .starts_with("digraph")
    );
    home.run("graph buidl").exits(2);
}

#[test]
fn settings_come_from_flags_before_the_environment_before_the_file() {
    let home = Home::with("build.flow.yaml", BUILD)
        .and("in_file.yaml", "store: sqlite:in_file.db\nflows: more\n")
        .and("more/other.flow.yaml", BUILD);
    home.run("--config in_file.yaml post other").exits(0);
    assert!(home.has("in_file.db") && !home.has("data"));
    let home = home
        .set("JOBRUNNER_STORE", "sqlite:in_environment.db")
        .set("JOBRUNNER_CONFIG", "in_file.yaml");
    home.run("post other").exits(0);
    assert!(home.has("in_environment.db"));
    home.run("post other --store sqlite:by_flag.db --board sqlite:board.db")
        .exits(0);
    assert!(home.has("by_flag.db") && home.has("board.db"));
    assert_eq!(
        home.run("show --store sqlite:by_flag.db")
            .stdout
            .lines()
            .count(),
        2
    );
}

#[test]
fn jobs_that_ended_are_pruned_and_the_others_stay() {
    let home = Home::with("build.flow.yaml", BUILD);
    home.run("run build.flow.yaml").exits(0);
    let waiting = home.run("post build.flow.yaml").id();
    insta::assert_snapshot!(home.run("prune --older-than 1h").text(), @r"
    exit 0
    -- err
    0 jobs removed
    ");
    insta::assert_snapshot!(home.run("prune --older-than 0s --dry-run").text(), @r"
    exit 0
    -- out
    [id]  SUCCESS  [time]  build
    -- err
    1 job would be removed
    ");
    assert!(
        home.run("prune --older-than 0s")
            .exits(0)
            .stderr
            .contains("1 job removed")
    );
    let left = home.run("show --all --format json").exits(0).stdout;
    assert_eq!(left.matches("\"id\"").count(), 1, "{left}");
    assert!(left.contains(&waiting));
    let usage = home.run("prune --store sqlite:other.db").exits(2).stderr;
    let by_environment = Home::new().set("JOBRUNNER_STORE", "sqlite:other.db");
    assert_eq!(by_environment.run("prune").exits(2).stderr, usage);
    assert!(
        usage.contains("Usage: jobrunner prune [OPTIONS] --older-than <DURATION>"),
        "{usage}"
    );
    let refused = home.run("prune --older-than 30").exits(2).stderr;
    assert!(
        refused.contains("write a number with a unit, such as 30d"),
        "{refused}"
    );
}

#[test]
fn who_decides_has_a_name_where_the_environment_has_none() {
    let home = Home::with("build.flow.yaml", BUILD).set("USER", "");
    let id = home.run("post build.flow.yaml").id();
    home.run(&format!("cancel {id}")).exits(0);
    home.run("run --until-empty").exits(0);
    let name = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let name = String::from_utf8(name.stdout).unwrap();
    let shown = home.run(&format!("show {id}")).exits(0).stdout;
    assert!(shown.contains(&format!("by {}@", name.trim())), "{shown}");
}

#[test]
fn what_waits_for_an_answer_says_how_to_give_it() {
    let home = Home::with("ask.flow.yaml", "tasks: { release: { approve: 'Now?' } }");
    let id = home.run("post ask.flow.yaml").id();
    let conductor = home.start("run");
    let hint = format!("waits for `jobrunner approve {id} release`");
    home.until(&format!("show {id}"), &hint);
    home.run(&format!("approve {id} release")).exits(0);
    home.until(&format!("show {id}"), "SUCCESS        ask");
    conductor.terminate();
}
