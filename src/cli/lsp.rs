//! `lsp`: the language server, for editors.

use std::cell::OnceCell;
use std::path::Path;

use clap::Args;

use super::config::Config;
use super::flows::Flows;
use super::kinds;
use super::report::{Error, Exit, Result};
use super::shelf::own_kinds;
use super::source;
use crate::lsp::{self, Kind, Workspace};
use crate::model::{Bundle, ConductorId, KindSchema, SourceFile};
use crate::syntax::{self, EMBEDDED, FlowDeclaration, Problem, TaskKindDeclaration, read_source};
use crate::tasks;

/// What `lsp` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
It speaks the Language Server Protocol by standard input and output; editors start it (docs/editors.md).")]
pub struct Arguments {
    /// What many editors add; it is so anyway
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves an editor until it says goodbye.
///
/// # Errors
/// What comes in is not the protocol.
pub fn run(config: &Config, _: &Arguments) -> Result {
    let built_in = source::kinds(&ConductorId(String::new()));
    let program = Program {
        flows: config.all_flows(),
        built_in: built_in.schemas().copied().collect(),
        library: OnceCell::new(),
    };
    let (connection, threads) = lsp::stdio();
    lsp::serve(&connection, &program).map_err(|error| {
        Error::input("the editor does not speak the Language Server Protocol")
            .because(error.as_ref())
    })?;
    // The threads end when nobody holds the connection.
    drop(connection);
    threads.join()?;
    Ok(Exit::Success)
}

/// This program, as the language server asks it.
struct Program {
    flows: Flows,
    built_in: Vec<KindSchema>,
    library: OnceCell<Vec<Kind>>,
}

impl Program {
    /// What a flow at that path comes to that has these tasks.
    fn probe(&self, path: &str, tasks: &str) -> Option<FlowDeclaration> {
        // Beside it, in YAML, whatever the flow is written in.
        let path = Path::new(path).with_file_name(kinds::HERE);
        let path = path.to_str()?;
        let file = SourceFile {
            path: path.to_owned(),
            text: format!("tasks: {{ {tasks} }}\n"),
        };
        let bundle = Bundle {
            version: 1,
            files: vec![file],
        };
        let names: Vec<&str> = self.built_in.iter().map(|schema| schema.name).collect();
        let mut shelf = self.flows.shelf(path);
        syntax::gather(bundle, &names, &mut shelf).flow
    }

    /// The kinds of these names that a flow at that path finds.
    fn written(&self, path: &str, names: &[String]) -> Vec<TaskKindDeclaration> {
        let tasks = names.iter().enumerate();
        let tasks: Vec<String> = tasks
            .map(|(at, name)| format!("probe{at}: {{ {name}: {{}} }}"))
            .collect();
        let flow = self.probe(path, &tasks.join(", "));
        flow.map_or(Vec::new(), |flow| flow.library.kinds().cloned().collect())
    }
}

impl Workspace for Program {
    fn kinds(&self, path: &str) -> Vec<Kind> {
        let own = own_kinds(Path::new(path));
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        let own: Vec<Kind> = self
            .written(path, &own)
            .iter()
            .filter(|kind| own.contains(&kind.name.value))
            .map(|kind| {
                let file = folder.join(format!("tasks/{}.task.yaml", kind.name.value));
                Kind::written(kind, file.to_str().map(str::to_owned))
            })
            .collect();
        let library = self.library.get_or_init(|| {
            let names = tasks::LIBRARY.iter().map(|(name, _)| (*name).to_owned());
            let beside = format!("{EMBEDDED}lsp.flow.yaml");
            let found = self.written(&beside, &names.collect::<Vec<_>>());
            found.iter().map(|kind| Kind::written(kind, None)).collect()
        });
        let hidden = |kind: &&Kind| own.iter().all(|own| own.name != kind.name);
        let library: Vec<Kind> = library.iter().filter(hidden).cloned().collect();
        let built_in = self.built_in.iter().map(Kind::built_in);
        built_in.chain(own).chain(library).collect()
    }

    fn sub_flow(&self, path: &str, reference: &str) -> Option<Kind> {
        // As JSON, a text is one value in YAML, whatever it holds.
        let reference = serde_json::to_string(reference).ok()?;
        let flow = self.probe(path, &format!("probe: {{ flow: {reference} }}"))?;
        flow.library.flows().next().map(Kind::sub_flow)
    }

    fn check(&self, path: &str, text: &str) -> (Bundle, Vec<Problem>) {
        let read = read_source(path, text.as_bytes());
        let (files, problems) = match read {
            Ok(file) => (vec![file], None),
            Err(problem) => (Vec::new(), Some(vec![*problem])),
        };
        let bundle = Bundle { version: 1, files };
        match problems {
            Some(problems) => (bundle, problems),
            None => {
                let (bundle, (_, problems)) = source::check_with(&self.flows, bundle);
                (bundle, problems)
            }
        }
    }
}
