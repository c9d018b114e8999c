//! What is given to a job, and what becomes of it.

use indexmap::IndexMap;
use jobrunner::compile::{Input, InputProblem, Plan};
use jobrunner::model::SecretSource;
use serde_json::json;

use super::plan;

const FLOW: &str = r#"
store:
  port: { type: port, default: 8080 }
  size: { type: size, default: 20GiB }
  name: string
  env: { one_of: [stage, prod] }
  mirrors: { type: "list<url>", default: [] }
  wait: { type: any, default: 10s }
  token: { type: string, secret: true, from: env:TOKEN }
  key: { type: string, secret: true, from: file:/k }
capabilities:
  - port_is_free: "{{ port }}"
  - os: linux
  - arch
tasks:
  a: { shell: "echo {{ port }} {{ size }} {{ name }} {{ env }}", env: { T: "{{ token }}", K: "{{ key }}" } }
  b: { sleep: "{{ wait }}" }
  c:
    retry: { for_each: "{{ mirrors }}", as: mirror }
    http: "{{ mirror }}"
"#;

fn given<const N: usize>(inputs: [(&str, Input); N]) -> Result<Plan, Vec<InputProblem>> {
    let mut given = IndexMap::from([
        ("name".to_owned(), Input::Text("x".to_owned())),
        ("env".to_owned(), Input::Text("prod".to_owned())),
        ("mirrors".to_owned(), Input::Value(json!(["http://a.test"]))),
    ]);
    given.extend(inputs.map(|(name, input)| (name.to_owned(), input)));
    plan(FLOW).with_inputs(&given)
}

fn text(text: &str) -> Input {
    Input::Text(text.to_owned())
}

#[test]
fn defaults_are_filled_in_and_capabilities_rendered() {
    let plan = given([("port", text("8887"))]).unwrap();
    assert_eq!(plan.inputs["port"], json!(8887));
    assert_eq!(plan.inputs["size"], json!(21_474_836_480_u64));
    assert_eq!(plan.secrets["token"], SecretSource::Env("TOKEN".to_owned()));
    assert!(!plan.inputs.contains_key("token"));
    assert_eq!(
        plan.capabilities,
        [
            json!({"port_is_free": 8887}),
            json!({"os": "linux"}),
            json!("arch")
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let problems = plan(FLOW)
        .with_inputs(&IndexMap::from([
            ("prot".to_owned(), text("1")),
            ("size".to_owned(), text("big")),
            ("env".to_owned(), text("test")),
            ("token".to_owned(), text("t")),
            (
                "port".to_owned(),
                Input::Secret(SecretSource::Env("P".to_owned())),
            ),
        ]))
        .unwrap_err();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| {
            format!(
                "{}: {} | {}",
                problem.name,
                problem,
                problem.help.as_deref().unwrap_or("")
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    prot: `case` has no `prot` in its store | did you mean `port`?
    port: `port` is not a secret | write `--set port=…`
    size: `size`: `big` is not a size: a number of bytes, such as 512, 10KiB or 20GiB | 
    name: `name` must be set | add `--set name=…`: text
    env: `env`: `test` is not one of stage, prod | 
    token: the secret `token` is never given as a value | add `--secret token=env:NAME` or `--secret token=file:PATH`
    ");
}

#[test]
fn what_cannot_work_with_these_inputs_is_told_before_it_runs() {
    for (name, input, message) in [
        (
            "mirrors",
            Input::Value(json!([])),
            "`c` is tried for each of `mirrors`, which is an empty list",
        ),
        (
            "wait",
            text("soon"),
            "`b` waits for `soon`, which is neither a duration nor an instant",
        ),
        (
            "wait",
            Input::Value(json!(10)),
            "`b` waits for `10`, which is neither a duration nor an instant",
        ),
    ] {
        let problems = given([(name, input)]).unwrap_err();
        assert_eq!(problems[0].message, message);
    }
}

#[test]
fn a_digest_tells_plans_apart() {
    let one = given([]).unwrap().digest;
    assert_eq!(one.0.len(), 64);
    assert_eq!(one, given([]).unwrap().digest);
    assert_ne!(one, given([("name", text("y"))]).unwrap().digest);
    let source = Input::Secret(SecretSource::Env("OTHER".to_owned()));
    assert_ne!(one, given([("token", source)]).unwrap().digest);
    let other = plan(&FLOW.replace("echo", "echo -n")).with_inputs(&IndexMap::from([
        ("name".to_owned(), text("x")),
        ("env".to_owned(), text("prod")),
        ("mirrors".to_owned(), Input::Value(json!(["http://a.test"]))),
    ]));
    assert_ne!(one, other.unwrap().digest);
    let moved = plan(&format!("# a comment\n{FLOW}")).with_inputs(&IndexMap::from([
        ("name".to_owned(), text("x")),
        ("env".to_owned(), text("prod")),
        ("mirrors".to_owned(), Input::Value(json!(["http://a.test"]))),
    ]));
    assert_eq!(one, moved.unwrap().digest);
}
