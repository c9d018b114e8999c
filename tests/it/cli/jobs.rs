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
    insta::assert_snapshot!(posted.text(), @"");
    insta::assert_snapshot!(home.run("show").text(), @"");
    insta::assert_snapshot!(home.run(&format!("show {}", &id[..13])).text(), @"");
    home.run("run --until-empty").exits(0);
    insta::assert_snapshot!(home.run("show").text(), @"");
    insta::assert_snapshot!(home.run("show --all").text(), @"");
    let text = home.run(&format!("show {id}")).exits(0).text();
    let tasks: String = text.split("steps").next().unwrap().into();
    insta::assert_snapshot!(tasks, @"");
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
    insta::assert_snapshot!(home.run(&format!("logs {id} pakc")).text(), @"");
}

#[test]
fn a_key_posts_once() {
    let home = Home::with("build.flow.yaml", BUILD);
    let first = home.run("post build.flow.yaml --key nightly").id();
    let second = home.run("post build.flow.yaml --key nightly");
    assert!(
        second
            .stderr
            .contains("posted before with the key `nightly`")
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
    insta::assert_snapshot!(home.run(&format!("show {}", &ids[0][..4])).exits(2).text(), @"");
    insta::assert_snapshot!(home.run("show ffff").exits(2).text(), @"");
    insta::assert_snapshot!(home.run("cancel build").exits(2).text(), @"");
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
    insta::assert_snapshot!(say("suspend --why later"), @"");
    insta::assert_snapshot!(home.run("show").text(), @"");
    home.run("run --until-empty").exits(0);
    assert!(home.run("show").stdout.contains("SUSPENDED"));
    assert_eq!(home.run(&format!("suspend {id}")).code, Some(2));
    insta::assert_snapshot!(say("resume"), @"");
    insta::assert_snapshot!(say("cancel"), @"");
    home.run("run --until-empty").exits(0);
    assert!(home.run("show --all").stdout.contains("REVERTED"));
    insta::assert_snapshot!(say("cancel"), @"");
    insta::assert_snapshot!(say("retry"), @"");
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
    insta::assert_snapshot!(ran.text(), @"");
    let shown = home.run("show").stdout;
    let id = shown
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    insta::assert_snapshot!(home.run(&format!("retry {id} mkae")).exits(2).text(), @"");
    insta::assert_snapshot!(home.run(&format!("retry {id} fail")).exits(2).text(), @"");
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
