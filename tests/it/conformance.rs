//! What OpenStack TaskFlow was observed to do (`tests/conformance/cases.json`), as flows of this language through the
//! real front end and the real scheduler. Where this program differs on purpose, the expected story stands in
//! [`DEVIATIONS`], with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jobrunner::model::{
    AtomId, AtomRow, AtomState, Checkpoint, Failure, FailureKind, FlowRow, FlowState, Intention,
    Phase, RetryHistory, Timestamp, Try, Value,
};

use crate::play::{Behaviour, Player, last_part, try_plan};

const CASES: &str = include_str!("../conformance/cases.json");

/// What is expected instead of what TaskFlow did.
enum Deviation {
    /// Another story, and another end.
    Story(&'static str, &'static str),
    /// The first run is as observed; every further run does nothing, and the flow stays as it is.
    EndsStay,
    /// Does not compile, with this code.
    Refused(&'static str),
    /// The arguments differ in this: the failures shown to each revert.
    Failures(&'static [(&'static str, &'static [&'static str])]),
    /// Another argument: of this task, this name has this value.
    Argument(&'static str, &'static str, i64),
    /// Cannot be said in this language.
    NotExpressible,
}

const DEVIATIONS: &[(&str, Deviation)] = &[
    // A scope that gives up with no retry above it: the whole flow reverts, never half of it.
    (
        "23",
        Deviation::Story(
            "t1:RUNNING t1:SUCCESS r:RUNNING r:SUCCESS=1 t2:RUNNING t2:SUCCESS t3:RUNNING t3:FAILURE \
             t3:REVERTING t3:REVERTED t2:REVERTING t2:REVERTED r:REVERTING r:REVERTED t1:REVERTING t1:REVERTED",
            "REVERTED",
        ),
    ),
    (
        "A1",
        Deviation::Story(
            "r1:RUNNING r1:SUCCESS=1 a:RUNNING a:SUCCESS r2:RUNNING r2:SUCCESS=1 b:RUNNING b:FAILURE \
             b:REVERTING b:REVERTED r2:RETRYING b:PENDING r2:RUNNING r2:SUCCESS=2 b:RUNNING b:FAILURE \
             b:REVERTING b:REVERTED r2:REVERTING r2:REVERTED a:REVERTING a:REVERTED r1:RETRYING a:PENDING \
             r2:PENDING b:PENDING r1:RUNNING r1:SUCCESS=2 a:RUNNING a:SUCCESS r2:RUNNING r2:SUCCESS=1 b:RUNNING \
             b:FAILURE b:REVERTING b:REVERTED r2:RETRYING b:PENDING r2:RUNNING r2:SUCCESS=2 b:RUNNING b:FAILURE \
             b:REVERTING b:REVERTED r2:REVERTING r2:REVERTED a:REVERTING a:REVERTED r1:REVERTING r1:REVERTED",
            "REVERTED",
        ),
    ),
    (
        "A3",
        Deviation::Story(
            "r1:RUNNING r1:SUCCESS=1 a1:RUNNING a1:SUCCESS a2:RUNNING a2:FAILURE a2:REVERTING a2:REVERTED \
             a1:REVERTING a1:REVERTED r1:REVERTING r1:REVERTED b1:RUNNING b1:SUCCESS b1:REVERTING b1:REVERTED",
            "REVERTED",
        ),
    ),
    // An ended job stays ended; running again is posting again.
    ("7", Deviation::EndsStay),
    ("8", Deviation::EndsStay),
    // A provided name that hides a store name is a mistake.
    ("17", Deviation::Refused("hides-store")),
    // The names of a group are its own unless it provides them.
    ("18", Deviation::Argument("c", "x", 1)),
    // A revert that failed leaves the flow STUCK until a person decides; running again does nothing.
    ("21", Deviation::Story("", "STUCK")),
    ("A5", Deviation::Story("", "STUCK")),
    ("A8", Deviation::Story("", "STUCK")),
    ("33", Deviation::Refused("for-each-empty")),
    // Only failures that still stand are shown to reverts.
    (
        "A9",
        Deviation::Failures(&[("d", &["d"]), ("b", &["d"]), ("a", &["d"])]),
    ),
    // No code in controllers; a plan is pinned by its digest; reverting cannot be switched off.
    ("34", Deviation::NotExpressible),
    ("43", Deviation::NotExpressible),
    ("A11", Deviation::NotExpressible),
];

#[test]
fn the_scheduler_does_what_taskflow_was_observed_to_do() {
    let file: Value = serde_json::from_str(CASES).expect("the cases are JSON");
    let cases = file["cases"].as_array().expect("a list of cases");
    assert_eq!(cases.len(), 41);
    let mut wrong = String::new();
    for case in cases {
        let id = text(&case["id"]);
        let deviation = DEVIATIONS.iter().find(|(of, _)| *of == id).map(|(_, d)| d);
        if let Err(why) = check(case, deviation) {
            let _ = writeln!(wrong, "case {id} ({}): {why}\n", text(&case["source"]));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn check(case: &Value, deviation: Option<&Deviation>) -> Result<(), String> {
    if matches!(deviation, Some(Deviation::NotExpressible)) {
        return Ok(());
    }
    let mut flow = Flow::default();
    let yaml = flow.write(case);
    let plan = match (try_plan(&yaml, &[]), deviation) {
        (Err(errors), Some(Deviation::Refused(code))) => {
            return if errors.iter().any(|e| e.starts_with(&format!("{code}: "))) {
                Ok(())
            } else {
                Err(format!("refused, but not as `{code}`: {errors:?}"))
            };
        }
        (Ok(_), Some(Deviation::Refused(code))) => return Err(format!("not refused as `{code}`")),
        (Err(errors), _) => return Err(format!("does not compile: {errors:?}\n{yaml}")),
        (Ok(plan), _) => plan,
    };
    let ids: BTreeMap<String, AtomId> = plan
        .atoms
        .iter()
        .enumerate()
        .map(|(at, atom)| (flow.known(last_part(&atom.name)), AtomId(at as u32)))
        .collect();
    let empty = Vec::new();
    let runs = case["runs"].as_array().unwrap_or(&empty);
    let observed = case["expected"]["observed"].as_array().unwrap_or(&empty);
    let mut checkpoint = Checkpoint::default();
    if let Some(presets) = runs.first().and_then(|run| run["preset"].as_array()) {
        checkpoint = preset(presets, &ids);
    }
    let mut given = Vec::new();
    let mut behaviours = flow.behaviours.clone();
    for (at, run) in observed.iter().enumerate() {
        let mut player = Player::new(&plan, checkpoint);
        player.behaviours = behaviours;
        if let Some(on) = runs.get(at).and_then(|run| run["suspend_on"].as_array()) {
            player = player.suspend_on(&text(&on[0]), &text(&on[1]));
        }
        player.handle(jobrunner::scheduler::Event::Resumed);
        if player.scheduler.state() == FlowState::Suspended {
            player.handle(jobrunner::scheduler::Event::Resume(crate::play::operator()));
        }
        let state = player.play_on();
        let story: Vec<String> = player.events().iter().map(|e| flow.known(e)).collect();
        let (events, end) = expected(run, at, deviation);
        compare(&text(&case["order"]), &story, &events)
            .map_err(|why| format!("run {}: {why}\n{yaml}", at + 1))?;
        if state.as_str() != end {
            return Err(format!("run {} ends {state}, not {end}", at + 1));
        }
        given.extend(player.given.clone());
        checkpoint = player.scheduler.checkpoint();
        behaviours = player.behaviours.clone();
        if at + 1 == observed.len() {
            check_atoms(case, deviation, &player, &ids)?;
        }
    }
    if case["want_args"] == Value::Bool(true) {
        check_args(case, deviation, &given)?;
    }
    Ok(())
}

/// The story and the end that are expected of a run.
fn expected(run: &Value, at: usize, deviation: Option<&Deviation>) -> (Vec<String>, String) {
    let observed = || -> Vec<String> {
        let events = run["events"].as_array().expect("events");
        let told = |e: &Value| match e.get(2) {
            Some(result) if !result.is_null() && text(&e[1]) == "SUCCESS" => {
                format!("{}:{}={result}", text(&e[0]), text(&e[1]))
            }
            _ => format!("{}:{}", text(&e[0]), text(&e[1])),
        };
        events.iter().map(told).collect()
    };
    let end = text(&run["flow_state"]);
    match deviation {
        Some(Deviation::Story(story, end)) if story.is_empty() && at == 0 => {
            (observed(), (*end).to_owned())
        }
        Some(Deviation::Story(story, end)) => (
            story.split_whitespace().map(str::to_owned).collect(),
            (*end).to_owned(),
        ),
        Some(Deviation::EndsStay) if at > 0 => (Vec::new(), end),
        _ => (observed(), end),
    }
}

fn compare(order: &str, story: &[String], expected: &[String]) -> Result<(), String> {
    let by_atom = |events: &[String]| {
        let mut split: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in events {
            let atom = event.split(':').next().unwrap_or_default().to_owned();
            split.entry(atom).or_default().push(event.clone());
        }
        split
    };
    let same = match order {
        "exact" => story == expected,
        _ => {
            let starts = |events: &[String]| -> Vec<String> {
                events
                    .iter()
                    .take_while(|e| e.ends_with(":RUNNING"))
                    .cloned()
                    .collect()
            };
            let prefix = starts(expected);
            let ordered = prefix.len() < 3 || starts(story) == prefix;
            by_atom(story) == by_atom(expected) && (order != "partial" || ordered)
        }
    };
    if same {
        return Ok(());
    }
    Err(format!(
        "\n  expected {}\n  was      {}",
        expected.join(" "),
        story.join(" ")
    ))
}

fn check_atoms(
    case: &Value,
    deviation: Option<&Deviation>,
    player: &Player,
    ids: &BTreeMap<String, AtomId>,
) -> Result<(), String> {
    if matches!(deviation, Some(Deviation::Story(..))) {
        return Ok(());
    }
    let atoms = case["expected"]["final_atoms"].as_object().expect("atoms");
    for (name, expected) in atoms {
        let id = ids[name];
        let was = [
            player.scheduler.row(id).state.as_str(),
            player.scheduler.intention(id).as_str(),
        ];
        let expected = [text(&expected[0]), text(&expected[1])];
        if was != [expected[0].as_str(), expected[1].as_str()] {
            return Err(format!("`{name}` ends {was:?}, not {expected:?}"));
        }
    }
    Ok(())
}

fn check_args(
    case: &Value,
    deviation: Option<&Deviation>,
    given: &[crate::play::Given],
) -> Result<(), String> {
    for (at, expected) in case["expected"]["args"]
        .as_array()
        .expect("args")
        .iter()
        .enumerate()
    {
        let (task, side) = (text(&expected[0]), text(&expected[1]));
        let was = given.get(at).ok_or(format!("`{task}` was not called"))?;
        let phase = if side == "execute" {
            Phase::Execute
        } else {
            Phase::Revert
        };
        if (was.task.as_str(), was.phase) != (task.as_str(), phase) {
            return Err(format!("call {at} was {:?}, not {expected}", was));
        }
        if phase == Phase::Execute {
            let mut inputs = expected[2].as_object().expect("inputs").clone();
            if let Some(Deviation::Argument(of, name, value)) = deviation
                && *of == task
            {
                inputs.insert((*name).to_owned(), Value::from(*value));
            }
            for (name, value) in &inputs {
                if was.inputs.get(name) != Some(value) {
                    return Err(format!(
                        "`{task}` was given {:?}, not {inputs:?}",
                        was.inputs
                    ));
                }
            }
            continue;
        }
        let failed = expected[2]["result"] == "FAILURE";
        let result = match failed {
            true => Value::Null,
            false => expected[2]["result"].clone(),
        };
        if was.failed != failed || was.result != result {
            return Err(format!("the revert of `{task}` was given {was:?}"));
        }
        let failures: BTreeSet<String> = match deviation {
            Some(Deviation::Failures(list)) => list
                .iter()
                .rfind(|(of, _)| *of == task)
                .map(|(_, names)| names.iter().map(|n| (*n).to_owned()).collect())
                .unwrap_or_default(),
            _ => expected[2]["flow_failures"]
                .as_array()
                .expect("failures")
                .iter()
                .map(text)
                .collect(),
        };
        // The first revert of `b` in A9 comes while its own failure stands.
        let own = matches!(deviation, Some(Deviation::Failures(_))) && was.failed;
        let was: BTreeSet<String> = was.failures.iter().cloned().collect();
        if was != failures && !(own && was.contains(&task)) {
            return Err(format!(
                "the revert of `{task}` saw {was:?}, not {failures:?}"
            ));
        }
    }
    Ok(())
}

/// What a checkpoint holds before the first run.
fn preset(presets: &[Value], ids: &BTreeMap<String, AtomId>) -> Checkpoint {
    let mut rows: BTreeMap<AtomId, AtomRow> = BTreeMap::new();
    let mut reverts = false;
    let retries = presets.iter().any(|p| p["intention"] == "RETRY");
    for preset in presets {
        let name = text(&preset["atom"]);
        let id = *ids
            .get(&name)
            .unwrap_or_else(|| panic!("no {name} in {ids:?}"));
        let controller = text(&preset["atom"]).starts_with('r');
        let row = rows.entry(id).or_default();
        if let Some(state) = preset["state"].as_str() {
            row.state = AtomState::parse(state).expect("a state");
        }
        if !preset["result"].is_null() {
            row.state = AtomState::Success;
            row.attempt = 1;
            row.result = preset["result"].clone().into();
            if controller {
                row.history = Some(Box::new(RetryHistory {
                    tries: 1,
                    last: vec![Try {
                        number: 1,
                        value: row.result.clone(),
                        failure: None,
                    }],
                }));
            }
        }
        if preset["failed"] == Value::Bool(true) {
            row.state = AtomState::Failure;
            row.attempt = 1;
            row.failure = Some(Box::new(Failure::new(FailureKind::Exit, "failed")));
        }
        match preset["intention"].as_str() {
            Some("RETRY") => row.intention = Intention::Retry,
            Some("REVERT") => reverts = true,
            _ => {}
        }
    }
    rows.retain(|_, row| *row != AtomRow::default());
    let reverting = reverts && !retries;
    Checkpoint {
        flow: FlowRow {
            state: if reverting {
                FlowState::Reverting
            } else {
                FlowState::Running
            },
            reverting,
            started_at: Some(Timestamp(0)),
            ..FlowRow::default()
        },
        atoms: rows.into_iter().collect(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes a case's flow in this language.
#[derive(Default)]
struct Flow {
    behaviours: BTreeMap<String, Behaviour>,
    /// What a scope's controller is called in the case.
    controllers: BTreeMap<String, String>,
    store: BTreeMap<String, Value>,
    /// Groups and what their inner tasks provide is not looked into: the cases have no use for it.
    conditions: BTreeMap<String, (String, String)>,
}

impl Flow {
    /// The case's own name for something, also at the beginning of an event.
    fn known(&self, name: &str) -> String {
        let (scope, rest) = match name.split_once("[retry]") {
            Some((scope, rest)) => (scope, rest),
            None => return name.to_owned(),
        };
        match self.controllers.get(scope) {
            Some(controller) => format!("{controller}{rest}"),
            None => name.to_owned(),
        }
    }

    fn write(&mut self, case: &Value) -> String {
        if let Some(store) = case["store"].as_object() {
            self.store
                .extend(store.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        let mut body = String::new();
        let name = self.write_flow(&case["flow"], 0, &mut body);
        let mut yaml = format!("flow: {name}\n");
        if !self.store.is_empty() {
            yaml.push_str("store:\n");
            for (name, value) in &self.store {
                let _ = writeln!(yaml, "  {name}: {value}");
            }
        }
        yaml + &body
    }

    fn write_flow(&mut self, flow: &Value, indent: usize, out: &mut String) -> String {
        let (order, name) = ["linear", "unordered", "graph"]
            .into_iter()
            .find_map(|order| Some((order, text(flow.get(order)?))))
            .expect("a flow");
        let pad = " ".repeat(indent);
        if let Some(retry) = flow.get("retry") {
            let scope = if indent == 0 { "" } else { &name };
            self.controllers
                .insert(scope.to_owned(), text(&retry["name"]));
            let _ = writeln!(out, "{pad}retry: {}", self.retry(retry, &flow.to_string()));
        }
        let _ = writeln!(out, "{pad}tasks:");
        let links = flow["links"].as_array().cloned().unwrap_or_default();
        for child in flow["children"].as_array().expect("children") {
            let list = order == "linear";
            let name = self.child_name(child);
            if list {
                let _ = writeln!(out, "{pad}  - name: {name}");
            } else {
                let _ = writeln!(out, "{pad}  {name}:");
            }
            let needs: Vec<String> = links
                .iter()
                .filter(|link| text(&link["to"]) == name)
                .map(|link| text(&link["from"]))
                .collect();
            let pad = format!("{pad}    ");
            if !needs.is_empty() {
                let _ = writeln!(out, "{pad}needs: [{}]", needs.join(", "));
            }
            for link in links.iter().filter(|link| text(&link["to"]) == name) {
                self.condition(link, &name, &pad, out);
            }
            if child.get("task").is_some() {
                self.task(child, &pad, out);
            } else {
                self.write_flow(child, indent + 4, out);
            }
        }
        name
    }

    fn child_name(&self, child: &Value) -> String {
        ["task", "linear", "unordered", "graph"]
            .into_iter()
            .find_map(|key| child.get(key).map(text))
            .expect("a name")
    }

    fn condition(&mut self, link: &Value, name: &str, pad: &str, out: &mut String) {
        let when = match &link["decider"] {
            Value::Bool(false) => {
                self.store.insert(format!("go_{name}"), Value::Bool(false));
                format!("go_{name}")
            }
            Value::Object(history) => {
                format!(
                    "{}_result == {}",
                    text(&link["from"]),
                    history["history_sum_equals"]
                )
            }
            _ => return,
        };
        let _ = writeln!(out, "{pad}when: {when}");
        let skips = match link["depth"].as_str() {
            Some("atom") => "task",
            Some(other) => other,
            None => "all",
        };
        let _ = writeln!(out, "{pad}skips: {skips}");
        self.conditions
            .insert(name.to_owned(), (when, skips.to_owned()));
    }

    fn task(&mut self, task: &Value, pad: &str, out: &mut String) {
        let name = text(&task["task"]);
        let names = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .map(|list| list.iter().map(text).collect())
                .unwrap_or_default()
        };
        let sum = names(&task["sum"]);
        let mut requires = names(&task["requires"]);
        if let Some(pair) = task["fail"].get("unless_equal") {
            requires.extend(names(pair));
            requires.dedup();
            requires.sort();
            requires.dedup();
        }
        let with: Vec<String> = requires
            .iter()
            .map(|n| format!("{n}: \"{{{{ {n} }}}}\""))
            .collect();
        let _ = writeln!(out, "{pad}probe: {{ with: {{ {} }} }}", with.join(", "));
        if let Some(provides) = task["provides"].as_str() {
            let _ = writeln!(out, "{pad}provides: {provides}");
        } else if !sum.is_empty() {
            let _ = writeln!(out, "{pad}provides: {name}_result");
        }
        if let Some(priority) = task["priority"].as_u64() {
            let word = ["low", "normal", "high", "very_high"][priority as usize];
            let _ = writeln!(out, "{pad}priority: {word}");
        }
        let pair = task["fail"].get("unless_equal").map(names);
        self.behaviours.insert(
            name,
            Behaviour {
                failures: match &task["fail"] {
                    Value::String(_) => usize::MAX,
                    Value::Number(n) => n.as_u64().unwrap_or(0) as usize,
                    _ => 0,
                },
                unless_equal: pair.map(|pair| (pair[0].clone(), pair[1].clone())),
                revert_failures: match &task["revert_fail"] {
                    Value::Bool(true) => usize::MAX,
                    _ => 0,
                },
                result: task["result"].clone(),
                sum,
                slow: task["delay_ms"].as_u64().is_some(),
            },
        );
    }

    fn retry(&self, retry: &Value, flow: &str) -> String {
        let mut parts = Vec::new();
        match text(&retry["kind"]).as_str() {
            "for_each" => parts.push(format!("for_each: {}", retry["values"])),
            "parameterized_for_each" => parts.push("for_each: \"{{ values }}\"".to_owned()),
            _ => parts.push(format!(
                "times: {}",
                retry["attempts"].as_u64().unwrap_or(1).max(1)
            )),
        }
        let always =
            ["for_each", "parameterized_for_each"].contains(&text(&retry["kind"]).as_str());
        match retry["provides"].as_str() {
            Some(name) if flow.matches(&format!("\"{name}\"")).count() > 1 => {
                parts.push(format!("as: {name}"));
            }
            Some(_) => {}
            None if always => parts.push("as: value".to_owned()),
            None => {}
        }
        if retry["revert_all"] == Value::Bool(true) {
            parts.push("revert_all: true".to_owned());
        }
        format!("{{ {} }}", parts.join(", "))
    }
}
