//! The task kinds that are written in the language, as a flow somewhere would find them.
//!
//! The path of a flow enters, declarations leave, or what is wrong with one.

use std::path::Path;

use super::config::Config;
use super::diagnostics::has_errors;
use super::report::{Error, Result};
use super::shelf::own_kinds;
use crate::model::{Bundle, KindSchema, SourceFile};
use crate::syntax::{self, Gathered, TaskKindDeclaration};

/// The path of a flow in this folder that need not be there.
pub const HERE: &str = "-.flow.yaml";

/// The names of the kinds that are written in the language.
pub fn names(from: &str) -> Vec<String> {
    let embedded = crate::tasks::LIBRARY
        .iter()
        .map(|(name, _)| (*name).to_owned());
    let mut names: Vec<String> = own_kinds(Path::new(from))
        .into_iter()
        .chain(embedded)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A kind that is written in the language, as a flow at `from` would find it; `None` if there is none.
///
/// # Errors
/// Its file does not compile.
pub fn written(
    config: &Config,
    from: &str,
    name: &str,
    built_in: &[&KindSchema],
) -> Result<Option<TaskKindDeclaration>> {
    if !names(from).iter().any(|known| known == name) {
        return Ok(None);
    }
    let probe = SourceFile {
        path: from.to_owned(),
        text: format!("tasks: {{ probe: {{ {name}: {{}} }} }}\n"),
    };
    let bundle = Bundle {
        version: 1,
        files: vec![probe],
    };
    let schemas: Vec<&str> = built_in.iter().map(|schema| schema.name).collect();
    let flows = config.all_flows();
    let mut shelf = flows.shelf(from);
    let Gathered {
        bundle,
        flow,
        problems,
    } = syntax::gather(bundle, &schemas, &mut shelf);
    let kind = flow.and_then(|flow| {
        flow.library
            .kinds()
            .find(|kind| kind.name.value == name)
            .cloned()
    });
    match kind.filter(|_| !has_errors(&problems)) {
        Some(kind) => Ok(Some(kind)),
        None => Err(Error::Flow { bundle, problems }),
    }
}

/// All kinds that a flow at `from` may use; those that do not compile are left out.
#[must_use]
pub fn all(config: &Config, from: &str, built_in: &[&KindSchema]) -> Vec<TaskKindDeclaration> {
    let names = names(from).into_iter();
    names
        .filter_map(|name| written(config, from, &name, built_in).ok().flatten())
        .collect()
}
