//! Tasks that are cut off at any point: what they did is undone, or they are done again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::flow;
use crate::cli::Home;

/// What scripts change something with.
const TOOLS: [&str; 10] = [
    "chmod", "cp", "git", "ln", "mkdir", "mv", "rm", "rmdir", "rsync", "tar",
];

/// Does what the tool does that it is called like; the call with the number `$CUT_AT` then fails, or hangs.
const TOOL: &str = r#"#!/bin/sh
PATH=${PATH#*:}
"${0##*/}" "$@" || exit
calls=0
[ ! -e "$HOME/calls" ] || read -r calls < "$HOME/calls"
calls=$((calls + 1))
echo $calls > "$HOME/calls"
[ $calls = "$CUT_AT" ] || exit 0
[ -z "$HANG" ] || { : > "$HOME/hangs"; exec sleep 600; }
exit 9
"#;

/// A home in which the call of a tool with this number is the last of its script.
fn frail(task: &str, at: usize, hang: bool) -> Home {
    let mut home = Home::with("f.flow.yaml", &flow(task));
    for tool in TOOLS {
        home = home.and(&format!("bin/{tool}"), TOOL);
        let tool = home.path(&format!("bin/{tool}"));
        fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", home.path("bin").display());
    home.set("PATH", &path)
        .set("CUT_AT", &at.to_string())
        .set("HANG", if hang { "yes" } else { "" })
}

/// Everything in a folder: what it is, its mode, what it holds.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder_) = open.pop() {
        for entry in fs::read_dir(&folder_).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let what = if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if meta.is_dir() {
                open.push(path.clone());
                format!("{:o}", meta.permissions().mode())
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                format!("{:o} {text}", meta.permissions().mode())
            };
            let name = path.strip_prefix(folder).unwrap();
            found.insert(name.to_string_lossy().into_owned(), what);
        }
    }
    found
}

/// The task is cut off after each of its steps in turn (or each second, or third), those that undo it too. What is in
/// `w` is then as before.
fn is_undone_wherever_it_is_cut_off(task: &str, each: usize, prepare: impl Fn(&Home)) {
    for at in (1..).step_by(each) {
        let home = frail(task, at, false);
        fs::create_dir(home.path("w")).unwrap();
        prepare(&home);
        let before = tree(&home.path("w"));
        let ran = home.run("run f.flow.yaml --set fail=true");
        if ran.code == Some(3) {
            let job = ran.stdout.split_whitespace().nth(2).unwrap();
            home.run(&format!("retry {job}")).exits(0);
            home.run("run --until-empty");
            let shown = home.run(&format!("show {job}")).stdout;
            assert!(shown.contains("REVERTED"), "step {at}: {shown}");
        } else {
            assert_eq!(ran.code, Some(1), "step {at}: {}", ran.text());
        }
        assert_eq!(tree(&home.path("w")), before, "step {at}: {}", ran.text());
        let calls = fs::read_to_string(home.path("calls")).unwrap();
        let calls: usize = calls.trim().parse().unwrap();
        if calls < at {
            assert!(at > 3, "it has been cut off at all");
            return;
        }
    }
}

/// The conductor is killed after that step; the next one does the task again, and undoes it if the flow fails.
fn is_taken_over(task: &str, at: usize, prepare: impl Fn(&Home)) {
    let done = {
        let home = frail(task, 0, false);
        fs::create_dir(home.path("w")).unwrap();
        prepare(&home);
        home.run("run f.flow.yaml").exits(0);
        tree(&home.path("w"))
    };
    for fail in [true, false] {
        let home = frail(task, at, true);
        fs::create_dir(home.path("w")).unwrap();
        prepare(&home);
        let before = tree(&home.path("w"));
        let job = home
            .run(&format!("post f.flow.yaml --set fail={fail}"))
            .id();
        let conductor = home.start("run --lease-ttl 1s");
        let started = Instant::now();
        while !home.has("hangs") {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "it never came to step {at}"
            );
            home.run("show").exits(0);
        }
        // As with SIGKILL.
        drop(conductor);
        let ending = if fail { "✗ f  " } else { "✓ f  " };
        let next = home.start("run --lease-ttl 1s");
        home.until(&format!("show {job}"), ending);
        next.terminate();
        let after = if fail { &before } else { &done };
        assert_eq!(&tree(&home.path("w")), after, "step {at}, fail={fail}");
    }
}

fn write(home: &Home, path: &str, text: &str, mode: u32) {
    let path = home.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn file_over_file(home: &Home) {
    write(home, "w/a", "new", 0o640);
    write(home, "w/b", "old", 0o600);
}

fn folder_over_folder(home: &Home) {
    write(home, "w/a/x/y", "new", 0o755);
    write(home, "w/b/z", "old", 0o600);
}

fn archive_over_files(home: &Home) {
    write(home, "pack/a/new", "new", 0o644);
    write(home, "pack/a/old", "newer", 0o644);
    write(home, "pack/b/new", "new", 0o755);
    let tar = std::process::Command::new("tar")
        .args(["-cf", "p.tar", "-C", "pack", "."])
        .current_dir(home.path(""))
        .status();
    assert!(tar.unwrap().success());
    write(home, "w/out/a/old", "old", 0o600);
}

const COPY: &str = "{ file_copy: { src: w/a, dest: w/b } }";
const LINK: &str = "{ symlink: { path: w/b, target: a, replace: true } }";
const WRITE: &str = "{ file_write: { path: w/b, content: new, mode: '0644' } }";
const EXTRACT: &str = "{ archive_extract: { archive: p.tar, dest: w/out, replace: true } }";

#[test]
fn a_copied_file_is_undone_wherever_it_is_cut_off() {
    is_undone_wherever_it_is_cut_off(COPY, 1, file_over_file);
}

#[test]
fn a_copied_folder_is_undone_wherever_it_is_cut_off() {
    is_undone_wherever_it_is_cut_off(COPY, 2, folder_over_folder);
}

#[test]
fn a_link_is_undone_wherever_it_is_cut_off() {
    is_undone_wherever_it_is_cut_off(LINK, 1, file_over_file);
}

#[test]
fn a_written_file_is_undone_wherever_it_is_cut_off() {
    is_undone_wherever_it_is_cut_off(WRITE, 2, file_over_file);
}

#[test]
fn a_made_folder_is_undone_wherever_it_is_cut_off() {
    let task = "{ mkdir: { path: w/a/b/c, mode: '0700' } }";
    is_undone_wherever_it_is_cut_off(task, 1, |home| write(home, "w/a/x", "", 0o644));
}

#[test]
fn an_unpacked_archive_is_undone_wherever_it_is_cut_off() {
    is_undone_wherever_it_is_cut_off(EXTRACT, 3, archive_over_files);
}

#[test]
fn a_file_of_a_template_is_undone_wherever_it_is_cut_off() {
    let task = "{ template: { src: t, path: w/b, values: { n: 1 }, mode: '0644' } }";
    is_undone_wherever_it_is_cut_off(task, 1, |home| {
        write(home, "t", "{{ n }}", 0o644);
        file_over_file(home);
    });
}

#[test]
fn a_clone_is_undone_wherever_it_is_cut_off() {
    let task = "{ git_clone: { url: ./origin, dest: w/clone } }";
    is_undone_wherever_it_is_cut_off(task, 1, |home| {
        super::fetch::repository(home);
        fs::create_dir(home.path("w/clone")).unwrap();
    });
}

#[test]
fn a_folder_made_the_same_is_undone_wherever_it_is_cut_off() {
    let task = "{ rsync: { src: w/a/, dest: w/b, delete: true } }";
    is_undone_wherever_it_is_cut_off(task, 1, |home| {
        folder_over_folder(home);
        write(home, "w/a/z", "newer", 0o600);
        write(home, "w/b/gone/x", "old", 0o600);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_download_is_undone_wherever_it_is_cut_off() {
    let server = super::web::server().await;
    let task = format!(
        "{{ download: {{ url: '{}/hello', dest: w/b }} }}",
        server.uri()
    );
    is_undone_wherever_it_is_cut_off(&task, 1, file_over_file);
    is_taken_over(&task, 2, file_over_file);
}

#[test]
fn the_next_conductor_does_not_take_their_work_for_what_was_there_before() {
    is_taken_over(COPY, 6, folder_over_folder);
    is_taken_over(EXTRACT, 9, archive_over_files);
    is_taken_over(WRITE, 3, file_over_file);
    is_taken_over(LINK, 4, file_over_file);
}
