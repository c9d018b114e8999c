//! Where the files are that a flow uses: beside it, in the flows path, or in the program itself.
//!
//! Paths enter as `syntax` makes them, texts leave. What stands outside of the flow's own folder is refused.

use std::path::{Path, PathBuf};

use super::flows::{self, Flows, Unread, names_in, read_file};
use crate::model::SourceFile;
use crate::syntax::{self, EMBEDDED, FLOWS, Refusal, Shelf, code, file_stem};
use crate::tasks;

/// The files that one flow may use.
#[derive(Debug)]
pub struct FlowShelf<'f> {
    flows: &'f Flows,
    /// The flow's folder; `None` if it comes with the program.
    folder: Option<PathBuf>,
}

impl<'f> FlowShelf<'f> {
    /// The files that the flow at `path` may use.
    pub(super) fn new(flows: &'f Flows, path: &str) -> Self {
        let folder = (!path.starts_with(EMBEDDED)).then(|| folder_of(Path::new(path)));
        Self { flows, folder }
    }

    fn read_beside(&self, path: &str) -> Result<Option<SourceFile>, Refusal> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let file = Path::new(path);
        if !self.flows.outside()
            && let (Ok(real), Ok(whole)) = (file.canonicalize(), folder.canonicalize())
            && !real.starts_with(&whole)
        {
            let message = match is_below(file, folder) {
                false => format!("`{path}` stands outside of the flow's folder"),
                true => format!(
                    "`{path}` is a link to `{}`, outside of the flow's folder",
                    real.display()
                ),
            };
            return Err(Refusal {
                code: code::OUTSIDE_FOLDER,
                message,
                help: Some("move it there, or allow it with `--outside`".to_owned()),
            });
        }
        self.read_at(file)
    }

    fn read_at(&self, path: &Path) -> Result<Option<SourceFile>, Refusal> {
        let refusal = |why: String| Refusal {
            code: code::UNREADABLE_FILE,
            message: format!("`{}` {why}", path.display()),
            help: None,
        };
        match read_file(path) {
            Ok(file) => Ok(Some(file)),
            Err(Unread::Missing) => Ok(None),
            Err(Unread::Folder) => Err(refusal("is a folder, not a file".to_owned())),
            Err(Unread::Device) => Err(refusal("is a pipe or a device, not a file".to_owned())),
            Err(Unread::System(error)) => Err(refusal(format!("cannot be read: {error}"))),
            Err(Unread::NoText(problem)) => Err(Refusal {
                code: problem.code,
                message: problem.message,
                help: problem.help,
            }),
        }
    }
}

impl Shelf for FlowShelf<'_> {
    fn read(&mut self, path: &str) -> Result<Option<SourceFile>, Refusal> {
        if let Some(name) = path.strip_prefix(EMBEDDED) {
            return Ok(embedded(name).map(|text| SourceFile {
                path: path.to_owned(),
                text: text.to_owned(),
            }));
        }
        if let Some(name) = path.strip_prefix(FLOWS) {
            if name.contains('/') || self.folder.is_none() {
                return Ok(None);
            }
            let folders = self.flows.folders().iter();
            let found = folders
                .map(|folder| folder.join(name))
                .find(|file| file.exists());
            return found.map_or(Ok(None), |file| self.read_at(&file));
        }
        self.read_beside(path)
    }

    fn kinds(&mut self, from: &str) -> Vec<String> {
        let mut kinds: Vec<String> = Vec::new();
        if self.folder.is_some() && !from.starts_with(EMBEDDED) && !from.starts_with(FLOWS) {
            kinds.extend(own_kinds(Path::new(from)));
        }
        kinds.extend(tasks::LIBRARY.iter().map(|(name, _)| (*name).to_owned()));
        kinds
    }

    fn flows(&mut self, from: &str) -> Vec<String> {
        let own = Path::new(from).file_name();
        let mut found = Vec::new();
        for known in names_in(&folder_of(Path::new(from))) {
            let file = known.path.as_deref().and_then(Path::file_name);
            // A flow never means itself.
            if file != own {
                found.extend(file.and_then(|file| file.to_str()).map(str::to_owned));
                found.push(known.name);
            }
        }
        let elsewhere = self.flows.known().into_iter();
        found.extend(elsewhere.map(|known| known.name));
        found
    }
}

/// The task kinds that stand beside a file, in `tasks/`.
pub fn own_kinds(from: &Path) -> Vec<String> {
    let folder = folder_of(from);
    let is_kind = from.to_str().is_some_and(syntax::is_task_kind);
    let folder = if is_kind {
        folder
    } else {
        folder.join("tasks")
    };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut kinds: Vec<String> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| syntax::is_task_kind(name))
        .map(|name| file_stem(&name).to_owned())
        .collect();
    kinds.sort();
    kinds
}

fn embedded(name: &str) -> Option<&'static str> {
    if let Some(task) = name.strip_prefix("tasks/") {
        let kinds = tasks::LIBRARY.iter();
        let mut kinds = kinds.filter(|(name, _)| task.strip_suffix(".task.yaml") == Some(name));
        return kinds.next().map(|(_, text)| *text);
    }
    let mut flows = flows::EMBEDDED.iter();
    let found = flows.find(|(flow, _)| name.strip_suffix(".flow.yaml") == Some(flow));
    found.map(|(_, text)| *text)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a path leads to below a folder, links not looked at.
fn is_below(path: &Path, folder: &Path) -> bool {
    match (std::path::absolute(path), std::path::absolute(folder)) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        (Err(_), _) | (_, Err(_)) => false,
    }
}
