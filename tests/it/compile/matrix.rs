//! What a matrix becomes.

use indexmap::IndexMap;
use insta::assert_snapshot;
use jobrunner::compile::{Input, Plan};
use serde_json::{Value, json};

use super::{plan, shown};

const SHARED: &str = r#"
store: { regions: { type: "list<any>", default: [eu] } }
tasks:
  before: { shell: x, provides: x }
  load:
    needs: [before]
    matrix: { region: "{{ regions }}" }
    provides: [rows]
    tasks:
      - { name: fetch, shell: "fetch {{ region }}", provides: rows }
  total: { shell: "echo \"{{ rows }} {{ x }}\"" }
"#;

fn posted(text: &str, regions: &Value) -> Result<Plan, Vec<String>> {
    let given = IndexMap::from([("regions".to_owned(), Input::Value(regions.clone()))]);
    plan(text)
        .with_inputs(&given)
        .map_err(|problems| problems.into_iter().map(|p| p.message).collect())
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.atoms.iter().map(|atom| atom.name.as_str()).collect()
}

#[test]
fn each_combination_is_a_copy_and_the_outside_sees_lists() {
    let plan = plan(
        r#"
tasks:
  test:
    matrix: { toolchain: [stable, "1.80"], features: [none] }
    retry: { times: 2 }
    shell: echo {{ toolchain }} {{ features }}
    provides: out
    revert: echo {{ out or "" }}
  end: { shell: "echo \"{{ out }}\"" }
"#,
    );
    assert_snapshot!(shown(&plan), @r#"
    test[start]@1 -> test[toolchain=stable, features=none][retry] test[toolchain=1.80, features=none][retry]
    test[toolchain=stable, features=none][retry]@2 -> test[toolchain=stable, features=none]
    test[toolchain=stable, features=none]@2 -> test[end] [toolchain: "stable"] [features: "none"]
    test[toolchain=1.80, features=none][retry]@3 -> test[toolchain=1.80, features=none]
    test[toolchain=1.80, features=none]@3 -> test[end] [toolchain: "1.80"] [features: "none"]
    test[end]@1 -> end(out)
    end@0 ->  [out:  [: test[toolchain=stable, features=none].out], [: test[toolchain=1.80, features=none].out]]
    "#);
}

#[test]
fn a_matrix_over_the_store_is_expanded_when_the_flow_is_posted() {
    let plan = posted(SHARED, &json!(["eu", "us"])).unwrap();
    assert_snapshot!(shown(&plan), @r#"
    before@0 -> load[start] total(x)
    load[start]@1 -> load[region=eu][start] load[region=us][start]
    load[region=eu][start]@2 -> load[region=eu].fetch
    load[region=eu].fetch@2 -> load[region=eu][end] [region: "eu"]
    load[region=eu][end]@2 -> load[end]
    load[region=us][start]@3 -> load[region=us].fetch
    load[region=us].fetch@3 -> load[region=us][end] [region: "us"]
    load[region=us][end]@3 -> load[end]
    load[end]@1 -> total(rows)
    total@0 ->  [rows:  [: load[region=eu].fetch.rows], [: load[region=us].fetch.rows]] [x: before.x]
    "#);
    let other = posted(SHARED, &json!(["eu"])).unwrap();
    assert_ne!(plan.digest, other.digest);
    assert_eq!(
        plan.digest,
        posted(SHARED, &json!(["eu", "us"])).unwrap().digest
    );
}

#[test]
fn before_that_it_shows_what_the_defaults_make_or_one_copy_for_all() {
    assert!(names(&plan(SHARED)).contains(&"load[region=eu].fetch"));
    let required = SHARED.replace(", default: [eu]", "");
    assert!(names(&plan(&required)).contains(&"load[region=…].fetch"));
}

#[test]
fn values_that_make_no_copies_are_refused_when_the_flow_is_posted() {
    for (regions, message) in [
        (json!([]), "`region` has no values: there would be no copy"),
        (json!(["eu", 1, "eu"]), "`region` has the value `eu` twice"),
        (
            json!((0..10_001).collect::<Vec<_>>()),
            "`load` would have 10001 copies; there may be 10000 of a task at most",
        ),
    ] {
        assert_eq!(posted(SHARED, &regions).unwrap_err(), [message]);
    }
}

#[test]
fn copies_are_called_by_their_values_or_else_by_their_places() {
    let regions =
        json!(["eu", "a b", {"x": 1}, 1, "1", "", "x".repeat(41), "[retry]", true, "v1.2/x"]);
    let plan = posted(SHARED, &regions).unwrap();
    let copies: Vec<_> = names(&plan)
        .into_iter()
        .filter_map(|name| name.strip_prefix("load[region=")?.strip_suffix("].fetch"))
        .collect();
    assert_eq!(
        copies,
        [
            "eu", "#2", "#3", "1", "#5", "#6", "#7", "#8", "true", "v1.2/x"
        ]
    );
}

#[test]
fn ten_thousand_copies_compile_in_no_time() {
    let begun = std::time::Instant::now();
    let regions: Value = (0..10_000).collect();
    let plan = posted(SHARED, &regions).unwrap();
    assert_eq!(plan.atoms.len(), 4 + 3 * 10_000);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
