//! Kinds that make and write files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{flow, left};
use crate::cli::Home;

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
