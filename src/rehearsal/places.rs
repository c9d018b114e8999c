//! Where the tasks and groups of a flow stand in their file.

use std::collections::HashMap;

use super::report::Place;
use crate::model::{Bundle, Span};
use crate::syntax::{Body, FlowDeclaration, KindDeclaration, LineIndex};

/// The places of tasks and groups, by full name.
#[derive(Debug, Clone, Default)]
pub struct Places(HashMap<String, Place>);

impl Places {
    /// Reads them off the declarations of a bundle's flow.
    #[must_use]
    pub fn new(bundle: &Bundle, flow: &FlowDeclaration) -> Self {
        let Some(file) = bundle.files.first() else {
            return Self::default();
        };
        let lines = LineIndex::new(&file.text);
        let at = |span: Span| {
            let position = lines.position(span.start);
            Place {
                path: file.path.clone(),
                line: position.line,
                column: position.column,
            }
        };
        // A task may be called as the flow is: its own place counts.
        let mut places = HashMap::from([(flow.name.value.clone(), at(flow.name.span))]);
        let mut open: Vec<(String, &Body)> = vec![(String::new(), &flow.body)];
        while let Some((prefix, body)) = open.pop() {
            for task in &body.tasks {
                let name = format!("{prefix}{}", task.name.value);
                if let KindDeclaration::Group(inner) = &task.kind {
                    open.push((format!("{name}."), inner));
                }
                places.insert(name, at(task.name.span));
            }
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
