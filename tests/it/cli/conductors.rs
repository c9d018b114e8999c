//! Conductors as people see them, and why a job is not run.

use super::Home;
use super::home::Ran;

/// What it said, whatever the widths of its columns.
fn squeezed(ran: &Ran) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = ran.text().lines().map(words).collect();
    lines.join("\n")
}

#[test]
fn conductors_are_listed_while_they_work() {
    let home = Home::with(
        "config/jobrunner/config.yaml",
        "labels: [fast]\ncapabilities: { has_gpu: 'exit 1' }\n",
    );
    insta::assert_snapshot!(home.run("conductors").text(), @r"
    exit 0
    -- out
    No conductor is at work. `jobrunner run` is one.
    ");
    let conductor = home.start("run --name anvil");
    home.until("conductors", "anvil");
    insta::assert_snapshot!(squeezed(&home.run("conductors")), @r"
    exit 0
    -- out
    NAME CONDUCTOR SINCE SEEN JOBS CAPABILITIES
    anvil anvil@[conductor] [age] ago [age] ago 0 of 64 label: fast, has_gpu
    ");
    assert!(
        home.run("conductors --format json")
            .exits(0)
            .stdout
            .contains(r#""gone": false"#)
    );
    assert_eq!(conductor.terminate(), Some(0));
    assert!(home.run("conductors").stdout.starts_with("No conductor"));
}

#[test]
fn a_job_that_nobody_can_run_says_what_each_conductor_lacks() {
    let home = Home::with(
        "a.flow.yaml",
        "capabilities: [{ label: fast }, { has_command: [sh, no-such-tool] }]\ntasks:\n  a: { sleep: 0s }\n",
    );
    let id = home.run("post a.flow.yaml").id();
    insta::assert_snapshot!(home.run(&format!("show --why {id}")).text(), @r"
    exit 0
    -- out
    a  [id]  PENDING
      asks for label: fast, has_command: [sh, no-such-tool]
      no conductor is at work: `jobrunner run` is one
    ");
    let conductor = home.start("run --name anvil");
    home.until(&format!("show --why {id}"), "lacks");
    insta::assert_snapshot!(squeezed(&home.run(&format!("show --why {id}"))), @r"
    exit 0
    -- out
    a [id] PENDING
    asks for label: fast, has_command: [sh, no-such-tool]
    anvil anvil@[conductor] lacks label: fast
    ");
    let told = home.run("conductors --format json").exits(0).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        told["conductors"][0]["looked"],
        serde_json::json!([{
            "requires": [{ "label": "fast" }, { "has_command": ["sh", "no-such-tool"] }],
            "lacks": { "label": "fast" },
        }])
    );
    conductor.terminate();
    home.run(&format!("show --why {id} --watch")).exits(2);
    home.run("show --why").exits(2);
}
