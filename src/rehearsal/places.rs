//! Where the tasks and groups of a flow stand in their file.

use std::collections::HashMap;

use super::report::Place;
use crate::model::{Bundle, Span};
use crate::syntax::{Body, FlowDeclaration, KindDeclaration, LineIndex, TaskKindForm};

/// How many places are looked up; sub-flows in sub-flows may be any number.
const MOST: usize = 500_000;

/// The places of tasks and groups, by full name.
#[derive(Debug, Clone, Default)]
pub struct Places(HashMap<String, Place>);

impl Places {
    /// Reads them off the declarations of a bundle's flow, and of those that it uses.
    #[must_use]
    pub fn new(bundle: &Bundle, flow: &FlowDeclaration) -> Self {
        if bundle.files.is_empty() {
            return Self::default();
        }
        let mut lines: HashMap<u16, LineIndex> = HashMap::new();
        let mut at = |span: Span| {
            let file = bundle.files.get(usize::from(span.file))?;
            let lines = lines
                .entry(span.file)
                .or_insert_with(|| LineIndex::new(&file.text));
            let position = lines.position(span.start);
            Some(Place {
                path: file.path.clone(),
                line: position.line,
                column: position.column,
            })
        };
        let mut places = HashMap::new();
        let mut open: Vec<(String, &Body)> = vec![(String::new(), &flow.body)];
        while let Some((prefix, body)) = open.pop() {
            for task in &body.tasks {
                let name = format!("{prefix}{}", task.name.value);
                let inner = match &task.kind {
                    KindDeclaration::Group(inner) => Some(inner),
                    KindDeclaration::Flow { reference, .. } => {
                        flow.library.flow(reference).map(|flow| &flow.body)
                    }
                    KindDeclaration::Call { kind, .. } => {
                        let kind = flow.library.kind(kind);
                        kind.and_then(|kind| match &kind.form {
                            TaskKindForm::Tasks(flow) => Some(&flow.body),
                            TaskKindForm::Task { .. } => None,
                        })
                    }
                };
                if let Some(inner) = inner
                    && places.len() < MOST
                {
                    open.push((format!("{name}."), inner));
                }
                if let Some(place) = at(task.name.span) {
                    places.insert(name, place);
                }
            }
        }
        // A task may be called as the flow is: its own place counts.
        if let Some(place) = at(flow.name.span) {
            places.entry(flow.name.value.clone()).or_insert(place);
        }
        Self(places)
    }

    /// The place of a task or group; of a copy, that of the task with the matrix.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Place> {
        if let Some(place) = self.0.get(name) {
            return Some(place.clone());
        }
        let mut depth = 0;
        let declared = name.chars().filter(|c| {
            match c {
                '[' => depth += 1,
                ']' => {
                    depth -= 1;
                    return false;
                }
                _ => {}
            }
            depth == 0
        });
        self.0.get(&declared.collect::<String>()).cloned()
    }
}
