//! Kinds that make and write files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::cut::tree;
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

#[test]
fn file_write_refuses_a_folder() {
    let home = Home::with(
        "f.flow.yaml",
        &flow("{ file_write: { path: x, content: y } }"),
    );
    fs::create_dir(home.path("x")).unwrap();
    let ran = home.run("run f.flow.yaml").exits(1);
    assert!(ran.stdout.contains("x is a folder"), "{}", ran.text());
    assert_eq!(fs::read_dir(home.path("x")).unwrap().count(), 0);
}

#[test]
fn file_copy_copies_files_and_folders_whatever_they_are_called() {
    let task = r#"{ file_copy: { src: "{{ src }}", dest: "{{ dest }}" } }"#;
    let store = "store: { fail: false, src: path, dest: path }";
    let text = flow(task).replace("store: { fail: false }", store);
    let home = Home::with("f.flow.yaml", &text)
        .and("-a 'b\"/c d", "one")
        .and("e", "old");
    let odd = home.path("-a 'b\"/c d");
    fs::set_permissions(&odd, fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("c d", home.path("-a 'b\"/link")).unwrap();
    let before = tree(&home.path("-a 'b\""));
    let copy = |src: &str, dest: &str, fail: bool| {
        let (src, dest) = (format!("src={src}"), format!("dest={dest}"));
        let fail = format!("fail={fail}");
        home.run_with(&[
            "run",
            "f.flow.yaml",
            "--set",
            &src,
            "--set",
            &dest,
            "--set",
            &fail,
        ])
    };
    copy("-a 'b\"", "-x $y/", false).exits(0);
    assert_eq!(tree(&home.path("-x $y")), before);
    copy("-a 'b\"/c d", "e", true).exits(1);
    assert_eq!(fs::read_to_string(home.path("e")).unwrap(), "old");
    copy("-a 'b\"/c d", "e", false).exits(0);
    let mode = fs::metadata(home.path("e")).unwrap().permissions().mode();
    assert_eq!(
        (
            fs::read_to_string(home.path("e")).unwrap().as_str(),
            mode & 0o777
        ),
        ("one", 0o750)
    );
    copy("-a 'b\"", "new", true).exits(1);
    assert!(!home.has("new"), "there was nothing");
    for (src, dest, why) in [
        ("e", "-x $y", "-x $y is a folder"),
        ("-x $y", "e", "e is there already, and no folder"),
        ("none", "e", "there is no none"),
        (
            "-a 'b\"/c d",
            "-a 'b\"/../-a 'b\"/c d",
            "stands in what it would replace",
        ),
    ] {
        let ran = copy(src, dest, false).exits(1);
        assert!(ran.stdout.contains(why), "{}", ran.text());
    }
    assert_eq!(tree(&home.path("-a 'b\"")), before);
    assert_eq!(left(&home), 0, "what the tasks kept is gone");
}

#[test]
fn symlink_replaces_a_link_and_puts_it_back() {
    let task =
        r#"{ symlink: { path: "-l i'nk", target: "{{ target }}", replace: "{{ replace }}" } }"#;
    let store = "store: { fail: false, replace: false, target: path }";
    let text = flow(task).replace("store: { fail: false }", store);
    let home = Home::with("f.flow.yaml", &text).and("folder/file", "");
    let path = home.path("-l i'nk");
    let link = |target: &str, options: &str| {
        home.run(&format!("run f.flow.yaml --set target={target} {options}"))
    };
    let target = || fs::read_link(&path).unwrap().display().to_string();
    link("folder", "--fail true").exits(1);
    assert!(path.symlink_metadata().is_err());
    link("folder", "").exits(0);
    assert_eq!(target(), "folder");
    // Not into the folder that it leads to.
    link("-not'there", "--fail true").exits(1);
    assert_eq!(target(), "folder");
    link("-not'there", "").exits(0);
    assert_eq!(target(), "-not'there");
    assert_eq!(tree(&home.path("folder")).len(), 1);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "text").unwrap();
    let ran = link("folder", "").exits(1);
    assert!(
        ran.stdout.contains("is there already, and no link"),
        "{}",
        ran.text()
    );
    link("folder", "--replace true --fail true").exits(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    link("folder", "--replace true").exits(0);
    assert_eq!(target(), "folder");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    link("folder", "--replace true").exits(1);
    assert!(path.is_dir());
    assert_eq!(left(&home), 0, "what the tasks kept is gone");
}

#[test]
fn copies_and_links_tried_again_still_know_what_was_there_first() {
    let task = r#"
    retry: { times: 2, as: time }
    tasks:
      - { name: source, file_write: { path: source, content: "try {{ time }}" } }
      - { name: copy, file_copy: { src: source, dest: copy } }
      - { name: link, symlink: { path: link, target: "try{{ time }}" } }
      - { name: check, exec: [test, "{{ time }}", =, "2"] }"#;
    let home = Home::with("f.flow.yaml", &flow(task)).and("copy", "first");
    std::os::unix::fs::symlink("first", home.path("link")).unwrap();
    let seen = || {
        let copy = fs::read_to_string(home.path("copy")).unwrap();
        (
            copy,
            fs::read_link(home.path("link"))
                .unwrap()
                .display()
                .to_string(),
        )
    };
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert_eq!(seen(), ("first".to_owned(), "first".to_owned()));
    assert!(!home.has("source"));
    home.run("run f.flow.yaml").exits(0);
    assert_eq!(seen(), ("try 2".to_owned(), "try2".to_owned()));
}
