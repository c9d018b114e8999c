//! From a flow's name to its plan: read, parse, compile; or all that is wrong with it.

use std::sync::Arc;

use super::diagnostics::has_errors;
use super::flows::Flows;
use super::report::{Error, Exit, Result};
use crate::compile::{self, Input, Plan};
use crate::model::{Bundle, ConductorId, KindSchema};
use crate::ports::{JobRow, Kinds, SystemClock};
use crate::syntax::{self, FlowDeclaration, Problem};
use crate::tasks;

/// A flow that compiles.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its text.
    pub bundle: Bundle,
    /// What it declares.
    pub declaration: FlowDeclaration,
    /// What is to be done, without values for its store.
    pub plan: Plan,
    /// What is wrong with it, although it can be run.
    pub warnings: Vec<Problem>,
}

/// The kinds that this program knows, for a conductor of that id. Nothing is started before the first call.
#[must_use]
pub fn kinds(conductor: &ConductorId) -> Kinds {
    let guard = tasks::guard::this_program();
    tasks::builtin(tasks::Settings::new(
        conductor.0.clone(),
        guard,
        Arc::new(SystemClock),
    ))
}

impl Source {
    /// Reads and compiles a flow.
    ///
    /// # Errors
    /// There is no such flow, or all that is wrong with it.
    pub fn open(flows: &Flows, name: &str) -> Result<Self> {
        Self::compile(flows, flows.open(name)?)
    }

    /// Compiles a flow.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn compile(flows: &Flows, bundle: Bundle) -> Result<Self> {
        let (bundle, checked) = check_with(flows, bundle);
        match checked {
            (Some((declaration, plan)), warnings) => Ok(Self {
                bundle,
                declaration,
                plan,
                warnings,
            }),
            (None, problems) => Err(Error::Flow { bundle, problems }),
        }
    }
}

/// What a flow comes to if it can be run, and all that is wrong with it.
pub type Checked = (Option<(FlowDeclaration, Plan)>, Vec<Problem>);

/// Checks a flow of which the bundle has the first file; the bundle that comes back has all that it uses.
#[must_use]
pub fn check_with(flows: &Flows, bundle: Bundle) -> (Bundle, Checked) {
    let kinds = kinds(&ConductorId(String::new()));
    let schemas: Vec<_> = kinds.schemas().collect();
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
    let path = bundle.files.first().map_or("", |file| file.path.as_str());
    let mut shelf = flows.shelf(path);
    let gathered = syntax::gather(bundle, &names, &mut shelf);
    let checked = compiled(gathered.flow, gathered.problems, &schemas);
    (gathered.bundle, checked)
}

/// Checks a flow whose bundle is complete.
#[must_use]
pub fn check(bundle: &Bundle) -> Checked {
    let kinds = kinds(&ConductorId(String::new()));
    let schemas: Vec<_> = kinds.schemas().collect();
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
    let (declaration, problems) = syntax::parse(bundle, &names);
    compiled(declaration, problems, &schemas)
}

fn compiled(
    declaration: Option<FlowDeclaration>,
    mut problems: Vec<Problem>,
    schemas: &[&KindSchema],
) -> Checked {
    let plan = declaration.and_then(|declaration| {
        let (plan, more) = compile::compile(&declaration, schemas);
        problems.extend(more);
        plan.map(|plan| (declaration, plan))
    });
    let problems = syntax::arrange(problems);
    (plan.filter(|_| !has_errors(&problems)), problems)
}

/// The plan of a job, compiled from what was stored with it.
///
/// # Errors
/// This program does not understand what another version of it has posted.
pub fn plan_of(job: &JobRow) -> Result<Arc<Plan>> {
    let values = job
        .inputs
        .iter()
        .map(|(name, value)| (name.clone(), Input::Value(value.clone())));
    let secrets = job
        .secrets
        .iter()
        .map(|(name, source)| (name.clone(), Input::Secret(source.clone())));
    let given = values.chain(secrets).collect();
    check(&job.bundle)
        .0
        .and_then(|(_, plan)| plan.with_inputs(&given).ok())
        .map(Arc::new)
        .ok_or_else(|| {
            Error::said(
                Exit::Stuck,
                format!(
                    "the flow `{}` of this job does not compile with this version",
                    job.name
                ),
            )
            .help("use the version of jobrunner that posted it")
        })
}
