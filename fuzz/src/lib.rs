//! What is fuzzed: each function takes any bytes, and panics if something does not hold. The tests run them too, over
//! the corpus (`tests/it/damage.rs`).

use indexmap::IndexMap;
use jobrunner::compile::{Expression, compile, dot, tree};
use jobrunner::format::{Refusal, convert, format};
use jobrunner::model::{Bundle, KindSchema, Param, Shape, Span, Waits};
use jobrunner::syntax::{LineIndex, MAX_PROBLEMS, Problem, parse, read_source};

/// The kinds that the flows may use: as many shapes of parameters as there are.
const KINDS: [KindSchema; 4] = [
    kind(
        "shell",
        &[
            param("script", Shape::Script),
            param("interpreter", Shape::Argv),
            param("json", Shape::Bool),
        ],
    ),
    kind("exec", &[param("argv", Shape::Argv)]),
    kind(
        "http",
        &[
            param("url", Shape::Url),
            param("query", Shape::Query),
            param("headers", Shape::TextMap),
            param("json", Shape::Json),
            param("body", Shape::Text),
            param("check", Shape::Expression),
            param("expect", Shape::StatusCodes),
            param("save", Shape::Path),
            param("redirects", Shape::Int),
        ],
    ),
    kind(
        "sleep",
        &[
            param("duration", Shape::Duration),
            param("until", Shape::Instant),
        ],
    ),
];

const fn kind(name: &'static str, params: &'static [Param]) -> KindSchema {
    KindSchema {
        name,
        about: "a kind",
        params,
        shorthand: Some(params[0].name),
        process: true,
        result: &["stdout", "status", "json"],
        whole: None,
        waits: Waits::Nothing,
    }
}

const fn param(name: &'static str, shape: Shape) -> Param {
    Param {
        name,
        shape,
        required: false,
        about: "a parameter",
    }
}

fn bundle(name: &str, bytes: &[u8]) -> Option<Bundle> {
    let file = read_source(name, bytes).ok()?;
    Some(Bundle {
        version: 1,
        files: vec![file],
    })
}

/// Problems can be shown: few enough, and each where there is text.
fn presentable(bundle: &Bundle, problems: &[Problem]) {
    assert!(
        problems.len() <= MAX_PROBLEMS + 1,
        "{} problems",
        problems.len()
    );
    for problem in problems {
        let related = problem.related.iter().map(|(span, _)| *span);
        for span in related.chain([problem.span]) {
            let text = &bundle.files[usize::from(span.file)].text;
            assert!(text.get(span.range()).is_some(), "{problem:?}");
            let _ = LineIndex::new(text).position(span.start);
        }
    }
}

fn read(name: &str, bytes: &[u8]) {
    let names = KINDS.map(|kind| kind.name);
    if let Some(bundle) = bundle(name, bytes) {
        let (flow, problems) = parse(&bundle, &names);
        assert!(
            flow.is_some() || !problems.is_empty(),
            "nothing, and no reason"
        );
        presentable(&bundle, &problems);
    }
}

/// The reader of YAML.
pub fn yaml(bytes: &[u8]) {
    read("case.flow.yaml", bytes);
}

/// The reader of the text notation.
pub fn text(bytes: &[u8]) {
    read("case.flow", bytes);
}

/// The compiler, behind either reader: what the plan is, and how it is drawn.
pub fn flow(bytes: &[u8]) {
    let names = KINDS.map(|kind| kind.name);
    for file in ["case.flow.yaml", "case.flow"] {
        let Some(bundle) = bundle(file, bytes) else {
            continue;
        };
        let (Some(declaration), _) = parse(&bundle, &names) else {
            continue;
        };
        let (plan, problems) = compile(&declaration, &KINDS.each_ref());
        assert!(
            plan.is_some() || !problems.is_empty(),
            "no plan, and no reason"
        );
        presentable(&bundle, &problems[..problems.len().min(MAX_PROBLEMS)]);
        if let Some(plan) = plan {
            let _ = (dot(&plan, None), tree(&plan));
            let _ = plan.with_inputs(&IndexMap::new());
        }
    }
}

/// The layout of either notation, and one as the other: both say the same as before, and laying out twice is the same as
/// once.
pub fn layout(bytes: &[u8]) {
    let said = |text: Result<String, Refusal>| match text {
        Ok(text) => Some(text),
        Err(Refusal::Malformed(_) | Refusal::NoMapping) => None,
        Err(refusal @ Refusal::Changed(_)) => panic!("{refusal}"),
    };
    for name in ["case.flow.yaml", "case.flow"] {
        let Ok(mut file) = read_source(name, bytes) else {
            continue;
        };
        let _ = said(convert(&file, &KINDS.each_ref()));
        if let Some(text) = said(format(&file)) {
            file.text.clone_from(&text);
            assert_eq!(said(format(&file)), Some(text));
        }
    }
}

/// Expressions: read, and evaluated if they can be read.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(expression) = Expression::parse(text, Span::default()) else {
        return;
    };
    let _ = (expression.references(), expression.is_constant());
    let names = serde_json::json!({
        "a": 1, "b": "text", "c": [1, "two", null], "d": { "e": { "f": 0.5 } }, "g": true,
    });
    let names = names.as_object().expect("it is a mapping").clone();
    let names: IndexMap<_, _> = names.into_iter().collect();
    let _ = (expression.evaluate(&names), expression.holds(&names));
}
