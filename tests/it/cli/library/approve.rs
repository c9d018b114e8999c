//! `approve`: a task that asks a person, and the answers `approve` and `deny`.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use super::super::Home;

/// What is done before the question is undone if the answer is no.
const FLOW: &str = r#"
store: { version: { default: "1.2" } }
tasks:
  build: { shell: touch built, revert: rm -f built }
  release:
    needs: [build]
    approve: { message: "Release {{ version }} to production?", from: ops }
    provides: { who: by, why: reason, when: at }
  publish: { needs: [release], shell: "echo {{ who }}, {{ why }} > published" }
provides: [who, why, when]
"#;

/// A job of this flow whose question stands, and the conductor that has asked it.
fn asked(home: &Home) -> (String, super::super::home::Background) {
    let job = home.run("post f.flow.yaml").id();
    let conductor = home.start("run --max-tasks 1");
    home.until(&format!("show {job}"), "asks ops: Release 1.2");
    (job, conductor)
}

/// Returns when the job is in this state.
fn ends(home: &Home, job: &str, state: &str) {
    let started = Instant::now();
    while shown(home, job)["state"] != state {
        assert!(started.elapsed().as_secs() < 30, "not {state}");
    }
}

fn shown(home: &Home, job: &str) -> Value {
    let text = home.run(&format!("show {job} --format json")).exits(0);
    let all: Value = serde_json::from_str(&text.stdout).unwrap();
    all["jobs"][0].clone()
}

#[test]
fn an_approved_task_provides_who_approved_it_and_when() {
    let home = Home::with("f.flow.yaml", FLOW);
    let (job, conductor) = asked(&home);
    let text = home.run(&format!("show {job}")).exits(0).stdout;
    let short = &job[..8];
    assert!(
        text.contains("waits for an answer\n  release  asks ops: Release 1.2 to production?\n"),
        "{text}"
    );
    let next =
        format!("    jobrunner approve {short} release, or jobrunner deny {short} release\n");
    assert!(text.contains(&next), "{text}");
    assert_eq!(
        shown(&home, &job)["tasks"][1]["asks"],
        "asks ops: Release 1.2 to production?"
    );
    // What waits for a person takes no place: one is all that there is.
    let other = home.run("post hello").id();
    ends(&home, &other, "SUCCESS");

    home.run_with(&["approve", &job, "release", "--reason", "tested in staging"])
        .exits(0);
    ends(&home, &job, "SUCCESS");
    conductor.terminate();
    let published = fs::read_to_string(home.path("published")).unwrap();
    assert!(
        published.starts_with("tester@") && published.ends_with(", tested in staging\n"),
        "{published}"
    );
    let result = &shown(&home, &job)["tasks"][1]["result"];
    assert_eq!(result["reason"], "tested in staging");
    assert!(
        result["at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
}

#[test]
fn a_denied_task_fails_with_the_reason_and_everything_is_undone() {
    let home = Home::with("f.flow.yaml", FLOW);
    let (job, conductor) = asked(&home);
    assert!(home.has("built"));
    home.run_with(&[
        "deny",
        &job,
        "release",
        "--by",
        "Ada",
        "--reason",
        "not on a Friday",
    ])
    .exits(0);
    home.until(
        &format!("show {job}"),
        "because `release` failed: denied by Ada: not on a Friday",
    );
    ends(&home, &job, "REVERTED");
    conductor.terminate();
    assert!(!home.has("built") && !home.has("published"));
    assert_eq!(shown(&home, &job)["tasks"][1]["failure"]["kind"], "denied");
}

#[test]
fn an_answer_outlives_the_conductor_that_asked() {
    let home = Home::with("f.flow.yaml", FLOW).set("JOBRUNNER_LEASE_TTL", "1s");
    let (job, conductor) = asked(&home);
    // Killed: nobody is there when the answer is given.
    drop(conductor);
    let answer = format!("approve {job} release --by Ada");
    home.run(&answer).exits(0);
    let text = home.run(&format!("show {job}")).exits(0).stdout;
    assert!(
        text.contains("approved by Ada, not carried out yet"),
        "{text}"
    );
    let twice = home.run(&format!("deny {job} release")).exits(2).stderr;
    assert!(
        twice.contains("`release` has an answer already: approved by Ada"),
        "{twice}"
    );
    home.run("run --until-empty").exits(0);
    let job = shown(&home, &job);
    assert_eq!(job["state"], "SUCCESS");
    // It was asked once: waiting is not an attempt that could be cut off.
    assert_eq!(job["tasks"][1]["attempt"], 1);
    assert_eq!(job["tasks"][1]["result"]["by"], "Ada");
}

#[test]
fn a_question_goes_over_to_the_next_conductor() {
    let home = Home::with("f.flow.yaml", FLOW);
    let (job, conductor) = asked(&home);
    conductor.terminate();
    let text = home.run(&format!("show {job}")).exits(0).stdout;
    assert!(text.contains("asks ops: Release 1.2"), "{text}");
    let conductor = home.start("run");
    home.until(&format!("show {job}"), "owned by");
    home.run(&format!("approve {job} release")).exits(0);
    ends(&home, &job, "SUCCESS");
    conductor.terminate();
    assert_eq!(shown(&home, &job)["tasks"][1]["attempt"], 1);
}

#[test]
fn an_answer_to_what_does_not_wait_for_one_is_refused() {
    let home = Home::with("f.flow.yaml", FLOW);
    let job = home.run("post f.flow.yaml").id();
    let refused = |arguments: &str| home.run(arguments).exits(2).stderr;
    let early = refused(&format!("approve {job} release"));
    assert!(
        early.contains("`release` waits for no answer: it is PENDING"),
        "{early}"
    );
    let conductor = home.start("run");
    home.until(&format!("show {job}"), "asks ops: Release 1.2");
    let other = refused(&format!("deny {job} build"));
    assert!(
        other.contains("`build` waits for no answer: it is SUCCESS"),
        "{other}"
    );
    let unknown = refused(&format!("approve {job} relaese"));
    assert!(unknown.contains("did you mean `release`?"), "{unknown}");
    home.run(&format!("approve {job} release")).exits(0);
    ends(&home, &job, "SUCCESS");
    conductor.terminate();
    let late = refused(&format!("approve {job} release"));
    assert!(late.contains("`f` has ended already: SUCCESS"), "{late}");
}

#[test]
fn nobody_who_answers_in_time_is_a_failure_and_the_time_goes_on_without_a_conductor() {
    let flow = "tasks: { ask: { approve: 'Go on?', timeout: 1s } }\n";
    let home = Home::with("f.flow.yaml", flow);
    let job = home.run("post f.flow.yaml").id();
    let conductor = home.start("run");
    home.until(&format!("logs {job}"), "asks: Go on?");
    conductor.terminate();
    let started = Instant::now();
    let until = shown(&home, &job)["steps"][1]["until"].as_i64();
    assert!(until.is_some(), "the instant is in the checkpoint");
    home.run("run --until-empty").exits(0);
    assert!(started.elapsed().as_secs() < 30);
    let job = shown(&home, &job);
    assert_eq!(job["state"], "REVERTED");
    assert_eq!(job["tasks"][0]["failure"]["message"], "took longer than 1s");
    assert_eq!(job["tasks"][0]["attempt"], 1);
}

#[test]
fn a_question_is_withdrawn_when_the_flow_fails_elsewhere_or_is_cancelled() {
    let flow = "tasks: { ask: { approve: 'Go on?' }, other: { shell: 'until test -e fail; do sleep 0.02; done; exit 1' } }\n";
    let home = Home::with("f.flow.yaml", flow);
    let failing = home.run("post f.flow.yaml").id();
    let cancelled = home.run("post f.flow.yaml").id();
    let conductor = home.start("run");
    for job in [&failing, &cancelled] {
        home.until(&format!("logs {job}"), "asks: Go on?");
    }
    home.run(&format!("cancel {cancelled}")).exits(0);
    ends(&home, &cancelled, "REVERTED");
    fs::write(home.path("fail"), "").unwrap();
    ends(&home, &failing, "REVERTED");
    conductor.terminate();
}

#[test]
fn a_question_of_a_retry_is_asked_again_and_an_answer_is_to_one_question() {
    let flow = r#"
retry: { times: 3, as: time }
tasks:
  - { name: ask, approve: "Try {{ time }}?" }
  - { name: try, exec: [test, "{{ time }}", =, "2"] }
"#;
    let home = Home::with("f.flow.yaml", flow);
    let job = home.run("post f.flow.yaml").id();
    let conductor = home.start("run");
    for time in 1..=2 {
        home.until(&format!("show {job}"), &format!("asks: Try {time}?"));
        home.run(&format!("approve {job} ask")).exits(0);
    }
    ends(&home, &job, "SUCCESS");
    conductor.terminate();
    assert_eq!(shown(&home, &job)["tasks"][0]["attempt"], 2);
}

#[test]
fn a_secret_in_a_question_is_not_shown() {
    let flow = r#"
store: { token: { secret: true } }
tasks: { ask: { approve: "Use {{ token }}?" } }
"#;
    let home = Home::with("f.flow.yaml", flow).set("TOKEN", "hunter2hunter2");
    let job = home.run("post f.flow.yaml --secret token=env:TOKEN").id();
    let conductor = home.start("run");
    home.until(&format!("show {job}"), "asks: Use ***?");
    home.run(&format!("approve {job} ask")).exits(0);
    ends(&home, &job, "SUCCESS");
    conductor.terminate();
}
