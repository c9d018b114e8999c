//! Drawings and trees of plans.

use std::io::Write as _;
use std::process::{Command, Stdio};

use jobrunner::compile::{dot, tree};
use jobrunner::model::AtomState;

use super::plan;

pub const FLOW: &str = r#"
flow: release
about: Build, test & publish <everything>
store: { repo: url, publish: false, mirrors: [a, b] }
retry: { times: 2 }
timeout: 1h
tasks:
  checkout:
    exec: [git, clone, "{{ repo }}"]
    provides: commit
    revert: [rm, -rf, src]
  build:
    retry: { times: 3, delay: 1s }
    provides: [binary]
    tasks:
      compile: { shell: "make {{ commit }}", provides: binary }
      docs: { shell: make docs, allow_failure: true }
      checks:
        when: publish
        max_parallel: 2
        tasks:
          unit: { shell: test, timeout: 5m }
          lint: { shell: "lint \"{{ binary }}\"" }
  upload:
    retry: { for_each: "{{ mirrors }}", as: mirror }
    exec: [upload, "{{ binary }}", "{{ mirror }}"]
  announce:
    when: publish and commit != "a \"quoted\" & <odd> text"
    needs: [upload]
    skips: task
    http: "http://a.test"
"#;

/// Whether Graphviz takes a drawing; nothing if it is not installed.
fn accepted(drawing: &str) -> Option<bool> {
    let mut child = Command::new("dot")
        .args(["-Tsvg", "-o", "/dev/null"])
        .stdin(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(drawing.as_bytes()).ok()?;
    Some(child.wait().ok()?.success())
}

#[test]
fn a_plan_is_drawn_with_its_scopes_names_and_retries() {
    let plan = plan(FLOW);
    let drawing = dot(&plan, None);
    for part in [
        "digraph \"release\"",
        "subgraph cluster_1",
        "<b>build</b>",
        "retry times 3 after 1s",
        "retry for_each mirrors as mirror",
        "label=\" commit \"",
        "when publish and commit != &quot;a ",
        "dashed",
    ] {
        assert!(drawing.contains(part), "{part}\n{drawing}");
    }
    // A failure that is allowed is no retry, and what is not retried stands in no frame of one.
    assert!(!drawing.contains("tried once"), "{drawing}");
    assert_eq!(drawing.matches("shape=ellipse").count(), 3, "{drawing}");
    assert_eq!(drawing.matches("subgraph").count(), 3, "{drawing}");
    assert_ne!(accepted(&drawing), Some(false));
    let states = [
        AtomState::Success,
        AtomState::Running,
        AtomState::RevertFailure,
    ];
    let coloured = dot(&plan, Some(&|atom| states[atom.index() % 3]));
    assert!(coloured.contains("REVERT_FAILURE"));
    assert_ne!(accepted(&coloured), Some(false));
}

#[test]
fn a_plan_is_told_as_a_tree() {
    insta::assert_snapshot!(tree(&plan(FLOW)), @r#"
    release: Build, test & publish <everything>
    (retry times 2, timeout 1h)
    ├─ checkout  exec   provides commit, with revert
    ├─ build     group  retry times 3 after 1s, after checkout
    │  ├─ compile  shell  provides binary
    │  ├─ docs     shell  may fail
    │  └─ checks   group  when publish, at most 2 at once, after compile
    │     ├─ unit  shell  timeout 5m
    │     └─ lint  shell
    ├─ upload    exec   retry for_each mirrors as mirror, after build
    └─ announce  http   when publish and commit != "a \"quoted\" & <odd> text" (else skips it alone), after checkout upload
    "#);
}
