//! Kinds that make and write files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

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
fn a_file_keeps_its_owner_and_nobody_reads_what_they_may_not() {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root gives files away"
    );
    for task in [
        "{ file_write: { path: x, content: new } }",
        "{ template: { src: t, path: x } }",
    ] {
        // What is written is looked at while it is there under its other name.
        let chmod = "#!/bin/sh\nstat -c %a x.jobrunner-new >> seen\nexec /bin/chmod \"$@\"\n";
        let home = in_front(Home::with("f.flow.yaml", &flow(task)), "chmod", chmod)
            .and("x", "old")
            .and("t", "new");
        let file = home.path("x");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(&file, Some(65534), Some(65534)).unwrap();
        let owner = || {
            let meta = fs::metadata(&file).unwrap();
            (meta.uid(), meta.gid(), meta.permissions().mode() & 0o777)
        };
        home.run("run f.flow.yaml --set fail=true").exits(1);
        assert_eq!(owner(), (65534, 65534, 0o640), "{task}");
        home.run("run f.flow.yaml").exits(0);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(owner(), (65534, 65534, 0o640), "{task}");
        assert_eq!(fs::read_to_string(home.path("seen")).unwrap(), "600\n600\n");
    }
}

/// A home with a program in front of all others.
fn in_front(home: Home, name: &str, text: &str) -> Home {
    let home = home.and(&format!("bin/{name}"), text);
    let program = home.path(&format!("bin/{name}"));
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let bin = home.path("bin").display().to_string();
    home.set("PATH", &format!("{bin}:/usr/bin:/bin"))
}

#[test]
fn what_cannot_take_its_place_leaves_all_as_it_was_and_nothing_to_undo() {
    for task in [
        "{ file_write: { path: w/x, content: new } }",
        "{ template: { src: t, path: w/x } }",
        "{ file_copy: { src: t, dest: w/x } }",
        "{ symlink: { path: w/x, target: y, replace: true } }",
    ] {
        // Another user's file in a folder such as `/tmp`, a mount: nothing may be put in its place.
        let mv = "#!/bin/sh\ncase $* in *w/x) echo 'not permitted' >&2; exit 1 ;; esac\nexec /bin/mv \"$@\"\n";
        let home = in_front(Home::with("f.flow.yaml", &flow(task)), "mv", mv)
            .and("w/x", "old")
            .and("t", "new");
        let before = tree(&home.path("w"));
        let ran = home.run("run f.flow.yaml").exits(1).stdout;
        assert!(ran.contains("not permitted"), "{ran}");
        assert_eq!(tree(&home.path("w")), before, "{task}");
        assert_eq!(left(&home), 0, "{task}");
    }
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
        ("-x $y", ".", "does not say what the copy is called"),
        ("e", "new/..", "does not say what the copy is called"),
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

/// A flow with a template in a folder of its own.
fn templated() -> Home {
    let flow = r#"
store: { fail: false, who: { default: you }, file: { default: "-a b'c" } }
tasks:
  it:
    template:
      src: ./texts/page.template
      path: "{{ file }}"
      values: { who: "{{ who }}", list: [1, "{{ who }}"] }
      mode: "0640"
  last: { needs: [it], when: fail, exec: ['false'] }
"#;
    let text = "{# for people #}hello {{ who }}\n{% for one in list %}<{{ one }}>\n{% endfor %}";
    Home::with("in/f.flow.yaml", flow).and("in/texts/page.template", text)
}

#[test]
fn template_writes_a_file_and_puts_back_what_was_there() {
    let home = templated();
    let path = home.path("-a b'c");
    home.run("run in/f.flow.yaml --fail true").exits(1);
    assert!(!path.exists());
    fs::write(&path, "old").unwrap();
    home.run("run in/f.flow.yaml --fail true").exits(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    // What a value holds is no template, and nothing of a script.
    let who = "who={{ list }} $(touch x) '\"\\";
    home.run_with(&["run", "in/f.flow.yaml", "--set", who])
        .exits(0);
    let who = &who[4..];
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("hello {who}\n<1>\n<{who}>\n"));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(!home.has("x"));
    assert_eq!(left(&home), 0, "what the tasks kept is gone");
}

#[test]
fn a_template_is_posted_with_its_flow() {
    let home = templated();
    let job = home.run("post in/f.flow.yaml").id();
    fs::remove_dir_all(home.path("in")).unwrap();
    home.run("run --until-empty");
    let shown = home.run(&format!("show {job}")).exits(0).stdout;
    assert!(shown.contains("✓ f  "), "{shown}");
    assert!(home.has("-a b'c"));
}

#[test]
fn a_file_is_handed_on_and_may_be_set_when_a_flow_is_posted() {
    let kind = "task: note\nparams: { src: file, to: path }\nshorthand: src\nexecute: { shell: 'printf %s {{ src }} > {{ to }}' }\nrevert: rm -f {{ to }}\n";
    let inner = "store: { page: file, to: path }\ntasks: { write: { note: { src: '{{ page }}', to: '{{ to }}' } } }\n";
    let outer = "tasks:\n  a: { flow: inner.flow.yaml, with: { page: texts/a, to: one } }\n  b: { note: { src: texts/a, to: two } }\n";
    let home = Home::with("tasks/note.task.yaml", kind)
        .and("inner.flow.yaml", inner)
        .and("outer.flow.yaml", outer)
        .and("texts/a", "a {{ b \\{{ }}\n");
    home.run("run outer.flow.yaml").exits(0);
    home.run("run inner.flow.yaml --page texts/a --to three")
        .exits(0);
    home.run("run tasks/note.task.yaml --set src=texts/a --to four")
        .exits(0);
    for file in ["one", "two", "three", "four"] {
        let text = fs::read_to_string(home.path(file)).unwrap();
        assert_eq!(text, "a {{ b \\{{ }}\n", "{file}");
    }
    let ran = home.run("run inner.flow.yaml --page no --to x").exits(2);
    assert!(
        ran.stderr.contains("`page=no`: the file cannot be read"),
        "{}",
        ran.text()
    );
    // Outside of the folder of the flow.
    let home = home.and(
        "sub/f.flow.yaml",
        "tasks: { t: { template: { src: ../texts/a, path: x } } }\n",
    );
    let ran = home.run("check sub/f.flow.yaml").exits(2);
    assert!(ran.stderr.contains("outside-folder"), "{}", ran.text());
}

#[test]
fn files_may_be_longer_than_a_variable() {
    let long = "x".repeat(300_000);
    let flow = r#"
store: { content: string }
tasks:
  write: { file_write: { path: a, content: "{{ content }}" } }
  fill: { template: { src: long.template, path: b, values: { n: 300000 } } }
"#;
    let home = Home::with("f.flow.yaml", flow)
        .and("long", &long)
        .and("long.template", "{{ 'x' * n }}");
    home.run("run f.flow.yaml --set-file content=long").exits(0);
    for file in ["a", "b"] {
        assert!(
            fs::read_to_string(home.path(file)).unwrap() == long,
            "{file}"
        );
    }
}
