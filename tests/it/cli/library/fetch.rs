//! Kinds that bring something from elsewhere.

use std::fs;
use std::process::Command;

use crate::cli::Home;

fn repository(home: &Home) -> String {
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
    assert!(!home.has("src/f"), "{}", ran.text());
    let ran = home
        .run(&format!("run f.flow.yaml {url} --branch other"))
        .exits(0);
    assert!(ran.stdout.contains("place: src/f"), "{}", ran.text());
    assert_eq!(fs::read_to_string(home.path("src/f/file")).unwrap(), "1\n");
    // A second one refuses, and leaves alone what it did not make.
    home.run(&format!("run f.flow.yaml {url}")).exits(1);
    assert_eq!(fs::read_to_string(home.path("src/f/file")).unwrap(), "1\n");
}
