//! What a program gives back, what it is given, and how it fails.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use jobrunner::model::FailureKind;
use jobrunner::ports::Stream;
use serde_json::json;

use super::{ended, lives};
use crate::calls::{call, conductor, shell};

#[tokio::test]
async fn a_result_is_what_was_printed_without_its_last_newline() {
    let conductor = conductor();
    let result = conductor.exec(&["printf", "a\\nb\\n\\n"]).await.unwrap();
    assert_eq!(
        result,
        json!({"stdout": "a\nb\n", "exit_code": 0, "truncated": false})
    );
    let result = conductor.exec(&["printf", "a\\377"]).await.unwrap();
    assert_eq!(result["stdout"], "a\u{fffd}");
}

#[tokio::test]
async fn a_code_and_a_signal_are_failures_of_their_own() {
    let conductor = conductor();
    let failure = conductor.shell("exit 3").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(failure.exit_code, Some(3));
    assert_eq!(failure.message, "exited with code 3");

    let failure = conductor.shell("kill -SEGV $$").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Signal);
    assert_eq!(failure.message, "ended by SIGSEGV");
}

#[tokio::test]
async fn scripts_stop_at_the_first_failure_and_at_unset_names() {
    let conductor = conductor();
    let failure = conductor.shell("false; echo no").await.unwrap_err();
    assert_eq!(failure.exit_code, Some(1));
    let failure = conductor.shell("echo $no_such_name").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
}

#[tokio::test]
async fn json_is_read_if_asked_for() {
    let conductor = conductor();
    let run = async |text: &str| {
        let (call, _) = call(json!({"argv": ["printf", "%s", text], "json": true}));
        conductor.execute("exec", call).await
    };
    let result = run(r#"{"a": [1, 2]}"#).await.unwrap();
    assert_eq!(result["json"], json!({"a": [1, 2]}));
    let failure = run("nothing").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Result);

    let (call, _) = call(json!({"argv": ["head", "-c", "2000000", "/dev/zero"], "json": true}));
    let failure = conductor.execute("exec", call).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn a_child_knows_its_task_and_gets_its_values_as_they_are() {
    let conductor = conductor();
    let value = "a\"; touch pwned; $(touch pwned) 'b\n";
    let (call, _) = call(json!({
        "script": {
            "script": "printf '%s|' \"$JOBRUNNER_KEY\" $JOBRUNNER_EPOCH $JOBRUNNER_JOB $JOBRUNNER_TASK \
                       $JOBRUNNER_ATTEMPT \"$JOBRUNNER_CONDUCTOR\" \"$OWN\" \"$JR_1\"; pwd",
            "vars": {"JR_1": value},
        },
        "env": {"OWN": "mine"},
        "dir": "/",
    }));
    let (key, job) = (call.key.clone(), call.job);
    let result = conductor.execute("shell", call).await.unwrap();
    assert_eq!(
        result["stdout"],
        format!(
            "{key}|7|{job}|build.compile|2|{}|mine|{value}|/",
            conductor.mark
        )
    );
}

#[tokio::test]
async fn there_is_nothing_to_read_on_standard_input() {
    let result = conductor().exec(&["cat"]).await.unwrap();
    assert_eq!(result["stdout"], "");
}

#[tokio::test]
async fn what_is_given_can_be_read_on_standard_input() {
    let conductor = conductor();
    // More than a pipe or a variable holds.
    let text = "a \"b\"\n".repeat(40_000);
    let (exec, _) = call(json!({ "argv": ["wc", "-c"], "stdin": text }));
    let result = conductor.execute("exec", exec).await.unwrap();
    assert_eq!(result["stdout"], "240000");
    let mut spec = shell("read -r line; echo \"<$line>\"; cat");
    spec["stdin"] = json!("one\ntwo\n");
    let (shell, _) = call(spec);
    let result = conductor.execute("shell", shell).await.unwrap();
    assert_eq!(result["stdout"], "<one>\ntwo");
    // Nobody need read it.
    let (exec, _) = call(json!({ "argv": ["true"], "stdin": text }));
    conductor.execute("exec", exec).await.unwrap();
}

#[tokio::test]
async fn other_interpreters_run_scripts_too() {
    let conductor = conductor();
    let cases = [
        (json!("python3"), "print(6 * 7)"),
        (json!(["python3", "-c"]), "print(6 * 7)"),
        (json!(["perl", "-w"]), "print 6 * 7"),
        (
            json!(["bash", "-euo", "pipefail"]),
            "a=(6 7); echo $((a[0] * a[1]))",
        ),
        // Not known to take a script as an argument: it gets a file.
        (json!(["nice", "python3"]), "print(6 * 7)"),
        (json!(["bash -u"]), "a=(6 7); echo $((a[0] * a[1]))"),
        (json!("/usr/bin/env python3"), "print(6 * 7)"),
    ];
    for (interpreter, script) in cases {
        let mut spec = shell(script);
        spec["interpreter"] = interpreter.clone();
        let (call, _) = call(spec);
        let result = conductor.execute("shell", call).await;
        assert_eq!(result.unwrap()["stdout"], "42", "{interpreter}");
    }
}

#[tokio::test]
async fn output_comes_while_the_task_runs() {
    let folder = tempfile::tempdir().unwrap();
    let conductor = conductor();
    let mut spec =
        shell("echo first; echo aside >&2; while [ ! -e go ]; do sleep 0.01; done; echo second");
    spec["dir"] = json!(folder.path());
    let (call, log) = call(spec);
    let watch = async {
        let lines = log.lines(1).await;
        assert_eq!(lines, ["first"]);
        std::fs::write(folder.path().join("go"), "").unwrap();
    };
    let (result, ()) = tokio::join!(conductor.execute("shell", call), watch);
    assert_eq!(result.unwrap()["stdout"], "first\nsecond");
    assert_eq!(log.text(Stream::Stderr), "aside\n");
}

#[tokio::test]
async fn a_flood_of_output_is_passed_on_and_only_its_beginning_kept() {
    let conductor = conductor();
    let size = 256 * 1024 * 1024_u64;
    let (call, log) = call(json!({"argv": ["head", "-c", size.to_string(), "/dev/zero"]}));
    let result = conductor.execute("exec", call).await.unwrap();
    assert_eq!(result["truncated"], true);
    assert!(result["stdout"].as_str().unwrap().len() > 100_000);
    assert!(
        result.to_string().len() <= 1024 * 1024,
        "it would be too large to be stored"
    );
    assert_eq!(log.bytes(), size);
}

#[tokio::test]
async fn what_is_too_long_for_the_kernel_is_named() {
    let conductor = conductor();
    let long = "x".repeat(200 * 1024);
    let (with_env, _) = call(json!({"argv": ["true"], "env": {"BIG": long}}));
    let (with_var, _) = call(json!({"script": {"script": "true", "vars": {"JR_1": long}}}));
    let (with_argument, _) = call(json!({"argv": ["true", "a", long]}));
    for (kind, call, name) in [
        ("exec", with_env, "`BIG`"),
        ("shell", with_var, "`JR_1`"),
        ("exec", with_argument, "argument 2 of `true`"),
    ] {
        let failure = conductor.execute(kind, call).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::TooLarge);
        assert!(failure.message.contains(name), "{}", failure.message);
    }
    let mut words = vec!["true".to_owned()];
    words.extend(vec!["x".repeat(100 * 1024); 40]);
    let (together, _) = call(json!({ "argv": words }));
    let failure = conductor.execute("exec", together).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn large_values_and_long_scripts_reach_the_program() {
    let conductor = conductor();
    let value = "y".repeat(100 * 1024);
    let (with_var, _) = call(json!({
        "script": {"script": "printf %s \"$JR_1\"", "vars": {"JR_1": value}},
    }));
    let result = conductor.execute("shell", with_var).await.unwrap();
    assert_eq!(result["stdout"], value);

    let script = format!(": {}\nsed -n '$=' \"$0\"", "z\n: ".repeat(100_000));
    let result = conductor.shell(&script).await.unwrap();
    assert_eq!(result["stdout"], "100002");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter -x\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();

    let conductor = conductor();
    let cases = [
        (
            json!({"argv": ["no_such_tool"]}),
            FailureKind::MissingTool,
            "`no_such_tool` is not there: looked for it in `PATH`, /",
        ),
        (
            json!({"argv": ["./no_such_tool"], "dir": folder.path()}),
            FailureKind::MissingTool,
            "/no_such_tool`",
        ),
        (
            json!({"argv": ["./script"], "dir": folder.path()}),
            FailureKind::MissingTool,
            "`./script` needs `/no/such/interpreter`",
        ),
        (
            json!({"argv": ["./plain"], "dir": folder.path()}),
            FailureKind::System,
            "is not executable",
        ),
        (
            json!({"argv": ["plain"], "env": {"PATH": folder.path()}}),
            FailureKind::System,
            "is not executable",
        ),
        (
            json!({"argv": ["true"], "dir": "/no/such/folder"}),
            FailureKind::System,
            "the folder `/no/such/folder` is not there",
        ),
        (
            json!({"argv": ["true"], "dir": plain}),
            FailureKind::System,
            "is not a folder",
        ),
        (
            json!({"argv": ["true", "a\0b"]}),
            FailureKind::System,
            "argument 1 of `true` holds a zero byte",
        ),
        (
            json!({"argv": ["true"], "env": {"A=B": "c"}}),
            FailureKind::System,
            "`A=B`",
        ),
        (json!({"argv": []}), FailureKind::System, "no program"),
    ];
    for (spec, kind, text) in cases {
        let (call, _) = call(spec.clone());
        let failure = conductor.execute("exec", call).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{spec}: {failure}");
        assert!(failure.message.contains(text), "{spec}: {failure}");
    }
}

#[tokio::test]
async fn a_program_is_found_from_the_folder_that_it_runs_in() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("tool");
    std::fs::write(&script, "#!/bin/sh\necho found\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let conductor = conductor();
    let (call, _) = call(json!({"argv": ["./tool"], "dir": folder.path()}));
    let result = conductor.execute("exec", call).await.unwrap();
    assert_eq!(result["stdout"], "found");
}

#[tokio::test]
async fn a_child_inherits_no_file_of_the_conductor() {
    let conductor = conductor();
    conductor.exec(&["true"]).await.unwrap();
    let _open = tempfile::tempfile().unwrap();
    let inherited = std::fs::read_dir("/proc/self/fdinfo")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let info = std::fs::read_to_string(entry.path()).ok()?;
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
            let closes = i64::from_str_radix(flags.trim(), 8).ok()? & 0o2_000_000 != 0;
            (!closes).then(|| entry.file_name().to_string_lossy().into_owned())
        });
    let mut expected: BTreeSet<String> = inherited.collect();
    expected.extend(["0", "1", "2"].map(str::to_owned));
    // `ls` itself has the folder open.
    let result = conductor.exec(&["ls", "/proc/self/fd"]).await.unwrap();
    let found: BTreeSet<String> = result["stdout"]
        .as_str()
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        found.difference(&expected).count(),
        1,
        "{found:?} {expected:?}"
    );
}

#[tokio::test]
async fn a_background_process_holds_up_neither_its_task_nor_itself() {
    let folder = tempfile::tempdir().unwrap();
    let conductor = conductor();
    let mut spec = shell(
        "(until [ -e go ]; do echo noise >&2; sleep 0.01; done; echo noise >&2; touch done) & echo $!",
    );
    spec["dir"] = json!(folder.path());
    let (call, log) = call(spec);
    let result = conductor.execute("shell", call).await.unwrap();
    let pid = result["stdout"].as_str().unwrap().parse().unwrap();
    assert!(log.text(Stream::Note).contains("left a process behind"));
    assert!(lives(pid));
    std::fs::write(folder.path().join("go"), "").unwrap();
    ended(pid).await;
    assert!(
        folder.path().join("done").exists(),
        "it was ended by a broken pipe"
    );
}

#[tokio::test]
async fn five_hundred_programs_side_by_side_all_end_well() {
    let conductor = conductor();
    let runs = (0..500).map(|n| {
        let conductor = &conductor;
        async move {
            let text = n.to_string();
            let result = conductor.exec(&["echo", &text]).await.unwrap();
            assert_eq!(result["stdout"], text);
        }
    });
    let mut all: futures_util::stream::FuturesUnordered<_> = runs.collect();
    while futures_util::StreamExt::next(&mut all).await.is_some() {}
}
