//! Kinds that bring something from elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::cut::tree;
use super::flow;
use crate::cli::Home;

pub fn repository(home: &Home) -> String {
    let script = "git init -q -b main origin && cd origin && git config user.email a@b.test && git config user.name a && echo 1 > file && git add file && git commit -qm one && git branch other && echo 2 > file && git commit -qam two";
    let made = Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(home.path(""))
        .status();
    assert!(made.unwrap().success());
    format!("--url={}", home.path("origin").display())
}

#[test]
fn git_clone_clones_a_branch_and_removes_the_clone() {
    let flow = r#"
store: { url: string, branch: { default: "" }, fail: false }
tasks:
  source:
    git_clone: { url: "{{ url }}", dest: "src/{{ flow.name }}", branch: "{{ branch }}" }
    provides: { commit: commit, place: path }
  last: { when: fail, exec: [test, "{{ commit }}", =, "{{ place }}"] }
provides: [commit, place]
"#;
    let home = Home::with("f.flow.yaml", flow);
    let url = repository(&home);
    let ran = home
        .run(&format!("run f.flow.yaml {url} --set fail=true"))
        .exits(1);
    assert!(!home.has("src"), "{}", ran.text());
    let ran = home
        .run(&format!("run f.flow.yaml {url} --branch other"))
        .exits(0);
    assert!(ran.stdout.contains("place: src/f"), "{}", ran.text());
    assert_eq!(fs::read_to_string(home.path("src/f/file")).unwrap(), "1\n");
    // A second one refuses, and leaves alone what it did not make.
    home.run(&format!("run f.flow.yaml {url}")).exits(1);
    assert_eq!(fs::read_to_string(home.path("src/f/file")).unwrap(), "1\n");
}

#[test]
fn git_clone_leaves_the_folder_that_it_filled_as_it_was() {
    let task = "{ dir: there, git_clone: { url: ../origin, dest: . } }";
    let home = Home::with("f.flow.yaml", &flow(task)).and("there/x", "");
    repository(&home);
    fs::remove_file(home.path("there/x")).unwrap();
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(home.path("there"), mode).unwrap();
    home.run("run f.flow.yaml --set fail=true").exits(1);
    let left = fs::metadata(home.path("there")).unwrap();
    assert_eq!(left.permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(home.path("there")).unwrap().count(), 0);
}

/// Makes archives of a folder `pack`, in which there are a file, a program and a link.
fn archives(home: &Home) {
    let script = r#"
mkdir -p 'pack/-b in' && echo one > 'pack/-b in/-o ne' && chmod 750 'pack/-b in/-o ne'
ln -s -- '-o ne' 'pack/-b in/link' && : > pack/.hidden
for kind in tar tar.gz tar.bz2 tar.xz tar.zst; do tar -caf "./-a b's.$kind" pack; done
zip -qry zip.zip pack && mv -- zip.zip "-a b's.zip"
"#;
    sh(home, script);
}

fn sh(home: &Home, script: &str) {
    let made = Command::new("sh")
        .args(["-euc", script])
        .current_dir(home.path(""))
        .status();
    assert!(made.unwrap().success());
}

const EXTRACT: &str = r#"
store: { fail: false, archive: path, dest: { default: "-o u't" }, strip: 0, replace: false, format: { default: auto } }
tasks:
  it: { archive_extract: { archive: "{{ archive }}", dest: "{{ dest }}", strip: "{{ strip }}", replace: "{{ replace }}", format: "{{ format }}" } }
  last: { needs: [it], when: fail, exec: ['false'] }
"#;

#[test]
fn archive_extract_unpacks_every_format_and_removes_what_it_made() {
    let home = Home::with("f.flow.yaml", EXTRACT);
    archives(&home);
    let pack = tree(&home.path("pack"));
    let dest = home.path("-o u't");
    for kind in ["tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip"] {
        let archive = format!("archive=-a b's.{kind}");
        let run = |more: &[&str]| {
            home.run_with(&[&["run", "f.flow.yaml", "--set", &archive], more].concat())
        };
        run(&["--strip", "1"]).exits(0);
        assert_eq!(tree(&dest), pack, "{kind}");
        fs::remove_dir_all(&dest).unwrap();
        run(&["--fail", "true"]).exits(1);
        assert!(!dest.exists(), "{kind}");
    }
    fs::rename(home.path("-a b's.tar.gz"), home.path("odd:name")).unwrap();
    home.run("run f.flow.yaml --archive odd:name --strip 1 --format tar.gz")
        .exits(0);
    assert_eq!(tree(&dest), pack);
    let ran = home
        .run("run f.flow.yaml --archive odd:name --dest other --strip 3 --format tar.gz")
        .exits(1);
    assert!(
        ran.stdout.contains("no folder around all of it"),
        "{}",
        ran.text()
    );
    assert!(!home.has("other") && !home.has("other.jobrunner-new"));
}

#[test]
fn archive_extract_leaves_what_it_did_not_make() {
    let home = Home::with("f.flow.yaml", EXTRACT)
        .and("out/-b in/-o ne", "mine")
        .and("out/other", "mine");
    archives(&home);
    for folder in ["out", "out/-b in"] {
        fs::set_permissions(home.path(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let before = tree(&home.path("out"));
    let extract = |more: &str| {
        let archive = ["run", "f.flow.yaml", "--set", "archive=-a b's.tar"];
        let more: Vec<&str> = more.split_whitespace().collect();
        home.run_with(&[&archive[..], &["--dest", "out", "--strip", "1"], &more].concat())
    };
    let ran = extract("").exits(1);
    assert!(
        ran.stdout.contains("-o ne is there already"),
        "{}",
        ran.text()
    );
    assert_eq!(tree(&home.path("out")), before);
    extract("--replace true --fail true").exits(1);
    assert_eq!(tree(&home.path("out")), before);
    extract("--replace true").exits(0);
    let after = tree(&home.path("out"));
    assert_eq!(after["-b in/-o ne"], "100750 one\n");
    assert_eq!(
        (&after["-b in"], &after["other"]),
        (&before["-b in"], &before["other"])
    );
}

#[test]
fn archive_extract_refuses_what_leaves_the_folder() {
    let home = Home::with("f.flow.yaml", EXTRACT);
    let script = r#"
import io, tarfile, zipfile
def tar(name, *members):
    with tarfile.open(name, "w") as archive:
        for member, kind, link in members:
            info = tarfile.TarInfo(member)
            info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"x"))
F, S, H, P = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE
tar("a.tar", ("../evil", F, ""))
tar("b.tar", ("x/../../evil", F, ""))
tar("c.tar", ("/evil", F, ""))
tar("d.tar", ("x", S, ".."), ("x/evil", F, ""))
tar("e.tar", ("x", S, "/"))
tar("f.tar", ("x/y", S, "../../evil"))
tar("g.tar", ("x", H, "../evil"))
tar("h.tar", ("x", P, ""))
tar("i.tar", ("x", S, "y"), ("y", S, "../evil"))
def zipped(name, *members):
    with zipfile.ZipFile(name, "w") as archive:
        for member, text, link in members:
            info = zipfile.ZipInfo(member)
            info.create_system, info.external_attr = 3, (0o120777 if link else 0o100644) << 16
            archive.writestr(info, text)
zipped("j.zip", ("../evil", "x", False))
zipped("k.zip", ("x", "..", True), ("x/evil", "x", False))
zipped("l.zip", ("x", "/etc", True))
tar("fine.tar", ("x/y", S, "../z"), ("z", F, ""))
"#;
    let made = Command::new("python3")
        .args(["-c", script])
        .current_dir(home.path(""))
        .status();
    assert!(made.unwrap().success());
    for archive in [
        "a.tar", "b.tar", "c.tar", "d.tar", "e.tar", "f.tar", "g.tar", "h.tar", "i.tar", "j.zip",
        "k.zip", "l.zip",
    ] {
        let ran = home.run(&format!("run f.flow.yaml --archive {archive}"));
        assert_eq!(ran.code, Some(1), "{archive}: {}", ran.text());
        assert!(!home.has("evil") && !home.has("-o u't"), "{archive}");
        assert!(!home.has("-o u't.jobrunner-new"), "{archive}");
    }
    home.run("run f.flow.yaml --archive fine.tar").exits(0);
}

#[test]
fn archive_extract_names_the_tool_that_is_missing() {
    let home = Home::with("f.flow.yaml", EXTRACT)
        .and("a.TXZ", "")
        .and("a.zip", "");
    fs::create_dir(home.path("bin")).unwrap();
    let others = "sh awk cp find grep head mkdir mv realpath rm rmdir tar xargs";
    for tool in others.split(' ') {
        let real = Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .output()
            .unwrap();
        let real = String::from_utf8(real.stdout).unwrap();
        std::os::unix::fs::symlink(real.trim(), home.path(&format!("bin/{tool}"))).unwrap();
    }
    let path = home.path("bin").display().to_string();
    let home = home.set("PATH", &path);
    for (archive, tool) in [("a.TXZ", "xz"), ("a.zip", "unzip")] {
        let ran = home.run(&format!("run f.flow.yaml --archive {archive}"));
        let why = format!("`it` failed: `{tool}` is not there");
        assert!(ran.stdout.contains(&why), "{}", ran.text());
    }
}

#[test]
fn archive_extract_takes_no_more_than_it_may() {
    let flow = EXTRACT
        .replace("strip: 0", "strip: 0, size: 8GiB, entries: 1000000")
        .replace(
            "format: \"{{ format }}\"",
            "format: \"{{ format }}\", max_size: \"{{ size }}\", max_entries: \"{{ entries }}\"",
        );
    let flow = flow.replace("size: 8GiB", "size: { type: size, default: 8GiB }");
    let home = Home::with("f.flow.yaml", &flow);
    // Each holds 50 MB of zeros, and some small files; the last says that it holds little.
    let script = r#"
import struct, zipfile, tarfile, io
for mode in ["", "gz"]:
    with tarfile.open("a.tar." + mode if mode else "a.tar", "w:" + mode) as archive:
        for name, size in [("big", 50_000_000), ("b", 1), ("c", 1)]:
            info = tarfile.TarInfo(name)
            info.size, info.uname = size, "a b 1"
            archive.addfile(info, io.BytesIO(bytes(size)))
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for name, size in [("big", 50_000_000), ("b", 1), ("c", 1)]:
        archive.writestr(name, bytes(size))
said = open("a.zip", "rb").read()
open("lies.zip", "wb").write(said.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 10)))
"#;
    let made = Command::new("python3")
        .args(["-c", script])
        .current_dir(home.path(""))
        .status();
    assert!(made.unwrap().success());
    let kept = || !home.has("-o u't") && !home.has("-o u't.jobrunner-new");
    for archive in ["a.tar", "a.tar.gz", "a.zip"] {
        let ran = home
            .run(&format!("run f.flow.yaml --archive {archive} --size 1MiB"))
            .exits(1);
        let why = "unpacks to more than 1048576 bytes, which is its max_size";
        assert!(ran.stdout.contains(why) && kept(), "{}", ran.text());
        let ran = home
            .run(&format!("run f.flow.yaml --archive {archive} --entries 2"))
            .exits(1);
        let why = "holds more than 2 entries, which is its max_entries";
        assert!(ran.stdout.contains(why) && kept(), "{}", ran.text());
    }
    let ran = home
        .run("run f.flow.yaml --archive lies.zip --size 1MiB")
        .exits(1);
    assert!(kept(), "{}", ran.text());
    home.run("run f.flow.yaml --archive a.zip --size 50000002 --entries 3")
        .exits(0);
    fs::remove_dir_all(home.path("-o u't")).unwrap();
    home.run("run f.flow.yaml --archive a.tar.gz --size 50000002 --entries 3")
        .exits(0);
}
