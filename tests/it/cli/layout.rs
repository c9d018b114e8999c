//! `fmt` and `convert`, with real files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use super::Home;

const CROOKED: &str = "tasks:\n    a: {shell: 'x'} # c\n";
const STRAIGHT: &str = "tasks:\n  a: { shell: x } # c\n";

#[test]
fn files_are_laid_out_in_their_place() {
    let home = Home::with("a.flow.yaml", CROOKED)
        .and("b.flow.yaml", STRAIGHT)
        .and("sub/tasks/k.task.yaml", "task:  k\nexecute: { shell: x }\n")
        .and("sub/c.flow", "flow { task a { shell = \"x\" } }\n")
        .and("sub/notes.yaml", "a:   1\n")
        .and(".hidden/d.flow.yaml", CROOKED);
    let ran = home.run("fmt --check .").exits(1);
    assert_eq!(
        ran.stdout,
        "./a.flow.yaml\n./sub/c.flow\n./sub/tasks/k.task.yaml\n"
    );
    assert_eq!(
        fs::read_to_string(home.path("a.flow.yaml")).unwrap(),
        CROOKED
    );
    let ran = home.run("fmt .").exits(0);
    assert_eq!(
        ran.stdout,
        "./a.flow.yaml\n./sub/c.flow\n./sub/tasks/k.task.yaml\n"
    );
    assert_eq!(
        fs::read_to_string(home.path("a.flow.yaml")).unwrap(),
        STRAIGHT
    );
    let text = fs::read_to_string(home.path("sub/c.flow")).unwrap();
    assert_eq!(text, "flow {\n  task a { shell = \"x\" }\n}\n");
    assert_eq!(
        fs::read_to_string(home.path("sub/notes.yaml")).unwrap(),
        "a:   1\n"
    );
    assert_eq!(
        fs::read_to_string(home.path(".hidden/d.flow.yaml")).unwrap(),
        CROOKED
    );
    home.run("fmt --check .").exits(0);
    home.run("fmt sub/notes.yaml").exits(0);
    assert_eq!(
        fs::read_to_string(home.path("sub/notes.yaml")).unwrap(),
        "a: 1\n"
    );
    // Nothing but the files is left behind.
    assert_eq!(fs::read_dir(home.path("sub")).unwrap().count(), 3);
}

#[test]
fn a_difference_is_printed_and_nothing_written() {
    let home = Home::with("a.flow.yaml", CROOKED);
    let ran = home.run("fmt --diff a.flow.yaml").exits(0);
    assert_eq!(
        ran.stdout,
        "--- a.flow.yaml\n+++ a.flow.yaml (formatted)\n@@ -1,2 +1,2 @@\n tasks:\n-    a: {shell: 'x'} # c\n+  a: { shell: x } # c\n"
    );
    home.run("fmt --diff --check a.flow.yaml").exits(1);
    assert_eq!(
        fs::read_to_string(home.path("a.flow.yaml")).unwrap(),
        CROOKED
    );
}

#[test]
fn what_cannot_be_read_stays_as_it_is_and_the_others_do_not() {
    let broken = "tasks:\n    a: {shell: 'x\n";
    let home = Home::with("a.flow.yaml", broken)
        .and("b.flow.yaml", CROOKED)
        .and("c.flow", "flow { a = }\n")
        .and("d.flow.yaml", [0xff, 0xfe])
        .and("e.flow.yaml", "a: b\n---\nc: d\n");
    let ran = home
        .run("fmt a.flow.yaml missing.flow.yaml c.flow d.flow.yaml e.flow.yaml b.flow.yaml")
        .exits(2);
    for code in [
        "unclosed-quote",
        "missing-value",
        "not-utf8",
        "several-documents",
        "there is no file",
    ] {
        assert!(ran.stderr.contains(code), "{code}: {}", ran.stderr);
    }
    assert_eq!(ran.stdout, "b.flow.yaml\n");
    assert_eq!(
        fs::read_to_string(home.path("a.flow.yaml")).unwrap(),
        broken
    );
    assert_eq!(
        fs::read_to_string(home.path("b.flow.yaml")).unwrap(),
        STRAIGHT
    );
}

#[test]
fn links_stay_links_and_permissions_stay() {
    let home = Home::with("real/a.flow.yaml", CROOKED);
    let real = home.path("real/a.flow.yaml");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/a.flow.yaml", home.path("link.flow.yaml")).unwrap();
    home.run("fmt link.flow.yaml").exits(0);
    assert_eq!(fs::read_to_string(&real).unwrap(), STRAIGHT);
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert!(
        fs::symlink_metadata(home.path("link.flow.yaml"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(fs::read_dir(home.path("real")).unwrap().count(), 1);
}

/// What the program prints when it is given a text by standard input, and how it ends.
fn piped(home: &Home, arguments: &str, text: &str) -> (String, Option<i32>) {
    let mut child = home
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

#[test]
fn standard_input_goes_to_standard_output() {
    let home = Home::new();
    let text = "# c\nflow { task a { shell = \"x\" } }\n";
    let laid_out = "# c\nflow {\n  task a { shell = \"x\" }\n}\n";
    assert_eq!(
        piped(&home, "fmt -", CROOKED),
        (STRAIGHT.to_owned(), Some(0))
    );
    assert_eq!(piped(&home, "fmt -", text), (laid_out.to_owned(), Some(0)));
    assert_eq!(piped(&home, "fmt --notation text -", text).0, laid_out);
    // As YAML, it is one text.
    assert_eq!(piped(&home, "fmt --notation yaml -", text).0, text);
    assert_eq!(
        piped(&home, "fmt --check -", CROOKED),
        ("stdin.flow.yaml\n".to_owned(), Some(1))
    );
    let ok = |notation: &str| (format!("stdin.flow{notation}: ok\n"), Some(0));
    assert_eq!(piped(&home, "check -", CROOKED), ok(".yaml"));
    assert_eq!(piped(&home, "check -", text), ok(""));
    assert_eq!(piped(&home, "check --notation text -", text), ok(""));
    assert_eq!(piped(&home, "check --notation yaml -", text).1, Some(2));
    let (told, _) = piped(&home, "check --format json --notation text -", CROOKED);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let problem = &told["flows"][0]["problems"][0];
    assert_eq!(problem["code"], "wrong-notation");
    assert_eq!(
        problem["help"],
        "leave `--notation` out: it is told by the text"
    );
    let wrong = "tasks: { a: { shel: x } }\n";
    let (told, code) = piped(&home, "check --format json -", wrong);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let problem = &told["flows"][0]["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["path"]),
        (&"unknown-key".into(), &"stdin.flow.yaml".into())
    );
    assert_eq!(code, Some(2));
    assert_eq!(
        piped(&home, "convert -", CROOKED).0,
        "flow {\n  task a { shell = \"x\" } # c\n}\n"
    );
    assert_eq!(
        piped(&home, "convert - --to yaml", text).0,
        "# c\ntasks:\n  a: { shell: x }\n"
    );
}

#[test]
fn a_flow_is_converted_there_and_back() {
    let yaml = "about: it # c\ntasks:\n  a: { shell: x }\n";
    let home = Home::with("a.flow.yaml", yaml);
    home.run("convert a.flow.yaml -o a.flow").exits(0);
    let text = fs::read_to_string(home.path("a.flow")).unwrap();
    assert_eq!(
        text,
        "flow {\n  about = \"it\" # c\n  task a { shell = \"x\" }\n}\n"
    );
    assert_eq!(home.run("convert a.flow").exits(0).stdout, yaml);
    assert_eq!(home.run("convert a.flow --to text").exits(0).stdout, text);
    home.run("check a.flow").exits(0);
}

#[test]
fn what_is_wrong_with_a_flow_is_wrong_in_both_notations_or_it_is_not_converted() {
    let home = Home::with("a.flow.yaml", "tasks:\n  a: { shel: x }\n")
        .and(
            "b.flow.yaml",
            "store: { a: \"text\" }\ntasks:\n  a: { shell: \"{{ a }}\" }\n",
        )
        .and("c.flow.yaml", "- a\n")
        .and("d.flow.yaml", "a: [\n");
    let ran = home.run("convert a.flow.yaml").exits(0);
    assert_eq!(ran.stdout, "flow {\n  task a { shel = \"x\" }\n}\n");
    assert!(
        ran.stderr.contains("jobrunner check a.flow.yaml"),
        "{}",
        ran.stderr
    );
    // In the text notation, it would be right.
    let ran = home.run("convert b.flow.yaml").exits(2);
    assert!(
        ran.stdout.is_empty() && ran.stderr.contains("unknown-type"),
        "{}",
        ran.stderr
    );
    let ran = home.run("convert c.flow.yaml").exits(2);
    assert!(ran.stderr.contains("no mapping"), "{}", ran.stderr);
    home.run("convert d.flow.yaml -o d.flow").exits(2);
    assert!(!home.has("d.flow"));
}
