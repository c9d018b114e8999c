//! The files that a flow uses: sub-flows and task kinds, found by what they are called where they are used.
//!
//! A file and a [`Shelf`] enter; a bundle of all the files that are used leaves, with their declarations. A bundle
//! that is complete is read without a shelf: what a reference means is told by the paths in it alone, so it means the
//! same on every machine. Nothing here does I/O.

mod path;
mod texts;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use path::{EMBEDDED, FLOWS, file_stem, is_task_kind};
use path::{flow_paths, kind_paths};

use super::problem::Problems;
use super::{
    Body, Code, FileDeclaration, FlowDeclaration, KindDeclaration, Kinds, Notation, Problem,
    TaskDeclaration, TaskKindDeclaration, TaskKindForm, code, did_you_mean, read_file, shown,
};
use crate::model::{Bundle, SourceFile, Span, Spanned};

/// How many files a flow may use.
const MOST_FILES: usize = 1_000;

/// Where files come from that are not in the bundle yet.
pub trait Shelf {
    /// The file at a path, as [`Gathered::bundle`] is to call it: a path as the author would name it, or a name behind
    /// [`FLOWS`] or [`EMBEDDED`]. `None` if there is none.
    ///
    /// # Errors
    /// There is one that may not or cannot be read.
    fn read(&mut self, path: &str) -> Result<Option<SourceFile>, Refusal>;

    /// The names of the task kinds that a file at this path may use, beside those that are built in.
    fn kinds(&mut self, from: &str) -> Vec<String>;

    /// The names of the flows that a file at this path may use; for "did you mean".
    fn flows(&mut self, from: &str) -> Vec<String>;
}

/// A file may not or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code of the problem.
    pub code: Code,
    /// Why.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A flow with all that it uses.
#[derive(Debug)]
pub struct Gathered {
    /// All files; the flow's own is the first.
    pub bundle: Bundle,
    /// What it declares, as [`super::parse`] would give it.
    pub flow: Option<FlowDeclaration>,
    /// What is wrong, arranged.
    pub problems: Vec<Problem>,
}

/// The declarations of the files that a flow uses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Library {
    /// Their notations and their texts, by their places in the bundle.
    sources: Vec<(Notation, Arc<str>)>,
    /// By their places in the bundle.
    files: Vec<Option<FileDeclaration>>,
    /// What references to flows mean, by the file that they stand in.
    flows: HashMap<(u16, String), u16>,
    /// What kind keys mean, likewise.
    kinds: HashMap<(u16, String), u16>,
}

impl Library {
    /// The flow that a reference means.
    #[must_use]
    pub fn flow(&self, reference: &Spanned<String>) -> Option<&FlowDeclaration> {
        let key = (reference.span.file, reference.value.clone());
        match self.file(*self.flows.get(&key)?)? {
            FileDeclaration::Flow(flow) => Some(flow),
            FileDeclaration::TaskKind(_) => None,
        }
    }

    /// The task kind that a kind key means, if it is written in the language.
    #[must_use]
    pub fn kind(&self, name: &Spanned<String>) -> Option<&TaskKindDeclaration> {
        if self.kinds.is_empty() {
            return None;
        }
        let key = (name.span.file, name.value.clone());
        match self.file(*self.kinds.get(&key)?)? {
            FileDeclaration::TaskKind(kind) => Some(kind),
            FileDeclaration::Flow(_) => None,
        }
    }

    /// The flows among the files.
    pub fn flows(&self) -> impl Iterator<Item = &FlowDeclaration> {
        self.files.iter().flatten().filter_map(|file| match file {
            FileDeclaration::Flow(flow) => Some(&**flow),
            FileDeclaration::TaskKind(_) => None,
        })
    }

    /// The task kinds among the files.
    pub fn kinds(&self) -> impl Iterator<Item = &TaskKindDeclaration> {
        self.files.iter().flatten().filter_map(|file| match file {
            FileDeclaration::TaskKind(kind) => Some(&**kind),
            FileDeclaration::Flow(_) => None,
        })
    }

    /// A problem of one of the files, in the words of its notation and with the author's line corrected.
    #[must_use]
    pub fn spoken(&self, problem: Problem) -> Problem {
        match self.sources.get(usize::from(problem.span.file)) {
            Some((notation, text)) => problem.spoken(*notation, text),
            None => problem.spoken(Notation::Yaml, ""),
        }
    }

    fn file(&self, index: u16) -> Option<&FileDeclaration> {
        self.files.get(usize::from(index))?.as_ref()
    }
}

/// Reads a flow, and with it every file that it uses, from the bundle or from the shelf.
#[must_use]
pub fn gather(bundle: Bundle, kinds: &[&str], shelf: &mut dyn Shelf) -> Gathered {
    let Bundle { version, files } = bundle;
    let files = files.into_iter().map(Cow::Owned).collect();
    let (files, flow, problems) = Gathering::new(files, kinds, Some(shelf)).all();
    let files = files.into_iter().map(Cow::into_owned).collect();
    Gathered {
        bundle: Bundle { version, files },
        flow,
        problems,
    }
}

/// Reads a flow whose bundle is complete.
pub(super) fn read(bundle: &Bundle, kinds: &[&str]) -> (Option<FlowDeclaration>, Vec<Problem>) {
    let files = bundle.files.iter().map(Cow::Borrowed).collect();
    let (_, flow, problems) = Gathering::new(files, kinds, None).all();
    (flow, problems)
}

type Files<'a> = Vec<Cow<'a, SourceFile>>;

struct Gathering<'a> {
    files: Files<'a>,
    built_in: &'a [&'a str],
    shelf: Option<&'a mut dyn Shelf>,
    library: Library,
    /// From each file to those that it uses, with the places.
    uses: Vec<Vec<(u16, Span)>>,
    problems: Problems,
    complete: bool,
}

/// Something that a file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted<'d> {
    Flow(&'d str),
    Kind(&'d str),
}

impl<'a> Gathering<'a> {
    fn new(files: Files<'a>, built_in: &'a [&'a str], shelf: Option<&'a mut dyn Shelf>) -> Self {
        Self {
            files,
            built_in,
            shelf,
            library: Library::default(),
            uses: Vec::new(),
            problems: Problems::default(),
            complete: true,
        }
    }

    fn all(mut self) -> (Files<'a>, Option<FlowDeclaration>, Vec<Problem>) {
        if self.files.is_empty() {
            let nothing = Problem::error(code::EMPTY_FILE, Span::default(), "there is no flow")
                .help("name a file: NAME.flow.yaml");
            return (self.files, None, vec![nothing]);
        }
        let mut wanted = vec![0];
        while let Some(index) = wanted.pop() {
            self.one(index, &mut wanted);
        }
        self.cycles();
        self.texts();
        let sources = self.files.iter();
        let sources = sources.map(|file| (Notation::of_file(file), file.text.as_str().into()));
        self.library.sources = sources.collect();
        let problems = std::mem::take(&mut self.problems).into_arranged();
        let problems = problems.into_iter();
        let problems = problems.map(|problem| self.library.spoken(problem));
        let problems = problems.collect();
        let root = self.library.files.first_mut().and_then(Option::take);
        let flow = root.filter(|_| self.complete).map(|root| match root {
            FileDeclaration::Flow(flow) => *flow,
            FileDeclaration::TaskKind(kind) => by_itself(*kind),
        });
        let flow = flow.map(|flow| FlowDeclaration {
            library: self.library,
            ..flow
        });
        (self.files, flow, problems)
    }

    /// Reads one file, and finds what it uses.
    fn one(&mut self, index: u16, open: &mut Vec<u16>) {
        let at = usize::from(index);
        if self.library.files.get(at).is_some_and(Option::is_some) {
            return;
        }
        if self.library.files.len() <= at {
            self.library.files.resize(at + 1, None);
            self.uses.resize(at + 1, Vec::new());
        }
        let path = self.files[at].path.clone();
        let written = self.kinds_for(&path);
        let mut all: Vec<&str> = self.built_in.to_vec();
        let written = written.iter().map(String::as_str);
        all.extend(written.filter(|name| !self.built_in.contains(name)));
        let kinds = Kinds {
            all: &all,
            built_in: self.built_in,
        };
        let declaration = read_file(index, &self.files[at], kinds, &mut self.problems);
        let Some(declaration) = declaration else {
            self.complete = false;
            return;
        };
        let mut found = BTreeMap::new();
        match &declaration {
            FileDeclaration::Flow(flow) => in_body(&flow.body, &mut found),
            FileDeclaration::TaskKind(kind) => match &kind.form {
                TaskKindForm::Task { task, .. } => in_task(task, &mut found),
                TaskKindForm::Tasks(flow) => in_body(&flow.body, &mut found),
            },
        }
        for (wanted, span) in found {
            let known = self.files.len();
            match wanted {
                Wanted::Kind(name) if self.built_in.contains(&name) => {}
                Wanted::Kind(name) => {
                    if let Search::Found(file) = self.find(&kind_paths(&path, name), span) {
                        self.library.kinds.insert((index, name.to_owned()), file);
                        self.uses[at].push((file, span));
                    }
                }
                Wanted::Flow(reference) => match self.find(&flow_paths(&path, reference), span) {
                    Search::Found(file) => {
                        self.library
                            .flows
                            .insert((index, reference.to_owned()), file);
                        self.uses[at].push((file, span));
                    }
                    // What uses it is read all the same, as a task of which nothing is known.
                    Search::Nothing => {
                        self.missing(&path, reference, span);
                    }
                    Search::Told => {}
                },
            }
            let new = known..self.files.len();
            open.extend(new.filter_map(|file| u16::try_from(file).ok()));
        }
        // A complete bundle has files that nothing has asked for yet.
        for (file, _) in &self.uses[at] {
            let read = self.library.files.get(usize::from(*file));
            if read.is_none_or(Option::is_none) && !open.contains(file) && *file != index {
                open.push(*file);
            }
        }
        self.library.files[at] = Some(declaration);
    }

    fn kinds_for(&mut self, path: &str) -> Vec<String> {
        match &mut self.shelf {
            Some(shelf) => shelf.kinds(path),
            None => {
                let kinds = self.files.iter().filter(|file| is_task_kind(&file.path));
                kinds.map(|file| file_stem(&file.path).to_owned()).collect()
            }
        }
    }

    /// The first of some paths at which there is a file.
    fn find(&mut self, paths: &[String], span: Span) -> Search {
        for path in paths {
            let known = self.files.iter().position(|file| file.path == *path);
            if let Some(known) = known {
                return found(known);
            }
            let Some(shelf) = &mut self.shelf else {
                continue;
            };
            match shelf.read(path) {
                Ok(Some(_)) if self.files.len() >= MOST_FILES => {
                    let what = format!("the flow uses more than {MOST_FILES} files");
                    self.refuse(code::TOO_MANY_FILES, what, None, span);
                    return Search::Told;
                }
                Ok(Some(file)) => {
                    self.files.push(Cow::Owned(SourceFile {
                        path: path.clone(),
                        ..file
                    }));
                    return found(self.files.len() - 1);
                }
                Ok(None) => {}
                Err(refusal) => {
                    self.refuse(refusal.code, refusal.message, refusal.help, span);
                    return Search::Told;
                }
            }
        }
        Search::Nothing
    }

    fn refuse(&mut self, code: Code, message: String, help: Option<String>, span: Span) {
        self.complete = false;
        let mut problem = Problem::error(code, span, message);
        problem.help = help;
        self.problems.push(problem);
    }

    fn missing(&mut self, from: &str, reference: &str, span: Span) {
        let paths = flow_paths(from, reference);
        let homes = [FLOWS, EMBEDDED];
        let beside = paths
            .iter()
            .filter(|path| !homes.iter().any(|home| path.starts_with(home)));
        let looked: Vec<_> = beside.map(|path| format!("`{path}`")).collect();
        let further = match looked.len() < paths.len() && !from.starts_with(FLOWS) {
            true => ", and in the folders of the flows path",
            false => "",
        };
        let what = format!("there is no flow `{}`", shown(reference));
        let known = match &mut self.shelf {
            Some(shelf) => shelf.flows(from),
            None => Vec::new(),
        };
        // Endings are alike without meaning anything: names are compared, of paths or of what has none.
        let is_path = |flow: &str| file_stem(flow) != flow;
        let alike = known
            .iter()
            .filter(|flow| is_path(flow) == is_path(reference));
        let meant = did_you_mean(file_stem(reference), alike.clone().map(|f| file_stem(f)));
        let meant = meant.and_then(|stem| alike.clone().find(|flow| file_stem(flow) == stem));
        let problem = Problem::error(code::MISSING_FLOW, span, what);
        let problem = match meant {
            Some(meant) => problem.did_you_mean(reference, meant),
            None if looked.is_empty() => {
                problem.help(format!("there is none beside `{}`", file_stem(from)))
            }
            None => problem.help(format!("looked for {}{further}", looked.join(", "))),
        };
        self.problems.push(problem);
    }

    /// Files that use themselves, with the whole way.
    fn cycles(&mut self) {
        let mut state = vec![Visit::New; self.uses.len()];
        let mut way: Vec<(u16, Span)> = Vec::new();
        self.visit(0, &mut state, &mut way);
    }

    fn visit(&mut self, file: u16, state: &mut [Visit], way: &mut Vec<(u16, Span)>) {
        let at = usize::from(file);
        if at >= state.len() {
            return;
        }
        state[at] = Visit::Open;
        for (next, span) in self.uses[at].clone() {
            match state.get(usize::from(next)) {
                Some(Visit::New) => {
                    way.push((file, span));
                    self.visit(next, state, way);
                    way.pop();
                }
                Some(Visit::Open) => {
                    self.complete = false;
                    way.push((file, span));
                    let from = way.iter().position(|(file, _)| *file == next).unwrap_or(0);
                    let chain = &way[from..];
                    let name = |file: u16| format!("`{}`", self.files[usize::from(file)].path);
                    let mut names: Vec<_> = chain.iter().map(|(file, _)| name(*file)).collect();
                    names.push(name(next));
                    let what = format!("{} contains itself: {}", name(next), names.join(" → "));
                    let mut problem = Problem::error(code::CONTAINS_ITSELF, span, what);
                    for (_, span) in chain.iter().filter(|(_, other)| *other != span) {
                        problem = problem.related(*span, "on the way");
                    }
                    way.pop();
                    let help =
                        "a flow runs to its end and then is done: take one of these uses away";
                    self.problems.push(problem.help(help));
                }
                Some(Visit::Done) | None => {}
            }
        }
        state[at] = Visit::Done;
    }
}

/// What came of looking for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    Found(u16),
    Nothing,
    /// It may not be read, and that is told.
    Told,
}

fn found(index: usize) -> Search {
    u16::try_from(index).map_or(Search::Nothing, Search::Found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

fn in_body<'d>(body: &'d Body, found: &mut BTreeMap<Wanted<'d>, Span>) {
    for task in &body.tasks {
        in_task(task, found);
    }
}

fn in_task<'d>(task: &'d TaskDeclaration, found: &mut BTreeMap<Wanted<'d>, Span>) {
    let revert = task.revert.as_ref().and_then(|revert| revert.kind.as_ref());
    if let Some(kind) = revert {
        found.entry(Wanted::Kind(&kind.value)).or_insert(kind.span);
    }
    match &task.kind {
        KindDeclaration::Call { kind, .. } => {
            found.entry(Wanted::Kind(&kind.value)).or_insert(kind.span);
        }
        KindDeclaration::Flow { reference, .. } => {
            let wanted = Wanted::Flow(&reference.value);
            found.entry(wanted).or_insert(reference.span);
        }
        KindDeclaration::Group(body) => in_body(body, found),
    }
}

/// A task kind as a flow of its own: its parameters are the store.
fn by_itself(kind: TaskKindDeclaration) -> FlowDeclaration {
    match kind.form {
        TaskKindForm::Tasks(flow) => *flow,
        TaskKindForm::Task { task, .. } => {
            let body = Body {
                order: super::Order::Graph,
                tasks: vec![*task],
            };
            FlowDeclaration {
                about: kind.about,
                store: kind.params,
                ..FlowDeclaration::new(kind.name, body)
            }
        }
    }
}
