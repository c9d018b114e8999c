//! `rehearse`, as people and programs read it.

use super::Home;

const FLOW: &str = "\
about: Put a new version online
store:
  tell: { type: bool, default: true }
  token: { type: string, secret: true, from: env:NOWHERE }
tasks:
  fetch:
    retry: { times: 3, delay: 2s, backoff: 2 }
    shell: curl -o app.tar https://example.test/app.tar
    revert: rm -f app.tar
  sum:
    needs: [fetch]
    shell: sha256sum app.tar
    provides: digest
  release:
    needs: [sum]
    retry: { times: 2, delay: 5s }
    tasks:
      migrate: { shell: ./migrate up, revert: { shell: ./migrate down, retry: { times: 3 } } }
      seed: { needs: [migrate], when: digest != '', shell: ./seed }
      settle: { needs: [seed], sleep: 10s }
  pay:
    needs: [release]
    if_interrupted: pause
    shell: pay
    env: { TOKEN: '{{ token }}' }
    revert: refund
  tell:
    needs: [pay]
    when: tell
    allow_failure: true
    shell: echo done
";

fn home() -> Home {
    Home::with("deploy.flow.yaml", FLOW)
}

#[test]
fn the_table_tells_what_any_single_failure_leads_to() {
    let text = home().run("rehearse deploy.flow.yaml").exits(0).stdout;
    insta::assert_snapshot!(text, @r#"
    ! deploy: whatever fails, it is undone, but for what 3 of 7 tasks did  (30 plays)
      ✓ a task that fails for good: REVERTED for 6 tasks; SUCCESS for 1 task, where that is allowed
      ! nothing is written that undoes what these do: sum, release.seed, tell
      ! a revert that fails: STUCK at once for 2 of 3, until a person decides
      ! a conductor that dies: the flow ends in another way at 1 of 15 moments; 5 tasks may run twice

    TASK             IF IT FAILS  REVERT FAILS   CRASH       EFFECT  WHAT HAPPENS IF IT FAILS FOR GOOD
    fetch            REVERTED     STUCK          runs again  undone  3 tries in 6s; undoes fetch
    sum              REVERTED     -              runs again  stays   undoes fetch
    release.migrate  REVERTED     STUCK, 2 left  runs again  undone  2 tries of release in 5s; undoes
                                                                     release.migrate, fetch
    release.seed     REVERTED     -              runs again  stays   2 tries of release in 5s, each
                                                                     undoing release.migrate; undoes
                                                                     release.migrate, fetch
    release.settle   REVERTED     -              waits on    -       2 tries of release in 25s, each
                                                                     undoing release.migrate; undoes
                                                                     release.migrate, fetch
    pay              REVERTED     STUCK, 4 left  STUCK       undone  undoes pay, release.migrate, fetch
    tell             SUCCESS      -              runs again  stays   goes on without it

    If all goes well (SUCCESS, waiting for 10s)
      fetch → sum → release.migrate → release.seed → release.settle → pay → tell

    If the conductor dies
      going forward, after any of 8 commits: ends SUCCESS, except
        run twice: fetch, sum, release.migrate, release.seed, tell
        after commit 6 while pay runs: STUCK
      being undone, after any of 7 commits: ends REVERTED
        reverts run twice: fetch, release.migrate, pay
        what must not: `if_interrupted: revert` or `if_interrupted: pause`

    Nothing undoes these  write revert: …
      deploy.flow.yaml:10  sum           shell
      deploy.flow.yaml:19  release.seed  shell
      deploy.flow.yaml:27  tell          shell

    Reverts that are tried only once  write revert: { …, retry: { times: 3 } }
      deploy.flow.yaml:6   fetch  shell
      deploy.flow.yaml:21  pay    shell

    Taken for granted  for only results would tell
      deploy.flow.yaml:19  release.seed  `when: digest != ''` holds

    One play in detail: jobrunner rehearse deploy.flow.yaml --fail pay
    "#);
}

#[test]
fn one_play_is_told_transition_by_transition_and_as_a_tree() {
    let text = home()
        .run("rehearse deploy.flow.yaml --fail seed:1 --die-after 8")
        .exits(0)
        .stdout;
    insta::assert_snapshot!(text, @r#"
    deploy: `release.seed` fails in its first attempt, the conductor dies after commit 8  (nothing was run)

     1    0.0s  RUNNING        deploy
          0.0s  RUNNING        fetch
     2    0.0s  SUCCESS        fetch  0.0s
          0.0s  RUNNING        sum
     3    0.0s  SUCCESS        sum  0.0s
          0.0s  RUNNING        release.migrate
     4    0.0s  SUCCESS        release.migrate  0.0s
          0.0s  RUNNING        release.seed
     5    0.0s  FAILURE        release.seed  0.0s  made to fail in this rehearsal
          0.0s  RETRYING       release  first, it is undone
     6    0.0s  REVERTED       release.seed  nothing to undo
          0.0s  REVERTING      release.migrate
     7    0.0s  REVERTED       release.migrate  0.0s
          0.0s  RETRYING       release  attempt 2 of 2 in 5.0s
          0.0s  PENDING        release.migrate  put back for another try
          0.0s  PENDING        release.seed  put back for another try
     8    5.0s  RETRYING       release  try 2 with 2
          5.0s  RUNNING        release.migrate  attempt 2
        ── the conductor dies; another one takes the flow up ──
     9    5.0s  RUNNING        release.migrate  attempt 3
    10    5.0s  SUCCESS        release.migrate  0.0s
          5.0s  RUNNING        release.seed  attempt 2
    11    5.0s  SUCCESS        release.seed  0.0s
          5.0s  RUNNING        release.settle
    12   15.0s  SUCCESS        release.settle  10.0s
         15.0s  RUNNING        pay
    13   15.0s  SUCCESS        pay  0.0s
         15.0s  RUNNING        tell
    14   15.0s  SUCCESS        tell  0.0s
         15.0s  SUCCESS        deploy  15.0s

    ✓ deploy  rehearsed  SUCCESS  15.0s
      ✓ fetch      SUCCESS           0.0s
      ✓ sum        SUCCESS           0.0s
      ✓ release    SUCCESS                 3 of 3 done  attempt 2 of 2
        ✓ migrate  SUCCESS           0.0s  attempt 3
        ✓ seed     SUCCESS           0.0s  attempt 2
        ✓ settle   SUCCESS          10.0s
      ✓ pay        SUCCESS           0.0s
      ✓ tell       SUCCESS           0.0s
    "#);
}

#[test]
fn a_revert_that_fails_is_played_with_the_failure_that_leads_to_it() {
    let text = home()
        .run("rehearse deploy.flow.yaml --set tell=false --fail-revert fetch")
        .exits(0)
        .stdout;
    assert!(
        text.starts_with("deploy: `pay` fails whenever it runs, the revert of `fetch` fails"),
        "{text}"
    );
    assert!(text.contains("REVERT_FAILURE fetch"), "{text}");
    assert!(text.contains("STUCK          deploy"), "{text}");
}

#[test]
fn programs_get_every_list_in_full() {
    let home = Home::with(
        "two.flow.yaml",
        "tasks:\n  - { name: a, shell: echo a, revert: echo undo a }\n  - { name: b, shell: echo b }\n",
    );
    let text = home
        .run("rehearse two.flow.yaml --format json")
        .exits(0)
        .stdout;
    insta::assert_snapshot!(text, @r#"
    {
      "version": 1,
      "flow": "two",
      "success": {
        "end": "SUCCESS",
        "order": [
          [
            "a"
          ],
          [
            "b"
          ]
        ],
        "cause": null,
        "waits_ms": 0
      },
      "tasks": [
        {
          "task": "a",
          "kind": "shell",
          "place": {
            "path": "two.flow.yaml",
            "line": 2,
            "column": 13
          },
          "runs": true,
          "effect": "undone",
          "fails_once": {
            "end": "REVERTED",
            "executions": 1,
            "retried": [],
            "undone": [
              "a"
            ],
            "left": [],
            "stuck": [],
            "standing": [],
            "waits_ms": 0
          },
          "fails": {
            "end": "REVERTED",
            "executions": 1,
            "retried": [],
            "undone": [
              "a"
            ],
            "left": [],
            "stuck": [],
            "standing": [],
            "waits_ms": 0
          },
          "revert_fails": {
            "because_of": "b",
            "tries": 1,
            "ending": {
              "end": "STUCK",
              "executions": 1,
              "retried": [],
              "undone": [],
              "left": [
                "b"
              ],
              "stuck": [
                "a"
              ],
              "standing": [],
              "waits_ms": 0
            }
          },
          "conductor_dies": {
            "then": "runs_again",
            "beside": 0,
            "end": "SUCCESS",
            "undone": []
          }
        },
        {
          "task": "b",
          "kind": "shell",
          "place": {
            "path": "two.flow.yaml",
            "line": 3,
            "column": 13
          },
          "runs": true,
          "effect": "left",
          "fails_once": {
            "end": "REVERTED",
            "executions": 1,
            "retried": [],
            "undone": [
              "a"
            ],
            "left": [
              "b"
            ],
            "stuck": [],
            "standing": [],
            "waits_ms": 0
          },
          "fails": {
            "end": "REVERTED",
            "executions": 1,
            "retried": [],
            "undone": [
              "a"
            ],
            "left": [
              "b"
            ],
            "stuck": [],
            "standing": [],
            "waits_ms": 0
          },
          "revert_fails": null,
          "conductor_dies": {
            "then": "runs_again",
            "beside": 0,
            "end": "SUCCESS",
            "undone": []
          }
        }
      ],
      "dies_forward": {
        "failing": null,
        "played": 3,
        "commits": 3,
        "end": "SUCCESS",
        "runs_twice": [
          {
            "task": "a",
            "phase": "execute"
          },
          {
            "task": "b",
            "phase": "execute"
          }
        ],
        "pauses": [],
        "fails": [],
        "otherwise": []
      },
      "dies_backward": {
        "failing": "b",
        "played": 3,
        "commits": 3,
        "end": "REVERTED",
        "runs_twice": [
          {
            "task": "a",
            "phase": "revert"
          }
        ],
        "pauses": [],
        "fails": [],
        "otherwise": []
      },
      "assumptions": [],
      "warnings": [
        {
          "code": "revert-tried-once",
          "task": "a",
          "place": {
            "path": "two.flow.yaml",
            "line": 2,
            "column": 13
          },
          "what": "a revert of `a` that fails once leaves the flow STUCK",
          "write": "revert: { …, retry: { times: 3 } }"
        },
        {
          "code": "effect-left",
          "task": "b",
          "place": {
            "path": "two.flow.yaml",
            "line": 3,
            "column": 13
          },
          "what": "nothing undoes what `b` (shell) does",
          "write": "revert: …"
        }
      ],
      "plays": 10,
      "sampled": null
    }
    "#);
    let play = home
        .run("rehearse two.flow.yaml --fail b --format json")
        .exits(0)
        .stdout;
    let play: serde_json::Value = serde_json::from_str(&play).unwrap();
    assert_eq!(play["version"], 1);
    assert_eq!(play["steps"].as_array().unwrap().len(), 5);
}

#[test]
fn what_is_asked_for_and_not_there_is_told_with_what_was_meant() {
    let home = home();
    for arguments in [
        "rehearse deploy.flow.yaml --fail migrat",
        "rehearse deploy.flow.yaml --fail release",
        "rehearse deploy.flow.yaml --fail pay:0",
        "rehearse deploy.flow.yaml --fail-revert seed",
        "rehearse deploy.flow.yaml --set tel=true",
        "rehearse deplo",
        "rehearse",
    ] {
        let ran = home.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments}: {}", ran.stdout);
    }
    let text = |arguments: &str| home.run(arguments).stderr;
    insta::assert_snapshot!(text("rehearse deploy.flow.yaml --fail release.migrat"), @r#"
    error: `deploy` has no task `release.migrat`
      = help: did you mean `release.migrate`?
    "#);
    insta::assert_snapshot!(text("rehearse deploy.flow.yaml --fail release"), @r#"
    error: `deploy` has no task `release`
      = help: it has `release.migrate`, `release.seed` and `release.settle`
    "#);
    insta::assert_snapshot!(text("rehearse deploy.flow.yaml --fail pay:0"), @r#"
    error: `--fail pay:0`: `0` is not a number of attempts
      = help: write the task, or the task, `:` and how many of its first attempts fail: --fail build:2
    "#);
    insta::assert_snapshot!(text("rehearse deploy.flow.yaml --fail-revert seed"), @r#"
    error: `release.seed` has no revert that could fail
      = help: write one: `revert: …` with what undoes it
    "#);
}

#[test]
fn the_command_for_one_play_can_be_typed_as_it_stands() {
    let flow = "\
store: { word: string, list: [a], token: { type: string, secret: true, from: env:NOWHERE } }
tasks:
  before: { shell: 'echo {{ word }}' }
  test:
    needs: [before]
    matrix: { toolchain: ['1.80', 'a:b'], with: [all, \"it's\"] }
    shell: 'echo {{ toolchain }} {{ with }} {{ list }} {{ token }}'
";
    let home = Home::with("a flow.flow.yaml", flow);
    let program = env!("CARGO_BIN_EXE_jobrunner");
    let typed = |line: &str| {
        let command = home.command("");
        let mut shell = std::process::Command::new("sh");
        let line = line.replacen("jobrunner", program, 1);
        shell
            .args(["-c", &line])
            .env_clear()
            .current_dir(home.path(""));
        let set = command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        shell.envs(
            set.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<Vec<_>>(),
        );
        let output = shell.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let given = "'a flow.flow.yaml' --word \"it's (a) \\$WORD\" --set 'list=[\"x y\"]' --secret token=env:OTHER";
    for first in [
        format!("rehearse {given}"),
        format!("-v rehearse --format text {given} --"),
    ] {
        let (code, told) = typed(&format!("jobrunner {first}"));
        assert_eq!(code, Some(0), "{told}");
        let last = told.lines().last().unwrap();
        let line = last
            .strip_prefix("One play in detail: ")
            .unwrap_or_else(|| panic!("{told}"));
        assert!(line.contains("--secret token=env:OTHER"), "{line}");
        assert!(line.contains("--fail 'test["), "{line}");
        let (code, play) = typed(line);
        assert_eq!(code, Some(0), "{line}\n{play}");
        assert!(play.contains("fails whenever it runs"), "{line}\n{play}");
    }
    // A colon in a name is no number of attempts.
    let (code, play) = typed(&format!(
        "jobrunner rehearse {given} --fail 'test[toolchain=a:b, with=all]'"
    ));
    assert_eq!(code, Some(0), "{play}");
    assert!(
        play.starts_with("a_flow: `test[toolchain=a:b, with=all]` fails whenever"),
        "{play}"
    );
}

#[test]
fn a_rehearsal_leaves_nothing_behind() {
    let home = home();
    home.run("rehearse deploy.flow.yaml").exits(0);
    home.run("rehearse hello").exits(0);
    assert!(!home.has("data") && !home.has("app.tar"));
}
