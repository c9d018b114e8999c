//! Where flows come from: a path, the folders of the flows path, or the program itself.
//!
//! A name or a path enters, the text leaves as a bundle. Nothing is parsed here.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::report::{Error, Result};
pub use super::shelf::FlowShelf;
use super::words;
use crate::model::{Bundle, SourceFile};
use crate::syntax::{
    EMBEDDED as EMBEDDED_PATH, MAX_SOURCE_BYTES, Problem, did_you_mean, read_source,
};

/// The flows that come with the program, by name.
pub(super) const EMBEDDED: [(&str, &str); 2] = [
    ("hello", include_str!("../../flows/hello.flow.yaml")),
    (
        "http_server",
        include_str!("../../flows/http_server.flow.yaml"),
    ),
];

/// How the files of flows end. Of two files of one name in one folder, the one whose ending comes first is meant.
const ENDINGS: [&str; 3] = [".flow.yaml", ".flow.yml", ".flow"];

/// The folders in which flows are looked up by name, and the flows that come with the program.
#[derive(Debug, Clone)]
pub struct Flows {
    folders: Vec<PathBuf>,
    /// Whether a flow may use files outside of its folder.
    outside: bool,
}

/// A flow that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Where it stands; `None` if it comes with the program.
    pub path: Option<PathBuf>,
}

impl Flows {
    /// The flows in these folders. `outside` lets them use files outside of their own.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>, outside: bool) -> Self {
        Self { folders, outside }
    }

    /// Where the files are that a flow uses which is read from `path`.
    #[must_use]
    pub fn shelf(&self, path: &str) -> FlowShelf<'_> {
        FlowShelf::new(self, path)
    }

    /// The folders of the flows path.
    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Whether a flow may use files outside of its folder.
    pub(super) fn outside(&self) -> bool {
        self.outside
    }

    /// Every flow that can be named, by name. Of two of one name, the one that is found first.
    #[must_use]
    pub fn known(&self) -> Vec<Known> {
        let mut known: Vec<Known> = Vec::new();
        let in_folders = self.folders.iter().flat_map(|folder| names_in(folder));
        let embedded = EMBEDDED.iter().map(|(name, _)| Known {
            name: (*name).to_owned(),
            path: None,
        });
        for flow in in_folders.chain(embedded) {
            if !known.iter().any(|k| k.name == flow.name) {
                known.push(flow);
            }
        }
        known.sort_by(|a, b| a.name.cmp(&b.name));
        known
    }

    /// The flow at a path or of a name.
    ///
    /// # Errors
    /// There is none, or it cannot be read, is too large, or is not text.
    pub fn open(&self, flow: &str) -> Result<Bundle> {
        if is_path(flow) {
            return open_file(Path::new(flow));
        }
        if let Some(known) = self.known().into_iter().find(|known| known.name == flow) {
            return self.open_known(&known);
        }
        if Path::new(flow).exists() {
            return open_file(Path::new(flow));
        }
        Err(self.unknown(flow))
    }

    /// A flow that is known.
    ///
    /// # Errors
    /// As [`Flows::open`].
    pub fn open_known(&self, known: &Known) -> Result<Bundle> {
        match &known.path {
            Some(path) => open_file(path),
            None => {
                let text = EMBEDDED
                    .iter()
                    .find(|(name, _)| *name == known.name)
                    .map_or("", |(_, text)| text);
                Ok(bundle(SourceFile {
                    path: format!("{EMBEDDED_PATH}{}.flow.yaml", known.name),
                    text: text.to_owned(),
                }))
            }
        }
    }

    fn unknown(&self, flow: &str) -> Error {
        let known = self.known();
        let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
        let said = Error::input(format!("there is no flow `{flow}`"));
        let said = match did_you_mean(flow, names.iter().copied()) {
            Some(meant) => said.help(format!("did you mean `{meant}`?")),
            None => said.help(format!("the flows are {}", words::list(names))),
        };
        said.help(
            "a flow is a path, such as ./build.flow.yaml, or a name in the flows path (`--flows`)",
        )
    }
}

/// The text of a file.
///
/// # Errors
/// There is none, or it cannot be read, is too large, or is not text.
pub(super) fn open_file(path: &Path) -> Result<Bundle> {
    let name = path.display();
    let refuse = |why: String| Error::input(format!("the flow `{name}` {why}"));
    match read_file(path) {
        Ok(file) => Ok(bundle(file)),
        Err(Unread::Missing) => Err(missing(path)),
        Err(Unread::Folder) => {
            let inside = names_in(path);
            let said = refuse("is a folder, not a file".to_owned());
            Err(match inside.first() {
                Some(first) => said.help(format!(
                    "it holds {}; name one of them, such as {}/{}.flow.yaml",
                    words::list(inside.iter().map(|known| known.name.as_str())),
                    name.to_string().trim_end_matches('/'),
                    first.name
                )),
                None => said,
            })
        }
        Err(Unread::Device) => {
            // Opening a pipe waits for whoever writes to it, for ever if nobody does.
            let said = refuse("is a pipe or a device, not a file".to_owned());
            Err(said.help("save the flow as NAME.flow.yaml and name that file"))
        }
        Err(Unread::System(error)) => Err(refuse("cannot be read".to_owned()).because(&error)),
        Err(Unread::NoText(problem)) => Err(Error::Flow {
            bundle: Bundle {
                version: 1,
                files: Vec::new(),
            },
            problems: vec![*problem],
        }),
    }
}

/// Why a file has not been read.
#[derive(Debug)]
pub(super) enum Unread {
    Missing,
    Folder,
    Device,
    System(io::Error),
    NoText(Box<Problem>),
}

/// Reads a file of text.
pub(super) fn read_file(path: &Path) -> std::result::Result<SourceFile, Unread> {
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::System(error),
    };
    let about = fs::metadata(path).map_err(unread)?;
    if about.is_dir() {
        return Err(Unread::Folder);
    }
    if !about.is_file() {
        return Err(Unread::Device);
    }
    let file = File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    read_source(path.display().to_string(), &bytes).map_err(Unread::NoText)
}

fn missing(path: &Path) -> Error {
    let said = Error::input(format!("there is no file `{}`", path.display()));
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let meant = path
        .file_name()
        .and_then(|name| did_you_mean(name.to_str()?, names.iter().map(String::as_str)));
    match meant {
        Some(meant) => said.help(format!(
            "did you mean `{}`?",
            path.with_file_name(meant).display()
        )),
        None => said,
    }
}

fn is_path(flow: &str) -> bool {
    flow.contains(std::path::MAIN_SEPARATOR)
        || ENDINGS.iter().any(|ending| flow.ends_with(ending))
        || flow.ends_with(".yaml")
}

pub(super) fn names_in(folder: &Path) -> Vec<Known> {
    let mut known: Vec<(usize, Known)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let file = path.file_name()?.to_str()?;
            let endings = ENDINGS.iter().enumerate();
            let (rank, name) = endings
                .filter_map(|(rank, ending)| Some((rank, file.strip_suffix(ending)?)))
                .next()?;
            let known = Known {
                name: name.to_owned(),
                path: Some(path.clone()),
            };
            (!name.is_empty()).then_some((rank, known))
        })
        .collect();
    known.sort_by(|(a, first), (b, second)| (&first.name, a).cmp(&(&second.name, b)));
    known.dedup_by(|(_, later), (_, first)| later.name == first.name);
    known.into_iter().map(|(_, known)| known).collect()
}

fn bundle(file: SourceFile) -> Bundle {
    Bundle {
        version: 1,
        files: vec![file],
    }
}
