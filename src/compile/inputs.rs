//! The inputs of a job: what is given is read as declared, and what is missing is told.
//!
//! A plan without inputs and what was given enter; the complete plan leaves, or everything that is wrong. Secrets are
//! not read here: a plan knows only where they are.

use indexmap::IndexMap;

use super::capability;
use super::digest;
use super::{AtomKind, Binding, Input, Plan, RetryTries, Template, Wait};
use crate::model::{Declared, Value, parse_duration};
use crate::syntax::{Severity, did_you_mean};

/// Something that is wrong with the inputs of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InputProblem {
    /// The name of the store, the task or the capability that it is about.
    pub name: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl InputProblem {
    fn new(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn unknown(plan: &Plan, name: &str) -> Self {
        let known = || plan.store.keys().map(String::as_str);
        let problem = Self::new(
            name,
            format!("`{}` has no `{name}` in its store", plan.name),
        );
        match did_you_mean(name, known()) {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None if plan.store.is_empty() => problem.help("its store is empty"),
            None => problem.help(format!("it has {}", known().collect::<Vec<_>>().join(", "))),
        }
    }

    fn missing(name: &str, declared: &Declared) -> Self {
        let problem = Self::new(name, format!("`{name}` must be set"));
        let about = declared.about.as_ref().map(|about| format!("; {about}"));
        problem.help(format!(
            "add `--set {name}=…`: {}{}",
            declared.ty.hint(),
            about.unwrap_or_default()
        ))
    }

    fn secret(name: &str, what: &str) -> Self {
        let help = format!("add `--secret {name}=env:NAME` or `--secret {name}=file:PATH`");
        Self::new(name, format!("the secret `{name}` {what}")).help(help)
    }
}

impl Plan {
    /// The plan with the inputs of a job: what is given, and the defaults of the rest.
    ///
    /// # Errors
    /// Everything that is wrong with what is given, and what is missing.
    pub fn with_inputs(
        mut self,
        given: &IndexMap<String, Input>,
    ) -> Result<Self, Vec<InputProblem>> {
        let mut problems = Vec::new();
        for name in given.keys().filter(|name| !self.store.contains_key(*name)) {
            problems.push(InputProblem::unknown(&self, name));
        }
        self.inputs = IndexMap::new();
        self.secrets = IndexMap::new();
        for (name, declared) in &self.store {
            let name = name.clone();
            let value = match (given.get(&name), declared.secret) {
                (Some(Input::Secret(source)), true) => {
                    self.secrets.insert(name, source.clone());
                    continue;
                }
                (None, true) => {
                    match &declared.from {
                        Some(source) => {
                            self.secrets.insert(name, source.clone());
                        }
                        None => {
                            let what = "does not say where it is read from";
                            problems.push(InputProblem::secret(&name, what));
                        }
                    }
                    continue;
                }
                (Some(Input::Text(_) | Input::Value(_)), true) => {
                    problems.push(InputProblem::secret(&name, "is never given as a value"));
                    continue;
                }
                (Some(Input::Secret(_)), false) => {
                    let problem = InputProblem::new(&name, format!("`{name}` is not a secret"));
                    problems.push(problem.help(format!("write `--set {name}=…`")));
                    continue;
                }
                (Some(Input::Text(text)), false) => declared.read(text),
                (Some(Input::Value(value)), false) => declared.check(value.clone()),
                (None, false) => match &declared.default {
                    Some(value) => declared.check(value.clone()),
                    None => {
                        problems.push(InputProblem::missing(&name, declared));
                        continue;
                    }
                },
            };
            match value {
                Ok(value) => {
                    self.inputs.insert(name, value);
                }
                Err(error) => {
                    problems.push(InputProblem::new(&name, format!("`{name}`: {error}")));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.expand()?;
        self.capabilities = self.rendered_capabilities(&mut problems);
        self.check_atoms(&mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        self.digest = digest::of(&self);
        Ok(self)
    }

    /// Makes the copies that the inputs ask for.
    fn expand(&mut self) -> Result<(), Vec<InputProblem>> {
        let Some(origins) = self.origins.take() else {
            return Ok(());
        };
        let (plan, problems) = origins.expanded(&self.inputs);
        let Some(plan) = plan else {
            let errors = problems.into_iter();
            let errors = errors.filter(|problem| problem.severity == Severity::Error);
            let errors = errors.map(|problem| InputProblem {
                name: self.name.clone(),
                message: problem.message,
                help: problem.help,
            });
            return Err(errors.collect());
        };
        *self = Self {
            inputs: std::mem::take(&mut self.inputs),
            secrets: std::mem::take(&mut self.secrets),
            ..plan
        };
        Ok(())
    }

    fn rendered_capabilities(&self, problems: &mut Vec<InputProblem>) -> Vec<Value> {
        let rendered = self.requirements.iter().filter_map(|requirement| {
            let name = requirement.name.clone();
            let Some(argument) = &requirement.argument else {
                return Some(Value::String(name));
            };
            let known = self.known(&requirement.needs);
            match known.and_then(|known| argument.render(&known)) {
                Ok(value) => {
                    if let Err(hint) = capability::check(&name, &value) {
                        let what = format!("the capability `{name}` wants {hint}, not `{value}`");
                        problems.push(InputProblem::new(&name, what));
                        return None;
                    }
                    Some(serde_json::json!({ name: value }))
                }
                Err(error) => {
                    problems.push(InputProblem::new(&name, error.0));
                    None
                }
            }
        });
        // Sub-flows may ask for the same.
        let mut all: Vec<Value> = Vec::new();
        for capability in rendered {
            if !all.contains(&capability) {
                all.push(capability);
            }
        }
        all
    }

    /// What can be told of retries and waits now that the inputs are known.
    fn check_atoms(&self, problems: &mut Vec<InputProblem>) {
        for atom in &self.atoms {
            match &atom.kind {
                AtomKind::Retry(retry) => {
                    let RetryTries::ForEach(values) = &retry.tries else {
                        continue;
                    };
                    let scope = &self.scope(atom.scope).name;
                    let Some(value) = self.told(values, &retry.needs, scope, problems) else {
                        continue;
                    };
                    let found = match &value {
                        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
                        Value::Array(_) => continue,
                        other => format!("no list: {other}"),
                    };
                    let text = values.expressions().first().map_or("", |e| e.text.as_str());
                    let what = format!("`{scope}` is tried for each of `{text}`, which is {found}");
                    problems.push(InputProblem::new(scope, what));
                }
                AtomKind::Task(task) => {
                    let Some(Wait::Instant(wait)) = &task.wait else {
                        continue;
                    };
                    let known = self.told(wait, &task.execute.needs, &atom.name, problems);
                    let Some(value) = known else { continue };
                    let fits = value.as_str().is_some_and(|text| {
                        parse_duration(text).is_some() || text.parse::<jiff::Timestamp>().is_ok()
                    });
                    if !fits {
                        let found = value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned);
                        let what = format!(
                            "`{}` waits for `{found}`, which is neither a duration nor an instant",
                            atom.name
                        );
                        let help =
                            "write a duration (10s, 1m30s) or an instant (2026-11-24T08:00:00Z)";
                        problems.push(InputProblem::new(&atom.name, what).help(help));
                    }
                }
                AtomKind::Start | AtomKind::End => {}
            }
        }
    }

    /// The value of a template, if it needs nothing but inputs.
    fn told(
        &self,
        template: &Template,
        needs: &[Binding],
        place: &str,
        problems: &mut Vec<InputProblem>,
    ) -> Option<Value> {
        if let Template::Literal(value) = template {
            return Some(value.clone());
        }
        let expressions = template.expressions();
        let mut names = expressions.iter().flat_map(|e| e.references());
        let input = |name: &str| {
            let known = needs.iter().find(|binding| binding.name == name);
            known.is_none_or(|binding| self.is_known(&binding.origin))
        };
        if !names.all(|reference| input(&reference.name)) {
            return None;
        }
        // What is not needed here may be of the kind that cannot be made yet.
        let names: Vec<_> = expressions.iter().flat_map(|e| e.references()).collect();
        let needed = needs
            .iter()
            .filter(|one| names.iter().any(|name| name.name == one.name));
        let needed: Vec<_> = needed.cloned().collect();
        self.known(&needed)
            .and_then(|known| template.render(&known))
            .map_err(|error| {
                problems.push(InputProblem::new(place, format!("`{place}`: {error}")));
            })
            .ok()
    }
}
