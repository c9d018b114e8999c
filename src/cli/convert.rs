//! `convert`: a flow file in the other notation. It is printed only if it means the same.

use std::path::{Path, PathBuf};

use clap::Args;

use super::config::Config;
use super::flows::{Flows, open_file};
use super::fmt::{Written, refused};
use super::report::{self, Error, Exit, Result};
use super::rewrite::{STDIN, replace, stdin};
use super::source;
use super::words::typed;
use crate::format;
use crate::model::{Bundle, ConductorId, SourceFile};
use crate::syntax::{Code, Notation, Problem, Severity};

/// What `convert` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Comments come along, and the plan is the same: if it were not, nothing would be printed.\n\n\
Examples:\n  jobrunner convert build.flow.yaml -o build.flow\n  jobrunner convert build.flow\n  \
jobrunner convert - --to text < build.flow.yaml"
)]
pub struct Arguments {
    /// The file: `.flow` is the text notation, `.yaml` YAML; `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Where it is written; without it, to standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// The notation that is wanted; without it, the other one
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "yaml|text"
    )]
    to: Option<Written>,
}

/// Converts the file.
///
/// # Errors
/// The file cannot be read, or there is something in it that the other notation would not say.
pub fn run(config: &Config, arguments: &Arguments) -> Result {
    let wanted = arguments.to.map(Notation::from);
    let bundle = match arguments.file.as_str() {
        STDIN => Bundle {
            version: 1,
            files: vec![stdin(wanted.map(Notation::other))?],
        },
        path => open_file(Path::new(path))?,
    };
    let Some(file) = bundle.files.first() else {
        return Err(Error::input("there is nothing to convert"));
    };
    let text = match wanted {
        // It has that notation already.
        Some(wanted) if wanted == Notation::of_file(file) => {
            format::format(file).map_err(|refusal| refused(file, refusal))?
        }
        Some(_) | None => converted(&config.all_flows(), &arguments.file, file)?,
    };
    match &arguments.output {
        Some(path) => replace(path, &text)?,
        None => report::print(&text)?,
    }
    Ok(Exit::Success)
}

/// A file, which was named `name`, in the other notation, after a look whether it is the same flow.
fn converted(flows: &Flows, name: &str, file: &SourceFile) -> Result<String> {
    let kinds = source::kinds(&ConductorId(String::new()));
    let schemas: Vec<_> = kinds.schemas().collect();
    let text = format::convert(file, &schemas).map_err(|refusal| refused(file, refusal))?;
    let other = SourceFile {
        path: format::other_path(&file.path),
        text: text.clone(),
    };
    let (bundle, (before, problems)) = check(flows, file.clone());
    let (_, (after, others)) = check(flows, other);
    let plan = |checked: &Option<(_, crate::compile::Plan)>| {
        checked.as_ref().map(|(_, plan)| plan.outline())
    };
    if plan(&before) == plan(&after) && errors(&problems) == errors(&others) {
        if before.is_none() {
            let name = typed(name);
            report::hint(&format!(
                "the flow has errors, in both notations: jobrunner check {name}"
            ))?;
        }
        return Ok(text);
    }
    match before {
        // What is wrong with it would not be wrong, or something else would be.
        None => Err(Error::Flow { bundle, problems }),
        Some(_) => Err(refused(file, format::Refusal::Changed("its plan differs"))),
    }
}

fn check(flows: &Flows, file: SourceFile) -> (Bundle, source::Checked) {
    let bundle = Bundle {
        version: 1,
        files: vec![file],
    };
    source::check_with(flows, bundle)
}

/// The codes of what keeps a flow from being run. What is said in one notation alone, as about quotes, does not.
fn errors(problems: &[Problem]) -> Vec<Code> {
    let errors = problems.iter().filter(|p| p.severity == Severity::Error);
    let mut codes: Vec<_> = errors.map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes
}
