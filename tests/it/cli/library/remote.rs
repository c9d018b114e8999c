//! Kinds that reach other machines: here, an sshd of the tests' own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::cli::Home;
use crate::servers::sshd::Sshd;

#[test]
fn ssh_exec_hands_arguments_over_as_they_are_and_undoes() {
    let server = Sshd::start();
    let home = Home::new().set("WORD", "hunter2hunter2");
    let folder = home.path("");
    let flow = format!(
        r#"
store: {{ fail: false, odd: {{ default: "a  'b' $HOME \"c\" \\ `d`\n*\n" }}, word: {{ secret: true, from: env:WORD }} }}
tasks:
  it:
    ssh_exec:
      {{ {}, command: [sh, -c, 'printf %s "$1" > "$2/there"; cat > "$2/read"; echo "$#"', sh, "{{{{ odd }}}}", "{}", ""], undo: [rm, -f, "{}/there"], input: " and more", secret_input: "{{{{ word }}}}" }}
    provides: {{ out: stdout }}
  last: {{ needs: [it], when: fail, exec: ['false'] }}
provides: [out]
"#,
        server.parameters(),
        folder.display(),
        folder.display(),
    );
    let home = home.and("f.flow.yaml", &flow);
    let ran = home.run("run f.flow.yaml").exits(0);
    assert!(ran.stdout.contains("out: 3"), "{}", ran.text());
    let there = fs::read_to_string(home.path("there")).unwrap();
    assert_eq!(there, "a  'b' $HOME \"c\" \\ `d`\n*\n");
    assert_eq!(
        fs::read_to_string(home.path("read")).unwrap(),
        "hunter2hunter2 and more"
    );
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(!home.has("there"));
}

#[test]
fn ssh_exec_fails_as_the_program_there_does_and_believes_no_unknown_machine() {
    let server = Sshd::start();
    let task =
        |parameters: &str| format!("{{ ssh_exec: {{ {parameters}, command: [sh, -c, exit 7] }} }}");
    let home = Home::with("f.flow.yaml", &super::flow(&task(&server.parameters())));
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(ran.contains("exited with code 7"), "{ran}");
    let unknown = server.parameters().replace("/known", "/unknown");
    fs::write(home.path("f.flow.yaml"), super::flow(&task(&unknown))).unwrap();
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("exited with code 255") && ran.contains("Host key verification failed"),
        "{ran}"
    );
    let accepted = format!("{unknown}, accept_new: true");
    fs::write(home.path("f.flow.yaml"), super::flow(&task(&accepted))).unwrap();
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(ran.contains("exited with code 7"), "{ran}");
}

/// All that stands in a folder: paths, with the text of files and their permissions.
fn tree(home: &Home, folder: &str) -> Vec<String> {
    fn walk(at: &std::path::Path, inside: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{inside}/{}", entry.file_name().to_string_lossy());
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                let mode = meta.permissions().mode() & 0o7777;
                found.push(format!("{name} {mode:o}"));
                walk(&entry.path(), &name, found);
            } else {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                let mode = meta.permissions().mode() & 0o777;
                found.push(format!("{name} {mode:o} {text}"));
            }
        }
    }
    let own = fs::metadata(home.path(folder)).unwrap();
    let mut found = vec![format!(" {:o}", own.permissions().mode() & 0o7777)];
    walk(&home.path(folder), "", &mut found);
    found.sort();
    found
}

/// Folders that differ in every way: added, replaced, only permissions, the same, to be deleted; with odd names.
fn folders() -> Home {
    let home = Home::new()
        .and("from/new/inner/a", "a")
        .and("from/ odd \\#012 \\n name\nline", "odd")
        .and("from/both", "new text")
        .and("from/mode", "mode")
        .and("from/same", "same")
        .and("to/both", "old")
        .and("to/mode", "mode")
        .and("to/same", "same")
        .and("to/gone/deep/b", "b")
        .and("to/kept.log", "log");
    fs::create_dir(home.path("to/gone/empty")).unwrap();
    let home = home.and("from/folder/c", "newer").and("to/folder/c", "old");
    for (path, mode) in [
        ("to/mode", 0o600),
        ("to", 0o1777),
        ("to/folder", 0o710),
        ("to/gone", 0o2750),
        ("to/gone/empty", 0o500),
        ("from", 0o711),
    ] {
        fs::set_permissions(home.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    home
}

#[test]
fn rsync_puts_back_what_was_replaced_or_deleted_and_removes_what_was_added() {
    let task = "{ rsync: { src: from/, dest: to, delete: true, exclude: ['*.log'] } }";
    let home = folders().and("f.flow.yaml", super::flow(task));
    let before = tree(&home, "to");
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert_eq!(tree(&home, "to"), before);
    assert_eq!(super::left(&home), 0);
    home.run("run f.flow.yaml").exits(0);
    let mut after = tree(&home, "from");
    after.push("/kept.log 644 log".to_owned());
    after.sort();
    assert_eq!(tree(&home, "to"), after);
}

#[test]
fn rsync_removes_a_folder_that_was_not_there_and_fetches_from_another_machine() {
    let server = Sshd::start();
    let home = folders();
    let task = format!(
        "{{ rsync: {{ src: \"127.0.0.1:{}/\", dest: other, ssh: \"{}\" }} }}",
        home.path("from").display(),
        server.command()
    );
    let home = home.and("f.flow.yaml", super::flow(&task));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(!home.has("other"));
    home.run("run f.flow.yaml").exits(0);
    assert_eq!(tree(&home, "other"), tree(&home, "from"));
}

#[test]
fn rsync_tried_again_still_knows_what_was_there_first() {
    let task = r#"
    retry: { times: 2, as: time }
    tasks:
      - { name: put, shell: "echo {{ time }} > from/both" }
      - { name: copy, needs: [put], rsync: { src: from/, dest: to } }
      - { name: check, needs: [copy], exec: [test, "{{ time }}", =, "2"] }"#;
    let home = folders().and("f.flow.yaml", super::flow(task));
    let before = tree(&home, "to");
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert_eq!(tree(&home, "to"), before);
}

#[test]
fn rsync_into_a_folder_that_cannot_be_made_leaves_nothing_to_undo() {
    let task = "{ rsync: { src: there/, dest: no/new } }";
    let home = Home::with("f.flow.yaml", &super::flow(task)).and("there/x", "");
    let ran = home.run("run f.flow.yaml").exits(1);
    assert!(ran.stdout.contains("no/new"), "{}", ran.text());
    assert!(!home.has("no"));
}
