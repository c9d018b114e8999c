//! `run`: a flow here and now, and a conductor, with the signals that end them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use super::Home;

/// Waits for a line on standard output that holds `text`.
fn wait_for(child: &mut Child, text: &str) -> BufReader<std::process::ChildStdout> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    loop {
        let before = seen.len();
        assert!(
            lines.read_line(&mut seen).unwrap() > 0,
            "`{text}` never came:\n{seen}"
        );
        if seen[before..].contains(text) {
            return lines;
        }
    }
}

fn signal(child: &Child, name: &str) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let signal = match name {
        "INT" => rustix::process::Signal::INT,
        "TERM" => rustix::process::Signal::TERM,
        other => panic!("{other}"),
    };
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn hello_greets_and_its_second_attempt_succeeds() {
    let ran = Home::new().run("run hello --who you").exits(0);
    assert!(ran.stdout.contains("attempt 2"), "{}", ran.stdout);
    let end: Vec<&str> = ran.stdout.lines().rev().take(2).collect();
    assert!(end[0].contains("greeting: Hello, you!"), "{}", ran.stdout);
    assert!(end[1].contains("hello succeeded"), "{}", ran.stdout);
}

#[test]
fn hello_that_fails_undoes_everything_and_says_so() {
    let home = Home::new();
    let ran = home.run("run hello --set fail=true").exits(1);
    let text = ran.text();
    let end = text
        .lines()
        .skip_while(|line| !line.starts_with("last output"))
        .collect::<Vec<_>>()
        .join("\n");
    insta::assert_snapshot!(end, @r"
    last output of send:
      │ no stamps left
    undone: card, folder
    ✗ hello was reverted in [took]: `send` failed: exited with code 1
      all of its output                     jobrunner logs [id]
    ");
    let left: Vec<_> = std::fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["data"], "the folder that it made is gone");
}

#[test]
fn without_a_terminal_each_step_is_a_line() {
    let flow = "\
tasks:
  - name: try
    retry: { for_each: [a, b], as: what }
    exec: [test, '{{ what }}', =, b]
  - name: group
    tasks:
      inner: { shell: 'echo done' }
";
    let ran = Home::with("steps.flow.yaml", flow)
        .run("run steps.flow.yaml")
        .exits(0);
    insta::assert_snapshot!(ran.text(), @r"
    exit 0
    -- out
    POSTED         steps  [id]
    RUNNING        steps
    RUNNING        try  what=a
    FAILURE        try [took]  exited with code 1
    REVERTED       try  nothing to undo
    RETRYING       try  attempt 2
    RUNNING        try  attempt 2  what=b
    SUCCESS        try [took]
    RUNNING        group.inner
    SUCCESS        group.inner [took]
    SUCCESS        steps [took]
    ✓ steps succeeded in [took], 2 tasks done
    ");
}

#[test]
fn an_interrupt_cancels_and_everything_is_undone() {
    let flow = "\
tasks:
  made: { shell: 'echo x > made.txt', revert: 'rm made.txt' }
  hold: { needs: [made], exec: [sleep, '60'] }
";
    let home = Home::with("wait.flow.yaml", flow);
    let mut child = home
        .command("run wait.flow.yaml")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = wait_for(&mut child, "RUNNING        hold");
    assert!(home.has("made.txt"));
    signal(&child, "INT");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    assert!(rest.contains("REVERTED"), "{rest}");
    assert!(!home.has("made.txt"));
}

#[test]
fn a_second_interrupt_stops_at_once_and_the_job_can_be_gone_on_with() {
    let flow = "\
tasks:
  made: { shell: 'echo x > made.txt', revert: 'echo undoing; until test -e go; do sleep 0.05; done; rm made.txt' }
  hold: { needs: [made], exec: [sleep, '60'] }
";
    let home = Home::with("wait.flow.yaml", flow);
    let mut child = home
        .command("run wait.flow.yaml")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = wait_for(&mut child, "RUNNING        hold");
    signal(&child, "INT");
    child.stdout = Some(lines.into_inner());
    let mut lines = wait_for(&mut child, "REVERTING      made");
    signal(&child, "INT");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4), "{rest}");
    assert!(rest.contains("jobrunner run --until-empty"), "{rest}");
    assert!(home.has("made.txt"));
    std::fs::write(home.path("go"), "").unwrap();
    home.run("run --until-empty").exits(0);
    assert!(!home.has("made.txt"));
}

#[test]
fn a_conductor_that_is_told_to_stop_ends_well() {
    let home = Home::new();
    let mut child = home
        .command("run --log-format json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let told: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert!(told["level"].is_string(), "{first}");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn nobody_who_listens_is_no_reason_to_stop() {
    let flow = "tasks: { a: { shell: 'for i in 1 2 3; do echo $i; done; touch done.txt' } }\n";
    let home = Home::with("a.flow.yaml", flow);
    let mut child = home
        .command("run a.flow.yaml")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(home.has("done.txt"), "the job went on");
    for arguments in [
        "show --all",
        "show --all --format json",
        "graph hello",
        "post --help",
        "check hello",
    ] {
        let mut child = home
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments}");
        assert_eq!(output.status.code(), Some(0), "{arguments}");
    }
}

#[test]
fn values_are_never_code() {
    let name = "a\"; touch pwned; $(touch pwned) 'b";
    let home = Home::with(
        "greet.flow.yaml",
        "store: { name: string }\ntasks: { greet: { shell: 'echo {{ name }}', provides: said } }\nprovides: [said]\n",
    );
    let ran = home
        .run_with(&["run", "greet.flow.yaml", "--name", name])
        .exits(0);
    assert!(
        ran.stdout.ends_with(&format!("said: {name}\n")),
        "{}",
        ran.stdout
    );
    assert!(!home.has("pwned"));
}

/// The next line of a conductor's log that holds `text`.
fn told(log: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) -> String {
    log.map(|line| line.unwrap())
        .find(|line| line.contains(text))
        .unwrap_or_else(|| panic!("the log never told `{text}`"))
}

#[test]
fn a_conductor_told_twice_to_stop_while_it_reverts_leaves_the_rest_to_the_next() {
    let flow = "\
tasks:
  made:
    shell: echo x > made.txt
    revert: test -e go || { echo begun > pipe; sleep 60; }; rm made.txt
  fails: { needs: [made], exec: ['false'] }
";
    let home = Home::with("wait.flow.yaml", flow);
    let made = std::process::Command::new("mkfifo")
        .arg(home.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    home.run("post wait.flow.yaml").exits(0);
    let mut first = home
        .command("run --log-format json")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(first.stderr.take().unwrap()).lines();
    told(&mut log, "REVERTING");
    let begun = std::fs::read_to_string(home.path("pipe")).unwrap();
    assert_eq!(begun, "begun\n");
    signal(&first, "TERM");
    told(&mut log, "told to stop: handing over");
    signal(&first, "TERM");
    told(&mut log, "told to stop at once");
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert!(home.has("made.txt"), "the revert was cut off");
    let shown = home.run("show --all").exits(0);
    assert!(shown.stdout.contains("REVERTING"), "{}", shown.stdout);
    std::fs::write(home.path("go"), "").unwrap();
    home.run("run --until-empty").exits(0);
    assert!(!home.has("made.txt"));
    let shown = home.run("show --all").exits(0);
    assert!(shown.stdout.contains("REVERTED"), "{}", shown.stdout);
}

#[test]
fn copies_of_a_matrix_run_side_by_side_and_are_undone_one_by_one() {
    let flow = r#"
store: { regions: list<string>, broken: { default: "" } }
tasks:
  place:
    matrix: { region: "{{ regions }}", number: [1, 2] }
    max_parallel: 1
    shell: |
      echo made > {{ region }}{{ number }}
      test {{ broken }} != {{ region }}{{ number }}
      echo {{ region }}:{{ number }}
    provides: made
    revert: rm {{ region }}{{ number }}
  end: { shell: "echo \"{{ made }}\"", provides: all }
provides: [all, made]
"#;
    let home = Home::with("m.flow.yaml", flow);
    let ran = home.run("run m.flow.yaml --regions eu,us").exits(0);
    for text in [
        r#"all: ["eu:1","eu:2","us:1","us:2"]"#,
        r#"made: ["eu:1","eu:2","us:1","us:2"]"#,
        "SUCCESS        place[region=us, number=2]",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    assert!(home.has("eu1") && home.has("us2"));
    let ran = home
        .run("run m.flow.yaml --regions ap --broken ap2")
        .exits(1);
    assert!(
        ran.stdout.contains("`place[region=ap, number=2]` failed"),
        "{}",
        ran.text()
    );
    assert!(!home.has("ap1") && !home.has("ap2") && home.has("us1"));
}

#[test]
fn the_flows_path_counts_for_every_command_that_names_a_flow() {
    let home = Home::with("lib/foo.flow.yaml", "tasks: { a: { shell: ':' } }\n");
    let commands = [
        "check",
        "graph",
        "rehearse",
        "post",
        "run",
        "post --hierarchy",
    ];
    for command in commands {
        home.run(&format!("--flows lib {command} foo")).exits(0);
        home.run(&format!("{command} --flows lib foo")).exits(0);
        home.run(&format!("{command} foo --flows lib")).exits(0);
        home.run(&format!("{command} foo")).exits(2);
    }
    let home = home.set("JOBRUNNER_FLOWS", "lib");
    for command in commands {
        home.run(&format!("{command} foo")).exits(0);
    }
}

#[test]
fn what_cannot_be_worked_out_is_told_in_the_words_of_its_author_and_with_its_place() {
    let flow = "store: { n: 1 }\ntasks:\n  a: { shell: echo one, provides: m }\n  d:\n    needs: [a]\n    shell: |\n      echo {{ m }}\n      echo {{ m + n }}\n";
    let home = Home::with("r.flow.yaml", flow);
    let told = home.run("run r.flow.yaml").exits(1).stdout;
    assert!(
        told.contains("`m + n`: text and a number cannot be added: text is joined with `~`, numbers are added\n"),
        "{told}"
    );
    assert!(
        told.contains("  where it is written                   r.flow.yaml:8:15\n"),
        "{told}"
    );
    // A condition likewise.
    let home = Home::with(
        "r.flow.yaml",
        "tasks:\n  a: { shell: echo one, provides: m }\n  d: { when: m | int > 1, shell: 'echo {{ m }}' }\n",
    );
    let told = home.run("run r.flow.yaml").exits(1).stdout;
    assert!(
        told.contains(
            "the condition cannot be told: `m | int > 1`: in `int`, the text is not a number"
        ),
        "{told}"
    );
    assert!(told.contains("r.flow.yaml:3:14\n"), "{told}");
}
