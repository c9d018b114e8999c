//! From what the plays have come to, to the report.

use super::failures::Findings;
use super::places::Places;
use super::report::{Assumption, Code, Effect, Rehearsed, Report, Success, VERSION, Warning};
use super::tale::effect;
use super::{Budget, Rehearsal};
use crate::compile::Plan;
use crate::model::{AtomId, FlowState};

pub(super) fn tell(
    plan: &Plan,
    places: &Places,
    assumptions: Vec<Assumption>,
    mut found: Findings,
    rehearsal: &Rehearsal,
    budget: &Budget,
) -> Report {
    let played = found.for_good.len();
    let mut tasks = Vec::new();
    for (index, atom) in plan.atoms.iter().enumerate() {
        let id = AtomId(index as u32);
        let Some(task) = plan.task(id) else {
            continue;
        };
        tasks.push(Rehearsed {
            task: atom.name.clone(),
            kind: task.kind().to_owned(),
            place: places.of(&atom.name),
            runs: found.runs.contains(&id),
            effect: effect(plan, id),
            fails_once: found.once.remove(&id),
            fails: found.for_good.remove(&id),
            revert_fails: found.revert.remove(&id),
            conductor_dies: found.forward.of(plan, id),
        });
    }
    let sampled = rehearsal.sample.len() < tasks.len() || !budget.is_left();
    let success = found.success;
    let warnings = warnings(plan, places, &success, &tasks);
    let located = assumptions.into_iter().map(|assumption| Assumption {
        place: places.of(&assumption.of),
        ..assumption
    });
    Report {
        version: VERSION,
        flow: plan.name.clone(),
        assumptions: located.collect(),
        dies_forward: found.forward.told(plan, None),
        dies_backward: found.backward,
        sampled: sampled.then_some(played),
        plays: budget.plays,
        success,
        tasks,
        warnings,
    }
}

fn warnings(plan: &Plan, places: &Places, success: &Success, tasks: &[Rehearsed]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(end) = success.end.filter(|end| *end != FlowState::Success) {
        let cause = success
            .cause
            .as_ref()
            .map_or_else(String::new, |why| format!(": {why}"));
        warnings.push(Warning {
            code: Code::NeverSucceeds,
            task: plan.name.clone(),
            place: places.of(&plan.name),
            what: format!("even if every task succeeds, the flow ends {end}{cause}"),
            write: "a longer `timeout`, or shorter sleeps and delays".to_owned(),
        });
    }
    for task in tasks {
        let mut warn = |code, what: String, write: &str| {
            warnings.push(Warning {
                code,
                task: task.task.clone(),
                place: task.place.clone(),
                what,
                write: write.to_owned(),
            });
        };
        if task.effect == Effect::Left && task.runs {
            let what = format!("nothing undoes what `{}` ({}) does", task.task, task.kind);
            warn(Code::EffectLeft, what, "revert: …");
        }
        if let Some(fails) = &task.revert_fails
            && fails.tries == 1
            && fails.ending.end == Some(FlowState::Stuck)
        {
            let what = format!(
                "a revert of `{}` that fails once leaves the flow STUCK",
                task.task
            );
            warn(
                Code::RevertTriedOnce,
                what,
                "revert: { …, retry: { times: 3 } }",
            );
        }
    }
    warnings
}
