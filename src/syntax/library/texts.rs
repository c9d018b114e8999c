//! Files of text that are given to a parameter of the type `file` or `template`: what is posted is their text.
//!
//! Declarations enter, with paths where such a file is meant; they leave with the text of the file in its place.

use std::collections::{BTreeSet, HashMap};

use super::path::file_path;
use super::{Gathering, Search};
use crate::model::{Declared, Span, Spanned};
use crate::syntax::{
    Body, Code, FileDeclaration, KindDeclaration, Node, NodeValue, Problem, Style, TaskDeclaration,
    TaskKindForm, code, shown,
};

/// How long such a text may be, in bytes; as long as any value.
const MOST_BYTES: usize = 1 << 20;

/// What a file takes that is used by others.
#[derive(Default)]
struct Takes {
    /// The names whose values are files.
    names: BTreeSet<String>,
    /// The one that is meant if no mapping is written.
    shorthand: Option<String>,
}

impl Takes {
    fn of(file: &FileDeclaration) -> Self {
        let names = |store: &[(Spanned<String>, Declared)]| {
            let files = store.iter().filter(|(_, declared)| declared.ty.is_file());
            files.map(|(name, _)| name.value.clone()).collect()
        };
        match file {
            FileDeclaration::Flow(flow) => Self {
                names: names(&flow.store),
                shorthand: None,
            },
            FileDeclaration::TaskKind(kind) => Self {
                names: names(&kind.params),
                shorthand: kind.shorthand.as_ref().map(|name| name.value.clone()),
            },
        }
    }
}

/// A path that stands where the text of the file is to stand.
struct Place<'n> {
    node: &'n mut Node,
    name: String,
}

impl Gathering<'_> {
    /// Puts the texts of files into the places where their paths are written.
    pub(super) fn texts(&mut self) {
        let files = self.library.files.iter();
        let takes: Vec<Takes> = files
            .map(|file| file.as_ref().map(Takes::of).unwrap_or_default())
            .collect();
        if takes.iter().all(|takes| takes.names.is_empty()) {
            return;
        }
        for index in 0..takes.len() {
            let Some(mut file) = self.library.files[index].take() else {
                continue;
            };
            let body = match &mut file {
                FileDeclaration::Flow(flow) => Some(&mut flow.body),
                FileDeclaration::TaskKind(kind) => match &mut kind.form {
                    TaskKindForm::Tasks(flow) => Some(&mut flow.body),
                    TaskKindForm::Task { .. } => None,
                },
            };
            let number = u16::try_from(index).unwrap_or(u16::MAX);
            let mut places = Vec::new();
            if let Some(body) = body {
                self.in_body(number, body, &takes, &mut places);
            }
            let own = &takes[index].names;
            let from = self.files[index].path.clone();
            for place in places {
                self.fill(&from, own, place);
            }
            self.library.files[index] = Some(file);
        }
    }

    fn in_body<'n>(
        &self,
        file: u16,
        body: &'n mut Body,
        takes: &[Takes],
        places: &mut Vec<Place<'n>>,
    ) {
        for task in &mut body.tasks {
            self.in_task(file, task, takes, places);
        }
    }

    fn in_task<'n>(
        &self,
        file: u16,
        task: &'n mut TaskDeclaration,
        takes: &[Takes],
        places: &mut Vec<Place<'n>>,
    ) {
        let used = |known: &HashMap<(u16, String), u16>, name: &str| {
            let used = known.get(&(file, name.to_owned()))?;
            takes.get(usize::from(*used))
        };
        match &mut task.kind {
            KindDeclaration::Group(body) => self.in_body(file, body, takes, places),
            KindDeclaration::Flow { reference, with } => {
                if let Some(takes) = used(&self.library.flows, &reference.value) {
                    for (name, node) in with {
                        if takes.names.contains(&name.value) {
                            let name = name.value.clone();
                            places.push(Place { node, name });
                        }
                    }
                }
            }
            KindDeclaration::Call { kind, params } => {
                let Some(takes) = used(&self.library.kinds, &kind.value) else {
                    return;
                };
                let bare = matches!(params.value, NodeValue::Scalar { .. });
                if let (true, Some(name)) = (bare, &takes.shorthand) {
                    if takes.names.contains(name) {
                        let name = name.clone();
                        places.push(Place { node: params, name });
                    }
                } else if let NodeValue::Map(entries) = &mut params.value {
                    for (key, node) in entries {
                        if takes.names.contains(&key.text) {
                            let name = key.text.clone();
                            places.push(Place { node, name });
                        }
                    }
                }
            }
        }
    }

    /// Replaces one path by the text of its file. A name that is a file itself is left as it is.
    fn fill(&mut self, from: &str, own: &BTreeSet<String>, place: Place<'_>) {
        let Place { node, name } = place;
        let span = node.span;
        let NodeValue::Scalar { text, style } = &mut node.value else {
            // What is wrong with it is told where it is read.
            return;
        };
        if text.contains("{{") {
            let inside = text.trim().strip_prefix("{{");
            let inside = inside.and_then(|text| text.strip_suffix("}}"));
            if inside.is_some_and(|name| own.contains(name.trim())) {
                return;
            }
            let what = format!("`{name}` is a file, and this is a template");
            let help = "write its path out: the file is read when the flow is posted, before a template has a value";
            self.wrong(code::WRONG_TYPE, what, help, span);
            return;
        }
        match self.find(&[file_path(from, text)], span) {
            Search::Found(found) => {
                let whole = &self.files[usize::from(found)].text;
                if whole.len() > MOST_BYTES {
                    let what = format!("`{}` is larger than 1 MiB", shown(text));
                    let help = "give the task its path, and let it read the file";
                    self.wrong(code::VALUE_TOO_LARGE, what, help, span);
                    return;
                }
                text.clone_from(whole);
                *style = Style::File;
            }
            Search::Nothing => {
                let path = file_path(from, text);
                let what = format!("there is no file `{}`", shown(&path));
                let help =
                    "a path is looked for from the folder of the file in which it is written";
                self.problems
                    .push(Problem::error(code::MISSING_FILE, span, what).help(help));
                // An empty text stands for it, so that all else that is wrong is told too.
                text.clear();
                *style = Style::File;
            }
            Search::Told => {}
        }
    }

    fn wrong(&mut self, code: Code, what: String, help: &str, span: Span) {
        self.complete = false;
        self.problems
            .push(Problem::error(code, span, what).help(help));
    }
}
