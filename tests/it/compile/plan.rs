//! What a flow becomes.

use insta::assert_snapshot;
use jobrunner::compile::{AtomKind, Origin, Wait};
use jobrunner::model::{AtomId, ScopeId};
use serde_json::json;

use super::{codes, plan, shown};

#[test]
fn a_task_waits_for_what_provides_its_names() {
    let plan = plan(
        r#"
store: { dir: path }
tasks:
  load: { exec: [load, "{{ file }}", "{{ more }}"], revert: [unload, "{{ id }}"], provides: id }
  fetch: { exec: [fetch, "{{ dir }}"], provides: file }
  parse: { shell: "parse {{ file }}", provides: more }
  done: { needs: [load], when: id != "", shell: "echo ok" }
"#,
    );
    assert_snapshot!(shown(&plan), @r"
    load@0 -> done(id) [file: fetch.file] [more: parse.more]
    fetch@0 -> load(file) parse(file) [dir: input]
    parse@0 -> load(more) [file: fetch.file]
    done@0 -> 
    ");
    let AtomKind::Task(load) = &plan.atoms[0].kind else {
        panic!()
    };
    let revert = &load.revert.as_ref().unwrap().action;
    let own = Origin::Provided {
        atom: AtomId(0),
        name: "id".to_owned(),
    };
    assert_eq!(revert.needs[0].origin, own);
    assert!(load.revert.as_ref().unwrap().uses_result_of(AtomId(0)));
}

#[test]
fn a_list_runs_one_after_the_other() {
    let plan = plan(
        r#"
tasks:
  - { name: a, shell: "1" }
  - { name: b, tasks: { c: { shell: "2" }, d: { shell: "3" } } }
  - { name: e, shell: "4" }
"#,
    );
    assert_snapshot!(shown(&plan), @r"
    a@0 -> b[start]
    b[start]@1 -> b.c b.d
    b.c@1 -> b[end]
    b.d@1 -> b[end]
    b[end]@1 -> e
    e@0 -> 
    ");
}

#[test]
fn what_crosses_the_border_of_a_group_goes_from_gate_to_gate() {
    let plan = plan(
        r#"
tasks:
  before: { shell: "1", provides: x }
  also: { shell: "1" }
  group:
    retry: { times: 3 }
    provides: [y]
    tasks:
      one: { needs: [also], exec: [e, "{{ x }}"], provides: y }
      two: { exec: [e, "{{ y }}"] }
      three:
        tasks:
          four: { exec: [e, "{{ x }}", "{{ y }}"] }
  behind: { needs: [group], exec: [e, "{{ y }}"] }
"#,
    );
    assert_snapshot!(shown(&plan), @r"
    before@0 -> group[start](x)
    also@0 -> group[start]
    group[start]@1 -> group[retry]
    group[retry]@1 -> group.one
    group.one@1 -> group.two(y) group.three[start](y) [x: before.x]
    group.two@1 -> group[end] [y: group.one.y]
    group.three[start]@2 -> group.three.four
    group.three.four@2 -> group.three[end] [x: before.x] [y: group.one.y]
    group.three[end]@2 -> group[end]
    group[end]@1 -> behind(y)
    behind@0 ->  [y: group.one.y]
    ");
    let group = plan.scope(ScopeId(1));
    assert_eq!(
        (group.first, group.end, group.controller),
        (AtomId(2), AtomId(10), Some(AtomId(3)))
    );
}

#[test]
fn a_retry_has_a_controller_before_what_it_retries() {
    let plan = plan(
        r#"
store: { mirrors: list<url> }
retry: { times: 2, as: round }
tasks:
  list: { exec: [list, "{{ round }}"], json: true, provides: names }
  fetch:
    retry: { for_each: "{{ mirrors }}", as: mirror, on: failure.kind == "timeout" }
    http: "{{ mirror }}/{{ round }}"
  each:
    retry: { for_each: "{{ names }}", as: name }
    tasks:
      use: { exec: [use, "{{ name }}"] }
"#
        .replace(
            "exec: [list, \"{{ round }}\"], json: true",
            "exec: { argv: [list, \"{{ round }}\"], json: true }",
        )
        .as_str(),
    );
    assert_snapshot!(shown(&plan), @r"
    [retry]@0 -> list(round) fetch[retry](round)
    list@0 -> each[start](names) [round: [retry]]
    fetch[retry]@1 -> fetch(mirror) [mirrors: input]
    fetch@1 ->  [mirror: fetch[retry]] [round: [retry]]
    each[start]@2 -> each[retry]
    each[retry]@2 -> each.use(name) [names: list.names]
    each.use@2 -> each[end] [name: each[retry]]
    each[end]@2 -> 
    ");
    assert!(!plan.scope(ScopeId(1)).group);
    let list = plan.task(AtomId(1)).unwrap();
    assert_eq!(list.provides["names"].as_ref().unwrap().text, "json");
}

#[test]
fn a_group_that_may_fail_or_has_a_timeout_is_tried_once() {
    let plan = plan(
        r#"
tasks:
  a: { allow_failure: true, tasks: { x: { shell: "1" } } }
  b: { timeout: 10s, max_parallel: 2, tasks: { x: { shell: "1" } } }
  c: { tasks: { x: { shell: "1" } } }
"#,
    );
    let controllers: Vec<_> = plan.scopes.iter().map(|scope| scope.controller).collect();
    assert_eq!(controllers, [None, Some(AtomId(1)), Some(AtomId(5)), None]);
    assert!(plan.scope(ScopeId(1)).allow_failure);
    assert_eq!(plan.scope(ScopeId(2)).max_parallel, Some(2));
}

#[test]
fn folders_and_variables_come_from_the_outside_in() {
    let plan = plan(
        r#"
dir: /flow
env: { A: flow, B: flow }
tasks:
  group:
    dir: /group
    env: { B: group, C: group }
    stop_on_unwind: true
    priority: high
    tasks:
      a: { exec: [e], env: { C: task }, revert: { exec: [u], dir: /revert } }
      b: { http: "http://a.test" }
"#,
    );
    let a = plan.task(AtomId(1)).unwrap();
    let none = indexmap::IndexMap::new();
    assert_eq!(
        a.execute.params.render(&none).unwrap(),
        json!({"argv": ["e"], "dir": "/group", "env": {"A": "flow", "B": "group", "C": "task"}})
    );
    assert!(a.stop_on_unwind);
    let undo = &a.revert.as_ref().unwrap().action.params;
    assert_eq!(undo.render(&none).unwrap()["dir"], json!("/revert"));
    let b = plan.task(AtomId(2)).unwrap();
    assert_eq!(
        b.execute.params.render(&none).unwrap(),
        json!({"url": "http://a.test"})
    );
}

#[test]
fn parameters_are_read_by_their_shape() {
    let plan = plan(
        r#"
store: { id: string, n: 3, tags: [a, b], ok: false, token: { type: string, secret: true, from: env:T } }
tasks:
  request:
    http:
      method: POST
      url: "https://a.test/{{ id }}?q={{ id }}"
      query: { tag: "{{ tags }}", all: [x, "{{ n }}"], one: 1.10 }
      headers: { X-Id: "{{ id }}{{ n }}" }
      json: { id: "{{ id }}", n: "{{ n }}", tags: "{{ tags }}", text: "n={{ n }}", no: no, list: [1, "1", null, true] }
      bearer: "{{ token }}"
      expect: [200, 404]
      timeout: 90s
      redirects: 2
      check: json.ok and status == 200 and ok
    provides: { answer: json.id }
    revert: { http: { method: DELETE, url: "https://a.test/{{ answer }}", expect: 204, check: "failure.kind != 'exit' or result.status == 1" } }
  run: { exec: [a, 1, -b, "{{ tags }}", "{{ n }}x", "{{ ok }}"], needs: [request] }
  wait: { sleep: "{{ n }}s" }
"#
        .replace("no: no, ", "")
        .replace("1.10", "1.5")
        .as_str(),
    );
    let names = indexmap::IndexMap::from([
        ("id".to_owned(), json!("a/b")),
        ("n".to_owned(), json!(3)),
        ("tags".to_owned(), json!(["x", "y z"])),
        ("ok".to_owned(), json!(true)),
        ("token".to_owned(), json!("t")),
    ]);
    let request = plan.task(AtomId(0)).unwrap();
    assert_eq!(
        request.execute.params.render(&names).unwrap(),
        json!({
            "method": "POST",
            "url": "https://a.test/a%2Fb?q=a%2Fb",
            "query": {"tag": ["x", "y z"], "all": ["x", "3"], "one": "1.5"},
            "headers": {"X-Id": "a/b3"},
            "json": {"id": "a/b", "n": 3, "tags": ["x", "y z"], "text": "n=3", "list": [1, "1", null, true]},
            "bearer": "t",
            "expect": [200, 404],
            "timeout": "1m30s",
            "redirects": 2,
        })
    );
    assert_eq!(
        request.execute.check.as_ref().unwrap().text,
        "json.ok and status == 200 and ok"
    );
    assert!(request.revert.as_ref().unwrap().action.check.is_some());
    let run = plan.task(AtomId(1)).unwrap();
    assert_eq!(
        run.execute.params.render(&names).unwrap(),
        json!({"argv": ["a", "1", "-b", "x", "y z", "3x", "true"]})
    );
    let wait = plan.task(AtomId(2)).unwrap();
    let Some(Wait::Instant(time)) = &wait.wait else {
        panic!("{:?}", wait.wait);
    };
    assert_eq!(time.render(&names).unwrap(), json!("3s"));
}

#[test]
fn a_script_for_another_interpreter_takes_its_values_from_the_environment() {
    let flow = |interpreter: &str| {
        format!(
            "store: {{ x: string }}\ntasks:\n  a: {{ shell: {{ script: \"print {{{{ x }}}}\", interpreter: {interpreter} }} }}\n"
        )
    };
    for fine in ["bash", "[bash, -eu]", "/bin/zsh", "[/usr/bin/env, bash]"] {
        plan(&flow(fine));
    }
    for wrong in ["python3", "[python3, -u]", "[/usr/bin/env, perl]"] {
        assert_eq!(
            codes(&flow(wrong)),
            ["template-in-script {{ x }}"],
            "{wrong}"
        );
    }
}

#[test]
fn names_can_be_used_in_every_place_of_the_language() {
    for text in [
        "store: { s: 1 }\ntasks: { a: { shell: \"echo {{ s }} {{ flow.name }} {{ flow.id }} {{ task.name }} {{ task.attempt }} {{ task.key }} {{ conductor.name }}\" } }",
        "tasks: { a: { shell: \"x\", provides: { p: 'stdout | trim', q: exit_code, r: result.stdout } } }\nprovides: [p, q, r]",
        "tasks: { a: { shell: \"x\", revert: \"echo {{ result }} {{ failure.kind }} {{ failure.message }}\" } }",
        "store: { n: 1 }\ncapabilities: [os, { port_is_free: \"{{ n + 1024 }}\" }, { has_command: [sh] }]\ntasks: { a: { shell: x } }",
        "store: { l: [1] }\ntasks: { a: { shell: \"echo {{ l[0:] }} {{ l['0'] }}\" } }",
    ] {
        let (_, problems) = super::compiled(text);
        assert!(problems.is_empty(), "{text}\n{problems:#?}");
    }
}
