//! From what was posted to a plan, as every conductor does it again.
//!
//! A job's bundle and inputs enter; the plan leaves, or why the job cannot be run with this version of the program.

use crate::compile::{Input, Plan};
use crate::model::KindSchema;
use crate::ports::{JobRow, Kinds};
use crate::syntax::{self, Severity};

/// Compiles a job from what was posted; why it cannot be run, in words.
pub(super) fn compile(job: &JobRow, kinds: &Kinds) -> Result<Plan, String> {
    let schemas: Vec<&KindSchema> = kinds.schemas().collect();
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
    let (flow, mut problems) = syntax::parse(&job.bundle, &names);
    let plan = flow.and_then(|flow| {
        let (plan, more) = crate::compile::compile(&flow, &schemas);
        problems.extend(more);
        plan
    });
    let errors = problems.iter().filter(|p| p.severity == Severity::Error);
    if let Some(first) = errors.clone().next() {
        let (count, message) = (errors.count(), &first.message);
        return Err(format!(
            "it does not compile with this version ({count} errors): {message}"
        ));
    }
    let plan = plan.ok_or_else(|| "it does not compile with this version".to_owned())?;
    let values = job
        .inputs
        .iter()
        .map(|(name, value)| (name, Input::Value(value.clone())));
    let secrets = job
        .secrets
        .iter()
        .map(|(name, from)| (name, Input::Secret(from.clone())));
    let given = values
        .chain(secrets)
        .map(|(name, input)| (name.clone(), input));
    let plan = plan.with_inputs(&given.collect()).map_err(|problems| {
        let problems = problems.iter().map(ToString::to_string);
        format!(
            "its inputs do not fit: {}",
            problems.collect::<Vec<_>>().join("; ")
        )
    })?;
    if plan.digest != job.digest {
        let what = "with this version it compiles to another plan than when it was posted";
        return Err(format!(
            "{what} ({} instead of {})",
            plan.digest, job.digest
        ));
    }
    Ok(plan)
}
